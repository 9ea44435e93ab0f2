"""Which model a worker uses: the one whose generation is searched, loaded beside the one before."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import structlog

from indexer.blobs import Blobs
from indexer.generations import Generations
from indexer.library import Library
from worker.settings import Settings

if TYPE_CHECKING:
    from model.batcher import Batcher
    from model.encoders import Encoder as ModelEncoder
    from model.pairs import Pair
    from model.train import Trained
    from model.trainer import Step

Load: TypeAlias = "Callable[[Settings, Path | None], ModelEncoder]"
Train: TypeAlias = (
    "Callable[[Settings, Sequence[Pair], Path, Path | None, Callable[[Step], None], Callable[[], bool]], Trained]"
)
log = structlog.get_logger()


def load_preset(settings: Settings, adapter: Path | None = None) -> ModelEncoder:
    """The encoder that the settings name, with an adapter's folder merged in. Raises `ModelError`."""
    from transformers.utils.logging import disable_progress_bar

    from model.presets import load_encoder

    disable_progress_bar()
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
    from model.run import DEFAULT, read_run
    from model.train import train

    return train(
        read_run(settings.retrain_run or DEFAULT),
        pairs,
        preset=settings.preset,
        parts_dir=settings.parts_dir,
        folder=folder,
        base_adapter=base_adapter,
        progress=progress,
        stopping=stopping,
    )


class Models:
    """Loads a model when it is first needed, and another one when another generation is searched."""

    def __init__(
        self,
        settings: Settings,
        load: Load,
        library: Library,
        generations: Generations,
        blobs: Blobs,
        on_batch: Callable[[str, int], None],
    ) -> None:
        self._settings, self._load = settings, load
        self._library, self._generations, self._blobs = library, generations, blobs
        self._on_batch = on_batch
        self._loaded: Batcher | None = None
        self._retired: Batcher | None = None
        self._loaded_for: str | None = None
        self._loading = threading.Lock()
        self._refresher: threading.Thread | None = None

    @property
    def loaded(self) -> bool:
        return self._loaded is not None

    def current(self) -> Batcher:
        """The model of the generation that is searched now; waits for it to be loaded. Raises `ModelError`."""
        with self._loading:
            live = self._library.generation
            if self._loaded is None or live not in (None, self._loaded.generation, self._loaded_for):
                self._replace(live)
            assert self._loaded is not None  # noqa: S101  # _replace has set it
            return self._loaded

    def serving(self) -> Batcher:
        """A model that searches can go on with: that of the generation before, while the next one is being loaded."""
        loaded, live = self._loaded, self._library.generation
        if loaded is None or live in (None, loaded.generation, self._loaded_for):
            return self.current()
        if loaded.generation != self._library.before:
            return self.current()
        if self._refresher is None or not self._refresher.is_alive():
            self._refresher = threading.Thread(target=self._refresh, name="load-model")
            self._refresher.start()
        return loaded

    def load(self, adapter: Path | None) -> ModelEncoder:
        """A model of its own, which nobody else uses. Raises `ModelError`."""
        return self._load(self._settings, adapter)

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

    def close(self) -> None:
        if self._refresher is not None:
            self._refresher.join()
        for batcher in (self._loaded, self._retired):
            if batcher is not None:
                batcher.close()

    def _refresh(self) -> None:
        try:
            self.current()
        except Exception:
            log.exception("model.load_failed")

    def _replace(self, live: str | None) -> None:
        # torch takes seconds to import: a refused link or a listing never waits for it.
        from model.batcher import Batcher

        encoder = Batcher(self._load(self._settings, self.adapter(live)), self._on_batch)
        if self._retired is not None:
            self._retired.close()
        # Calls that have the former one in hand may finish with it.
        self._retired, self._loaded, self._loaded_for = self._loaded, encoder, live
        log.info("model.loaded", generation=encoder.generation)
