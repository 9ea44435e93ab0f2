"""Which models a worker uses: those whose generations are searched, the installation's and spaces' own."""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import structlog

from indexer.store.blobs import BlobStore
from indexer.store.generations import GenerationStore, own_name, space_of
from indexer.store.library import Library
from worker.settings import Settings

if TYPE_CHECKING:
    from model.data.pairs import Pair
    from model.encoders.micro_batcher import MicroBatcher
    from model.outcome import Step, Trained
    from model.ports import Encoder as ModelEncoder

Load: TypeAlias = "Callable[[Settings, Path | None], ModelEncoder]"
Train: TypeAlias = (
    "Callable[[Settings, Sequence[Pair], Path, Path | None, Callable[[Step], None], Callable[[], bool]], Trained]"
)
log = structlog.get_logger()

MOST_LOADED = 3
"""Models in memory at once: the one that was longest of no use goes."""


def load_preset(settings: Settings, adapter: Path | None = None) -> ModelEncoder:
    """The encoder that the settings name, with an adapter's folder merged in. Raises `ModelError`."""
    from model.presets import load_encoder

    return load_encoder(settings.preset, device=settings.device, adapter=adapter, parts_dir=settings.parts_dir)


def train_preset(
    settings: Settings,
    pairs: Sequence[Pair],
    folder: Path,
    base_adapter: Path | None,
    progress: Callable[[Step], None],
    stopping: Callable[[], bool],
) -> Trained:
    """Trains an adapter of the settings' preset, from `base_adapter` on. Raises `ModelError`."""
    from model.config import DEFAULT, read_run
    from model.training.train import train

    return train(
        read_run(settings.retrain_run or DEFAULT),
        pairs,
        preset=settings.preset,
        device=settings.device,
        parts_dir=settings.parts_dir,
        folder=folder,
        base_adapter=base_adapter,
        progress=progress,
        stopping=stopping,
    )


class _Own:
    """A space's own model: as it is loaded, but of a generation that no other space has."""

    def __init__(self, encoder: ModelEncoder, space: str) -> None:
        self.generation = own_name(encoder.generation, space)
        self.frame_size, self.motion_size = encoder.frame_size, encoder.motion_size
        self.texts, self.frames, self.clips = encoder.texts, encoder.frames, encoder.clips


class ModelCache:
    """Loads a model when it is first needed, and another one when another generation is searched.

    None is closed while somebody uses it: one that goes is only let go of, and ends with its last user.
    """

    def __init__(
        self,
        settings: Settings,
        load: Load,
        library: Library,
        generations: GenerationStore,
        blobs: BlobStore,
        on_batch: Callable[[str, int], None],
    ) -> None:
        self._settings, self._load = settings, load
        self._library, self._generations, self._blobs = library, generations, blobs
        self._on_batch = on_batch
        self._loaded: OrderedDict[str | None, MicroBatcher] = OrderedDict()
        """By the generation that was asked for, last used last. None: before there was one."""
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._refresher: threading.Thread | None = None

    @property
    def loaded(self) -> bool:
        return bool(self._loaded)

    def current(self, space: str = "") -> MicroBatcher:
        """The model of the generation that is searched now; waits for it to be loaded. Raises `ModelError`."""
        live = self._library.generation(self._settings.adapter_space(space))
        ready = self._ready(live)
        if ready is not None:
            return ready
        with self._loading:
            return self._ready(live) or self._add(live)

    def serving(self, space: str = "") -> MicroBatcher:
        """A model that searches can go on with: that of the generation before, while the next one is being loaded."""
        apart = self._settings.adapter_space(space)
        ready = self._ready(self._library.generation(apart))
        if ready is not None:
            return ready
        before = self._library.before(apart)
        former = self._ready(before) if before else None
        if former is None:
            return self.current(space)
        if self._refresher is None or not self._refresher.is_alive():
            self._refresher = threading.Thread(target=self._refresh, args=(space,), name="load-model")
            self._refresher.start()
        return former

    def load(self, adapter: Path | None, space: str = "") -> ModelEncoder:
        """A model that nobody else uses; with a `space`, of this space's own generation. Raises `ModelError`."""
        encoder = self._load(self._settings, adapter)
        return _Own(encoder, space) if adapter and space else encoder

    def adapter(self, generation: str | None) -> Path | None:
        """The folder of a generation's adapter on this machine; None: it has none, or is of another preset."""
        record = self._generations.get(generation) if generation else None
        if record is None or record.adapter is None or record.preset != self._settings.preset:
            return None
        folder = self._settings.data_dir / "adapters" / record.name
        if not folder.exists():
            partial = folder.with_name(f"{folder.name}.{threading.get_ident()}")
            shutil.rmtree(partial, ignore_errors=True)
            self._blobs.get_folder(record.adapter, partial)
            try:
                partial.rename(folder)
            except OSError:
                # Another process was faster.
                shutil.rmtree(partial)
        return folder

    def tidy(self) -> None:
        """Deletes adapters on this machine that are no longer on record, but for what another thread just fetches."""
        known = {record.name for record in self._generations.all()}
        for folder in (self._settings.data_dir / "adapters").glob("*"):
            if not known & {folder.name, folder.name.rpartition(".")[0]}:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        if self._refresher is not None:
            self._refresher.join()
        for batcher in self._loaded.values():
            batcher.close()

    def _refresh(self, space: str) -> None:
        try:
            self.current(space)
        except Exception:
            log.exception("model.load_failed")

    def _ready(self, generation: str | None) -> MicroBatcher | None:
        with self._lock:
            for name, model in self._loaded.items():
                if generation in (name, model.generation):
                    self._loaded.move_to_end(name)
                    return model
        return None

    def _add(self, live: str | None) -> MicroBatcher:
        # torch takes seconds to import: a refused link or a listing never waits for it.
        from model.encoders.micro_batcher import MicroBatcher

        model = MicroBatcher(self.load(self.adapter(live), space_of(live or "")), self._on_batch)
        with self._lock:
            self._loaded[live] = model
            while len(self._loaded) > MOST_LOADED:
                self._loaded.popitem(last=False)
        self.tidy()
        log.info("model.loaded", generation=model.generation)
        return model
