"""The enrich job: it recognizes what is said, shown and heard in an indexed video. It is idempotent.

Each sense is stored as soon as it is recognized, so that a job whose worker was killed goes on with the next one. A
sense that fails is recorded, and the job goes on with the others. A sense at which the process has ended several times
counts as failed, because its recognizer would crash again in every repetition of the job.
"""

import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from celery import Task
from celery.exceptions import Ignore, Reject

from indexer.enrich.pipeline import EnrichPipeline
from indexer.enrich.sources import KeptSources, SenseSources, SourceStore, WantedSenses
from indexer.errors import RepeatedCrashError, StoreUnavailableError, store_error
from indexer.ingest.evidence import put_evidence
from indexer.ports import StageProgressCallback
from indexer.senses import Sense, SenseStatus
from indexer.stages import IndexStage
from indexer.store.records import FINDABLE, IndexStatus, VideoRecord
from indexer.store.stores import Stores
from indexer.store.videos import VideoStore
from indexer.types import Evidence
from worker.job_leases import JobLeases
from worker.jobs.enrich_queue import EnrichQueue
from worker.jobs.index import MEMORY_RETRY_AFTER_S, RETRY_AFTER_S, describe_outcome
from worker.jobs.progress import (
    INDEX_PROGRESS_EVERY_S,
    ProgressPublisher,
    WorkerStoppingError,
    hold_or_ignore,
    make_retry,
)
from worker.jobs.work_dirs import enrich_work_dir
from worker.models.cache import ModelCache
from worker.ops.metrics import Metrics
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.updates import IndexProgress, Update
from worker.settings import Settings

MAX_STARTS: Final = 3
"""How many times the recognition of a sense may end its process."""

log = structlog.get_logger()


@dataclass(frozen=True)
class EvidenceWriter:
    """Stores what was recognized in all generations that are searched now."""

    settings: Settings
    stores: Stores
    models: ModelCache

    def __call__(self, video_id: str, evidence: Mapping[str, Evidence]) -> None:
        """Store the evidence of a video's moments, which is given by their ids.

        Other generations lose the video's moments, so that they are embedded again with the evidence once a rollback
        or the end of a retrain needs them. So does a space's own generation whose model fails.
        """
        stores = self.stores
        put_evidence(stores.enrichment, self.models.get_current(), evidence)
        own = stores.generations.list_own() if self.settings.adapter_scope == "space" else []
        for generation in own:
            try:
                put_evidence(stores.enrichment, self.models.get_current(generation.space), evidence)
            except StoreUnavailableError:
                raise
            except Exception:
                # The index job, which is queued until no video is missing, embeds the video with its evidence.
                log.exception("enrich.space_model_failed", video_id=video_id, space=generation.space)
                stores.enrichment.delete_moments(generation, video_id)
        stores.enrichment.delete_unsearched(video_id)


class VideoRemovedError(Exception):
    """The video was removed while its enrich job ran."""


@dataclass(frozen=True)
class EnrichJob:
    """Runs enrich jobs. `fetch_sources` gets the sources of a video that was indexed before again from its site."""

    settings: Settings
    videos: VideoStore
    sources: SourceStore
    wanted_senses: WantedSenses
    metrics: Metrics
    leases: JobLeases
    stopping: threading.Event
    build_pipeline: Callable[[], EnrichPipeline]
    fetch_sources: Callable[[VideoRecord, Path, StageProgressCallback], SenseSources]
    check_removed_every_s: float = 5.0

    def __call__(self, task: Task, video_id: str, correlation_id: str) -> Update:
        """Recognize the pending senses of a video, unless another worker does, and return how that ended.

        Raises Celery's `Ignore` if there is nothing to report, `Retry` after a transient error, and `Reject` to put
        the message back if the worker is shutting down or Redis cannot be reached.
        """
        lease_id, owner = EnrichQueue.job_id(video_id), uuid.uuid4().hex
        with hold_or_ignore(self.leases, lease_id, owner):
            try:
                record = self._enrich(task, video_id)
            except Exception as error:
                if self.stopping.is_set():
                    self.leases.requeue(lease_id)
                    log.info("enrich.requeued", video_id=video_id)
                    raise Reject("shutting down", requeue=True) from None
                log.warning("enrich.retried", video_id=video_id, code=error_code_of(error), exc_info=error)
                if not self.leases.is_held(lease_id, owner):
                    raise Ignore("another worker has taken over this job") from error
                raise make_retry(task, self.leases, lease_id, _choose_wait_s(task, error)) from error
            self._release(task, lease_id, video_id)
            if record is not None and record.status == IndexStatus.WAITING:
                raise Ignore("the video was removed and submitted again; its index job sends a new enrich job")
            return describe_outcome(record, correlation_id)

    def _release(self, task: Task, lease_id: str, video_id: str) -> None:
        """Release the lease of a job that has ended. Raises `Retry` if it was requested again while it ran.

        The lease was still held at that time, so the request follows this job instead of a new one.
        """
        self.leases.release_job(lease_id)
        try:
            record = self.videos.get(video_id)
        except StoreUnavailableError as error:
            raise make_retry(task, self.leases, lease_id, RETRY_AFTER_S[-1]) from error
        if record is not None and record.status in FINDABLE and record.pending_senses:
            raise make_retry(task, self.leases, lease_id, 0)

    def _enrich(self, task: Task, video_id: str) -> VideoRecord | None:
        """Do what is left to do for a video, and return its record. Raises only what is worth a retry."""
        record = self.videos.get(video_id)
        with suppress(VideoRemovedError), self._make_work_dir(video_id) as folder:
            if record is not None and record.status in FINDABLE:
                self._recognize(task, record, folder)
        current = self.videos.get(video_id)
        if current is None:
            self.sources.delete(video_id)  # Those that were fetched again after the video was removed.
        return current

    def _recognize(self, task: Task, record: VideoRecord, folder: Path) -> None:
        """Recognize the pending senses of a video, then delete their sources. Raises `VideoRemovedError`."""
        with self.metrics.time_stages("enrich") as begin_stage:
            progress = self._make_progress_callback(task, record.video_id, begin_stage)
            sources = self._find_sources(task, record, folder, progress) if record.pending_senses else None
            if sources is not None:
                statuses = self.wanted_senses.choose_statuses(sources)
                for sense in record.pending_senses:
                    if statuses.get(sense) is SenseStatus.PENDING:
                        self._recognize_sense(task, record, sense, sources, folder, progress)
                    else:
                        self.videos.record_sense(record.video_id, sense, SenseStatus.OFF)
        current = self.videos.get(record.video_id)
        if current is not None and not current.pending_senses:
            self.sources.delete(record.video_id)
            self.videos.finish_enrichment(record.video_id)

    def _find_sources(
        self, task: Task, record: VideoRecord, folder: Path, progress: StageProgressCallback
    ) -> KeptSources | None:
        """Return the sources of a video, fetched again if they are not kept. None if that failed, which is recorded."""
        kept = self.sources.find(record.video_id)
        if kept is not None:
            return kept
        fetch_dir = folder / "fetch"
        fetch_dir.mkdir()
        try:
            return self.sources.keep(record.video_id, self.fetch_sources(record, fetch_dir, progress))
        except Exception as error:
            self._record_failure(task, record.video_id, record.pending_senses, error)
            return None
        finally:
            shutil.rmtree(fetch_dir, ignore_errors=True)

    def _recognize_sense(
        self,
        task: Task,
        record: VideoRecord,
        sense: Sense,
        sources: KeptSources,
        folder: Path,
        progress: StageProgressCallback,
    ) -> None:
        try:
            self._count_start(record.video_id)
            self.build_pipeline()(record, sense, sources, folder, progress)
        except Exception as error:
            self._record_failure(task, record.video_id, (sense,), error)

    def _count_start(self, video_id: str) -> None:
        """Record that the recognition of a sense starts. Raises `RepeatedCrashError` after too many starts."""
        if self.videos.count_start(video_id) > MAX_STARTS:
            raise RepeatedCrashError(f"{MAX_STARTS} processes ended without a trace")

    def _record_failure(self, task: Task, video_id: str, senses: Sequence[Sense], error: Exception) -> None:
        """Record that senses failed. Raises the error again if the job must stop, or is worth a retry."""
        if not self._is_final(task, error):
            with suppress(StoreUnavailableError):
                self.videos.forget_starts(video_id)
            raise error
        code, record = error_code_of(error), self.videos.get(video_id)
        log.warning("enrich.failed", video_id=video_id, senses=senses, code=code, exc_info=error)
        for sense in senses:
            # A copy of this job may have recognized it, and deleted the sources.
            if record is not None and sense in record.pending_senses:
                self.videos.record_sense(video_id, sense, SenseStatus.FAILED, code)

    def _is_final(self, task: Task, error: Exception) -> bool:
        """Return whether the job goes on without what failed: it need not stop, and the error is not worth a retry."""
        if self.stopping.is_set() or isinstance(error, VideoRemovedError | StoreUnavailableError | OSError):
            return False
        is_worth_retry = getattr(error, "transient", False) and task.request.retries < len(RETRY_AFTER_S)
        return error_code_of(error) is not ErrorCode.BUSY and not is_worth_retry

    def _make_progress_callback(
        self, task: Task, video_id: str, begin_stage: Callable[[str], None]
    ) -> StageProgressCallback:
        publisher = ProgressPublisher(task, INDEX_PROGRESS_EVERY_S)
        checked_at_s = time.monotonic()

        def report(stage: IndexStage, done: float) -> None:
            nonlocal checked_at_s
            if self.stopping.is_set():
                raise WorkerStoppingError
            if time.monotonic() - checked_at_s >= self.check_removed_every_s:
                checked_at_s = time.monotonic()
                self._check_not_removed(video_id)
            begin_stage(stage)
            publisher.publish_progress(IndexProgress(stage=stage, done=min(max(done, 0.0), 1.0)))

        return report

    def _check_not_removed(self, video_id: str) -> None:
        """Raise `VideoRemovedError` if the video was removed, also if it was submitted again since then."""
        record = self.videos.get(video_id)
        if record is None or record.status not in FINDABLE:
            raise VideoRemovedError

    @contextmanager
    def _make_work_dir(self, video_id: str) -> Iterator[Path]:
        """Yield a folder of this run alone, since a stalled copy may wake and go on in its own."""
        video_dir = enrich_work_dir(self.settings.data_dir, video_id)
        run_dir = video_dir / uuid.uuid4().hex
        try:
            run_dir.mkdir(parents=True)
            yield run_dir
        except OSError as error:
            raise store_error(error) from error
        finally:
            shutil.rmtree(run_dir, ignore_errors=True)
            with suppress(OSError):
                video_dir.rmdir()


def _choose_wait_s(task: Task, error: Exception) -> float:
    """Return how many seconds to wait before the retry after an error."""
    if error_code_of(error) is ErrorCode.BUSY:
        return MEMORY_RETRY_AFTER_S
    return RETRY_AFTER_S[min(task.request.retries, len(RETRY_AFTER_S) - 1)]
