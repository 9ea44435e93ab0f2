"""The models that a worker has in memory: those of the installation's generation and of spaces' own generations."""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from indexer.blobs import BlobStore
from indexer.generation_id import GenerationId
from indexer.store.generations import GenerationStore
from worker.models.loading import ModelChoice, ModelLoader
from worker.settings import Settings

if TYPE_CHECKING:
    from model.encoders.micro_batcher import MicroBatcher
    from model.ports import Encoder as ModelEncoder
    from model.ports import FetchProgress

MAX_LOADED: Final = 3
"""Models in memory at once; the least recently used one is evicted."""

log = structlog.get_logger()


class ModelCache:
    """An LRU cache of loaded models, by the generation that is searched. All methods are thread-safe.

    A model that is evicted is not closed: its current users keep it, and its memory is freed after the last of them.
    """

    def __init__(
        self,
        settings: Settings,
        load: ModelLoader,
        generations: GenerationStore,
        blobs: BlobStore,
        on_batch: Callable[[str, int], None],
    ) -> None:
        self._settings = settings
        self._load = load
        self._generations = generations
        self._blobs = blobs
        self._on_batch = on_batch
        self._loaded: OrderedDict[GenerationId | None, MicroBatcher] = OrderedDict()
        """By the generation that was requested, least recently used first. The key None: none existed yet."""
        self._lock = threading.Lock()
        self._load_lock = threading.Lock()
        self._background_load: threading.Thread | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether at least one model is in memory."""
        return bool(self._loaded)

    @property
    def is_loading(self) -> bool:
        """Whether a request waits for a model that is being loaded."""
        return self._load_lock.locked()

    def get_current(self, space: str | None = None) -> MicroBatcher:
        """Return the model of the generation that a space, or the installation (None), searches now.

        Waits until it is loaded. Raises `ModelError`.
        """
        live = self._get_live(space)
        model = self._get_cached(live)
        if model is not None:
            return model
        with self._load_lock:
            return self._get_cached(live) or self._load_and_cache(live)

    def get_available(self, space: str) -> MicroBatcher:
        """Return a model for searches of a space that is available without waiting, if there is one.

        While the model of a new generation is being loaded, this is the one of the previous generation, whose vectors
        are still stored. Raises `ModelError`.
        """
        model = self._get_cached(self._get_live(space))
        if model is not None:
            return model
        scope = self._settings.adapter_scope_of(space)
        previous = self._generations.get_previous(scope) or self._generations.get_previous()
        previous_model = self._get_cached(previous) if previous else None
        if previous_model is None:
            return self.get_current(space)
        if self._background_load is None or not self._background_load.is_alive():
            self._background_load = threading.Thread(target=self._load_in_background, args=(space,), name="load-model")
            self._background_load.start()
        return previous_model

    def load(
        self, choice: ModelChoice, space: str | None = None, on_fetch: FetchProgress | None = None
    ) -> ModelEncoder:
        """Load a model outside the cache, for a space's own generation if `space` is given.

        `on_fetch` may raise to stop the download of a model that is not here. Raises `ModelError`.
        """
        from model.encoders.halving_encoder import HalvingEncoder, transient_memory_errors

        with transient_memory_errors():
            encoder = self._load(self._settings, choice, on_fetch)
            return HalvingEncoder(encoder, str(GenerationId(encoder.generation, space)))

    def choose(self, generation: GenerationId | None) -> ModelChoice:
        """Return the model of a generation, whose adapter is downloaded first if needed.

        It is loaded by the generation's record, whichever preset the settings name. None: the settings' preset, which
        embeds a new library.
        """
        if generation is None:
            return ModelChoice(self._settings.preset)
        record = self._generations.describe(generation)
        folder = self._adapters_dir / str(generation) if record.adapter else None
        if record.adapter and folder and not folder.exists():
            self._download(record.adapter, folder)
        return ModelChoice(record.preset, generation.name, folder)

    def choose_for_training(self, space: str | None) -> ModelChoice:
        """Return the model that a retrain of a space, or of the installation (None), starts from.

        It continues a space's own adapter while the installation has the same preset. After the installation has
        switched to another one, it starts from the installation's model.
        """
        own, common = self._generations.get_live(space), self._generations.get_live()
        if own and common and own != common:
            presets = [self._generations.describe(each).preset for each in (own, common)]
            if presets[0] != presets[1]:
                return self.choose(common)
        return self.choose(own)

    def _download(self, prefix: str, folder: Path) -> None:
        """Download an adapter so that its folder appears only when it is complete."""
        partial = folder.with_name(f"{folder.name}.{threading.get_ident()}")
        shutil.rmtree(partial, ignore_errors=True)
        self._blobs.get_folder(prefix, partial)
        try:
            partial.rename(folder)
        except OSError:
            # Another process has downloaded it meanwhile.
            shutil.rmtree(partial)

    def delete_unused_adapters(self) -> None:
        """Delete adapters on this machine that have no record, but not those that are being downloaded."""
        known = {str(record.generation) for record in self._generations.list_records()}
        for folder in self._adapters_dir.glob("*"):
            if not known & {folder.name, folder.name.rpartition(".")[0]}:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Wait for a model that is being loaded, and close all models."""
        if self._background_load is not None:
            self._background_load.join()
        for model in self._loaded.values():
            model.close()

    @property
    def _adapters_dir(self) -> Path:
        return self._settings.data_dir / "adapters"

    def _get_live(self, space: str | None) -> GenerationId | None:
        return self._generations.get_live(self._settings.adapter_scope_of(space) if space else None)

    def _load_in_background(self, space: str) -> None:
        try:
            self.get_current(space)
        except Exception:
            log.exception("model.load_failed")

    def _get_cached(self, generation: GenerationId | None) -> MicroBatcher | None:
        with self._lock:
            for key, model in self._loaded.items():
                if key == generation or (generation and model.generation == str(generation)):
                    self._loaded.move_to_end(key)
                    return model
        return None

    def _load_and_cache(self, live: GenerationId | None) -> MicroBatcher:
        # Importing torch takes seconds, which requests that need no model do without.
        from model.encoders.micro_batcher import MicroBatcher

        model = MicroBatcher(self.load(self.choose(live), live.space if live else None), self._on_batch)
        with self._lock:
            self._loaded[live] = model
            while len(self._loaded) > MAX_LOADED:
                self._loaded.popitem(last=False)
        self.delete_unused_adapters()
        log.info("model.loaded", generation=model.generation)
        return model
