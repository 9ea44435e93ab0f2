"""The composition root: everything a worker needs, built once from the settings and handed on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from celery import Celery

from indexer.blobs import Blobs
from indexer.decode import PyAvDecoder
from indexer.edge import EdgePoints
from indexer.fetch import YtDlpFetcher
from indexer.guard import Guard
from indexer.ingest import Ingest
from indexer.library import Library
from indexer.points import Points
from indexer.ports import Encoder
from indexer.server import ServerPoints
from indexer.spaces import Spaces
from worker.claims import Claims, MemoryLeases, RedisLeases
from worker.settings import Settings

if TYPE_CHECKING:
    from model.batcher import Batcher
    from model.encoders import Encoder as ModelEncoder


Load: TypeAlias = "Callable[[Settings], ModelEncoder]"


def load_preset(settings: Settings) -> ModelEncoder:
    """The encoder that the settings name. Raises `ModelError`."""
    from transformers.utils.logging import disable_progress_bar

    from model.presets import load_encoder

    disable_progress_bar()
    return load_encoder(settings.preset, device=settings.device, adapter=None, parts_dir=settings.parts_dir)


class Parts:
    """What the tasks of one process work with. The encoder is loaded when it is first needed, and only once."""

    def __init__(self, settings: Settings, app: Celery, stopping: threading.Event, load: Load) -> None:
        self.settings = settings
        self._load = load
        self.app = app
        self.stopping = stopping
        self.points: Points = _points(settings)
        self.library = Library(self.points)
        self.spaces = Spaces(self.points)
        self.blobs = Blobs(settings.blobs_address)
        self.guard = Guard(settings.allow_networks, settings.fetch_proxy)
        redis_url = settings.redis_url and settings.redis_url.get_secret_value()
        self.claims = Claims(RedisLeases(redis_url) if redis_url else MemoryLeases())
        self._batcher: Batcher | None = None
        self._loading = threading.Lock()

    def encoder(self) -> Encoder:
        """Raises `ModelError`."""
        with self._loading:
            if self._batcher is None:
                # torch takes seconds to import: a refused link or a listing never waits for it.
                from model.batcher import Batcher

                self._batcher = Batcher(self._load(self.settings))
            return self._batcher

    def ingest(self) -> Ingest:
        settings = self.settings
        return Ingest(
            fetcher=YtDlpFetcher(
                max_duration_s=settings.max_duration_s,
                max_bytes=settings.max_bytes,
                timeout_s=settings.fetch_timeout_s,
                memory_limit_bytes=settings.memory_limit_bytes,
                allow_networks=settings.allow_networks,
                speech=settings.speech,
                cookies_file=settings.cookies_file,
                proxy=settings.fetch_proxy,
            ),
            decoder=PyAvDecoder(
                max_pixels=settings.max_pixels,
                max_duration_s=settings.max_duration_s,
                timeout_s=settings.decode_timeout_s,
                memory_limit_bytes=settings.memory_limit_bytes,
            ),
            encoder=self.encoder(),
            library=self.library,
            blobs=self.blobs,
        )

    def close(self) -> None:
        if self._batcher is not None:
            self._batcher.close()
        self.points.close()


def _points(settings: Settings) -> Points:
    if settings.qdrant_url is None:
        return EdgePoints(settings.data_dir / "vectors")
    key = settings.qdrant_api_key
    return ServerPoints(settings.qdrant_url, key.get_secret_value() if key else None)


def work_folder(settings: Settings, video_id: str) -> Path:
    """Where one job keeps its files while it runs. One video has one job, so a killed one's remains are found again."""
    return settings.data_dir / "work" / video_id
