"""Composition root of the workers: builds every service once from the settings."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from celery import Celery

from indexer.blobs import BlobStore
from indexer.decode.decoder import PyAvDecoder
from indexer.enrich.pipeline import EnrichPipeline
from indexer.enrich.recognition import Recognizers
from indexer.enrich.sources import SourceStore, WantedSenses
from indexer.fetch.fetcher import YtDlpFetcher
from indexer.ingest.ingest import IngestPipeline
from indexer.sandbox.guard import SsrfGuard
from indexer.search.query_clip import DECODE_TIMEOUT_S, MAX_CLIP_S
from indexer.senses import Sense
from indexer.store.stores import Stores, open_stores
from indexer.topics.cache import TopicCache
from indexer.topics.tagger import Tagger
from indexer.topics.word_vectors import WordVectors
from indexer.vectors.vector_store import VectorStore
from worker.discord_files import sign_address
from worker.job_leases import JobLeases
from worker.jobs.cleanup import SpaceRemoval, VideoRemoval
from worker.jobs.enrich import EnrichJob, EvidenceWriter
from worker.jobs.enrich_queue import EnrichQueue
from worker.jobs.following import LookJob, LookQueue
from worker.jobs.garbage_collection import GarbageCollector
from worker.jobs.index import IndexJob
from worker.jobs.index_queue import IndexQueue
from worker.jobs.retrain import RetrainJob
from worker.jobs.retrain_queue import RetrainQueue
from worker.leases import MemoryLeaseStore, RedisLeaseStore
from worker.models.cache import ModelCache
from worker.models.loading import ModelLoader, ModelTrainer
from worker.ops.metrics import Metrics
from worker.protocol.base import WireModel
from worker.protocol.library import Submit
from worker.recognizers import make_recognizers
from worker.redis_client import LEASES, redis_client
from worker.settings import Settings
from worker.slack_files import make_headers
from worker.user_data import NoUserDataKeys, RedisUserDataKeys, UserDataKeys
from worker.vector_store import open_vector_store
from worker.vision_model import open_vision_model


class Services:
    """The services of one process. Stores and caches are attributes; methods build the jobs that use them."""

    def __init__(
        self,
        settings: Settings,
        app: Celery,
        stopping: threading.Event,
        load: ModelLoader,
        train: ModelTrainer,
        recognizers: Recognizers | None = None,
        fetcher: YtDlpFetcher | None = None,
    ) -> None:
        self.settings = settings
        self.app = app
        self.train = train
        self.stopping = stopping
        self.metrics = Metrics()
        self.vectors: VectorStore = open_vector_store(settings)
        self.stores: Stores = open_stores(self.vectors)
        self.blobs = BlobStore(settings.blobs_address)
        self.guard = SsrfGuard(settings.allow_networks, settings.fetch_proxy)
        redis_url = settings.redis_url and settings.redis_url.get_secret_value()
        self.leases = JobLeases(RedisLeaseStore(redis_client(redis_url, LEASES)) if redis_url else MemoryLeaseStore())
        self.user_data: UserDataKeys = RedisUserDataKeys(redis_client(redis_url)) if redis_url else NoUserDataKeys()
        self.models = ModelCache(settings, load, self.stores.generations, self.blobs, self.metrics.observe_batch)
        self.words = WordVectors(settings.data_dir / "words")
        self.topics = TopicCache(self.stores.moments, self.words)
        self.tagger = Tagger(self.stores.moments, self.stores.enrichment, self.words)
        self.vision = open_vision_model(settings)
        self.sources = SourceStore(self.blobs)
        self.recognizers = recognizers or make_recognizers(settings)
        self.fetcher = fetcher or _make_fetcher(settings, stopping)

    def make_index_queue(self) -> IndexQueue:
        return IndexQueue(
            settings=self.settings,
            app=self.app,
            leases=self.leases,
            videos=self.stores.videos,
            generations=self.stores.generations,
            reembedding=self.stores.reembedding,
        )

    def make_index_job(self) -> IndexJob:
        return IndexJob(
            settings=self.settings,
            stores=self.stores,
            blobs=self.blobs,
            models=self.models,
            metrics=self.metrics,
            leases=self.leases,
            queue=self.make_index_queue(),
            enrich_queue=self.make_enrich_queue(),
            removal=self.make_video_removal(),
            stopping=self.stopping,
            build_pipeline=self.make_ingest_pipeline,
        )

    def make_enrich_queue(self) -> EnrichQueue:
        return EnrichQueue(self.settings, self.app, self.leases, self.stores.videos)

    def make_enrich_job(self) -> EnrichJob:
        return EnrichJob(
            settings=self.settings,
            videos=self.stores.videos,
            sources=self.sources,
            wanted_senses=self.wanted_senses,
            metrics=self.metrics,
            leases=self.leases,
            stopping=self.stopping,
            build_pipeline=self.make_enrich_pipeline,
            fetch_sources=lambda *args: self.make_ingest_pipeline().fetch_sources(*args),
        )

    def make_retrain_queue(self) -> RetrainQueue:
        return RetrainQueue(self.settings, self.app, self.leases, self.stores.retrains)

    def make_retrain_job(self) -> RetrainJob:
        return RetrainJob(
            settings=self.settings,
            stores=self.stores,
            blobs=self.blobs,
            models=self.models,
            train=self.train,
            metrics=self.metrics,
            leases=self.leases,
            stopping=self.stopping,
        )

    def make_video_removal(self) -> VideoRemoval:
        return VideoRemoval(
            submissions=self.stores.submissions,
            removals=self.stores.removals,
            blobs=self.blobs,
            user_data=self.user_data,
            index_queue=self.make_index_queue(),
            enrich_queue=self.make_enrich_queue(),
        )

    def make_space_removal(self) -> SpaceRemoval:
        return SpaceRemoval(
            settings=self.settings,
            stores=self.stores,
            blobs=self.blobs,
            models=self.models,
            user_data=self.user_data,
            videos=self.make_video_removal(),
        )

    def make_look_queue(self) -> LookQueue:
        return LookQueue(self.app, self.leases, self.stores.spaces, self.stores.followed_lists)

    def make_look_job(self, submit: Callable[[Submit], WireModel]) -> LookJob:
        """Build the job that looks at followed lists. `submit` is the handler of `Submit`."""
        return LookJob(self.leases, self.stores.followed_lists, self.fetcher, submit, self.stopping)

    def make_garbage_collector(self) -> GarbageCollector:
        return GarbageCollector(
            data_dir=self.settings.data_dir,
            videos=self.stores.videos,
            submissions=self.stores.submissions,
            publisher=self.stores.publisher,
            removals=self.stores.removals,
            blobs=self.blobs,
            leases=self.leases,
        )

    def make_decoder(self) -> PyAvDecoder:
        settings = self.settings
        return PyAvDecoder(
            max_pixels=settings.max_pixels,
            max_duration_s=settings.max_duration_s,
            timeout_s=settings.decode_timeout_s,
            memory_limit_bytes=settings.memory_limit_bytes,
            wants_speech=settings.reads_speech,
            wants_sound=settings.listens or settings.sounds,
            wants_reading_frames=settings.screen_text,
            stopping=self.stopping,
        )

    def make_clip_decoder(self) -> PyAvDecoder:
        """Build the decoder of the clips that people search with: only for frames, and for short ones."""
        only_frames = replace(self.make_decoder(), wants_speech=False, wants_sound=False, wants_reading_frames=False)
        return replace(only_frames, max_duration_s=MAX_CLIP_S, timeout_s=DECODE_TIMEOUT_S)

    def make_ingest_pipeline(self) -> IngestPipeline:
        settings = self.settings
        return IngestPipeline(
            fetcher=self.fetcher,
            decoder=self.make_decoder(),
            encoder=self.models.get_current(),
            preset=settings.preset,
            generations=self.stores.generations,
            videos=self.stores.videos,
            publisher=self.stores.publisher,
            blobs=self.blobs,
            sources=self.sources,
            wanted_senses=self.wanted_senses,
        )

    def make_enrich_pipeline(self) -> EnrichPipeline:
        stores = self.stores
        writer = EvidenceWriter(self.settings, stores, self.models)
        return EnrichPipeline(self.recognizers, self.sources, stores.moments, stores.videos, writer)

    @property
    def wanted_senses(self) -> WantedSenses:
        """The senses that the settings want."""
        settings = self.settings
        wanted = {Sense.SAID: settings.reads_speech, Sense.SHOWN: settings.screen_text, Sense.HEARD: settings.sounds}
        return WantedSenses(frozenset(sense for sense in Sense if wanted[sense]), settings.listens)

    def close(self) -> None:
        self.words.close()
        self.topics.close()
        self.tagger.close()
        self.models.close()
        self.vectors.close()


def _make_fetcher(settings: Settings, stopping: threading.Event) -> YtDlpFetcher:
    return YtDlpFetcher(
        max_duration_s=settings.max_duration_s,
        max_bytes=settings.max_bytes,
        timeout_s=settings.fetch_timeout_s,
        memory_limit_bytes=settings.memory_limit_bytes,
        allow_networks=settings.allow_networks,
        wants_speech=settings.reads_speech,
        wants_sound=settings.listens or settings.sounds,
        cookies_file=settings.cookies_file,
        proxy=settings.fetch_proxy,
        stopping=stopping,
        make_headers=partial(make_headers, settings),
        sign=partial(sign_address, settings),
    )
