"""The composition root: everything a worker needs, built once from the settings and handed on."""

import threading
from pathlib import Path

from celery import Celery

from indexer.decode.decoder import PyAvDecoder
from indexer.fetch.fetcher import YtDlpFetcher
from indexer.ingest.ingest import IngestPipeline
from indexer.sandbox.guard import SsrfGuard
from indexer.store.blobs import BlobStore
from indexer.store.generations import GenerationStore
from indexer.store.library import Library
from indexer.store.spaces import SpaceStore
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.vector_store import VectorStore
from worker.leases import JobLeases, MemoryLeaseStore, RedisLeaseStore
from worker.model_cache import Load, ModelCache, Train
from worker.ops.metrics import Metrics
from worker.settings import Settings
from worker.user_data import NoUserDataKeys, RedisUserDataKeys, UserDataKeys


class Services:
    """What the tasks of one process work with."""

    def __init__(self, settings: Settings, app: Celery, stopping: threading.Event, load: Load, train: Train) -> None:
        self.settings = settings
        self.app = app
        self.train = train
        self.stopping = stopping
        self.metrics = Metrics()
        self.points: VectorStore = open_points(settings)
        self.library = Library(self.points)
        self.spaces = SpaceStore(self.points)
        self.generations = GenerationStore(self.points)
        self.blobs = BlobStore(settings.blobs_address)
        self.guard = SsrfGuard(settings.allow_networks, settings.fetch_proxy)
        redis_url = settings.redis_url and settings.redis_url.get_secret_value()
        self.leases = JobLeases(RedisLeaseStore(redis_url) if redis_url else MemoryLeaseStore())
        self.user_data: UserDataKeys = RedisUserDataKeys(redis_url) if redis_url else NoUserDataKeys()
        self.models = ModelCache(settings, load, self.library, self.generations, self.blobs, self.metrics.batch)

    def fetcher(self) -> YtDlpFetcher:
        settings = self.settings
        return YtDlpFetcher(
            max_duration_s=settings.max_duration_s,
            max_bytes=settings.max_bytes,
            timeout_s=settings.fetch_timeout_s,
            memory_limit_bytes=settings.memory_limit_bytes,
            allow_networks=settings.allow_networks,
            speech=settings.speech,
            cookies_file=settings.cookies_file,
            proxy=settings.fetch_proxy,
            stopping=self.stopping,
        )

    def ingest(self) -> IngestPipeline:
        settings = self.settings
        return IngestPipeline(
            fetcher=self.fetcher(),
            decoder=PyAvDecoder(
                max_pixels=settings.max_pixels,
                max_duration_s=settings.max_duration_s,
                timeout_s=settings.decode_timeout_s,
                memory_limit_bytes=settings.memory_limit_bytes,
                stopping=self.stopping,
            ),
            encoder=self.models.current(),
            library=self.library,
            blobs=self.blobs,
        )

    def close(self) -> None:
        self.models.close()
        self.points.close()


def open_points(settings: Settings) -> VectorStore:
    """The store that the settings name."""
    if settings.qdrant_url is None:
        return EdgeVectorStore(settings.data_dir / "vectors")
    # Its client takes a second to import, which the embedded form does without.
    from indexer.vectors.qdrant_server import QdrantVectorStore

    key = settings.qdrant_api_key
    return QdrantVectorStore(settings.qdrant_url, key.get_secret_value() if key else None)


def work_folder(settings: Settings, video_id: str) -> Path:
    """Where one job keeps its files while it runs. One video has one job, so a killed one's remains are found again."""
    return settings.data_dir / "work" / video_id
