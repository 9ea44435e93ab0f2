"""The index job: it makes one submitted video searchable. It is idempotent; a copy of it changes nothing."""

import shutil
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from celery import Task
from celery.exceptions import Ignore, Reject

from indexer.blobs import BlobStore, video_prefix
from indexer.errors import OtherAddressError, StoreUnavailableError, store_error
from indexer.ingest.ingest import IngestPipeline
from indexer.ingest.reembed import reembed_video
from indexer.link.canonical import canonicalize
from indexer.senses import Sense, SenseStatus
from indexer.stages import IndexStage
from indexer.store.records import IndexStatus, VideoRecord
from indexer.store.stores import Stores
from worker.job_leases import JobLeases
from worker.jobs.cleanup import VideoRemoval
from worker.jobs.enrich_queue import EnrichQueue
from worker.jobs.index_queue import IndexQueue
from worker.jobs.progress import (
    INDEX_PROGRESS_EVERY_S,
    ProgressPublisher,
    WorkerStoppingError,
    hold_or_ignore,
    make_retry,
)
from worker.jobs.work_dirs import video_work_dir
from worker.models.cache import ModelCache
from worker.ops.metrics import Metrics
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.updates import Indexed, IndexOutcome, IndexProgress, JobFailed, Joined, Update
from worker.queue.errors import QueueUnavailableError
from worker.settings import Settings

RETRY_AFTER_S = (3, 20)
"""The waits before the retries after a transient error; there is one retry for each."""
MEMORY_RETRY_AFTER_S = 60
"""The wait before later retries if memory has run out, which the video does not cause: it is retried until it fits."""

log = structlog.get_logger()


@dataclass(frozen=True)
class IndexJob:
    """Runs index jobs. `build_pipeline` makes the pipeline of one run, from the fetch to the stored moments."""

    settings: Settings
    stores: Stores
    blobs: BlobStore
    models: ModelCache
    metrics: Metrics
    leases: JobLeases
    queue: IndexQueue
    enrich_queue: EnrichQueue
    removal: VideoRemoval
    stopping: threading.Event
    build_pipeline: Callable[[], IngestPipeline]

    def __call__(self, task: Task, video_id: str, correlation_id: str) -> Update:
        """Index a video, unless another worker does or it is done, and return how that ended.

        Raises Celery's `Ignore` if there is nothing to report, `Retry` after a transient error, and `Reject` to put
        the message back if the worker is shutting down or Redis cannot be reached.
        """
        owner = uuid.uuid4().hex
        with hold_or_ignore(self.leases, video_id, owner):
            try:
                record = self._index(task, video_id)
            except Exception as error:
                if self.stopping.is_set():  # A child process that was killed by the shutdown can fail in any way.
                    self.leases.requeue(video_id)
                    log.info("index.requeued", video_id=video_id)
                    raise Reject("shutting down", requeue=True) from None
                return self._handle_error(task, video_id, error, correlation_id, owner)
            self._release(task, video_id)
            if isinstance(record, Joined):
                return record
            self._enqueue_enrichment(record)
            return describe_outcome(record, correlation_id)

    def _index(self, task: Task, video_id: str) -> VideoRecord | Joined | None:
        """Do what is left to do for a video. Raises `IndexerError`, `WorkerStoppingError`."""
        record = self.stores.videos.get(video_id)
        if record is None and (joined := find_joined(self.stores, video_id)):
            return joined
        if record is None or record.status != IndexStatus.WAITING:
            # A copy of a job whose worker was killed after its last write.
            shutil.rmtree(video_work_dir(self.settings.data_dir, video_id), ignore_errors=True)
        else:
            waiting = record
            try:
                record = self._ingest(waiting, self._make_progress_callback(task))
            except OtherAddressError as error:
                return self._join(waiting, error.url)
        for space in self.queue.spaces_missing_video(video_id):
            self._embed_for_space(space, video_id)
        return record

    def _join(self, record: VideoRecord, url: str) -> VideoRecord | Joined:
        """Join a video to the one at `url`. Returns its record if a space has submitted it again meanwhile."""
        log.info("index.joined", video_id=record.video_id, link=url)
        link = canonicalize(url)
        for submission in self.stores.joins.join(record, link):
            self.removal.undo_late_submission(submission)
            target = self.stores.videos.get(submission.video_id)
            if target is not None and self.queue.needs_job(target, submission.space):
                self.queue.enqueue(target.video_id)
        return self.stores.videos.get(record.video_id) or find_joined(self.stores, record.video_id) or Joined(link=url)

    def _ingest(self, record: VideoRecord, progress: Callable[[IndexStage, float], None]) -> VideoRecord | None:
        """Run the pipeline in a folder of this run alone, since a stalled copy may wake and go on in its own.

        Raises `IndexerError`, also if the work folder cannot be written.
        """
        video_dir = video_work_dir(self.settings.data_dir, record.video_id)
        shutil.rmtree(video_dir, ignore_errors=True)
        run_dir = video_dir / uuid.uuid4().hex
        try:
            run_dir.mkdir(parents=True)
            with self.metrics.time_stages("index") as begin_stage:

                def report(stage: IndexStage, done: float) -> None:
                    begin_stage(stage)
                    progress(stage, done)

                return self.build_pipeline()(record, run_dir, report)
        except OSError as error:
            raise store_error(error) from error
        finally:
            shutil.rmtree(run_dir, ignore_errors=True)
            with suppress(OSError):
                video_dir.rmdir()

    def _enqueue_enrichment(self, record: VideoRecord | None) -> None:
        """Send the enrich job of an indexed video. If that fails, `EnrichQueue.requeue_lost_jobs` sends it."""
        if record is None or not record.pending_senses:
            return
        try:
            self.enrich_queue.enqueue(record.video_id)
        except QueueUnavailableError as error:
            log.warning("index.enrichment_not_queued", video_id=record.video_id, error=error)

    def _embed_for_space(self, space: str, video_id: str) -> None:
        """Embed a video with a space's own model.

        If that model fails, the job does not: other spaces find the video, and `requeue_lost_jobs` tries again.
        """
        try:
            stores = self.stores
            reembed_video(stores.moments, stores.reembedding, self.blobs, self.models.get_current(space), video_id)
        except StoreUnavailableError:
            raise
        except Exception:
            log.exception("index.space_model_failed", video_id=video_id, space=space)

    def _make_progress_callback(self, task: Task) -> Callable[[IndexStage, float], None]:
        publisher = ProgressPublisher(task, INDEX_PROGRESS_EVERY_S)

        def report(stage: IndexStage, done: float) -> None:
            if self.stopping.is_set():
                raise WorkerStoppingError
            publisher.publish_progress(IndexProgress(stage=stage, done=min(max(done, 0.0), 1.0)))

        return report

    def _handle_error(
        self, task: Task, video_id: str, error: Exception, correlation_id: str, owner: str
    ) -> Indexed | JobFailed:
        """Retry after a transient error, later each time; record any other failure, and only then report it."""
        attempt, code = task.request.retries, error_code_of(error)
        log.warning("index.failed", video_id=video_id, code=code, attempt=attempt, exc_info=error)
        if not self.leases.is_held(video_id, owner):
            raise Ignore("another worker has taken over this job")
        if getattr(error, "transient", False) and attempt < len(RETRY_AFTER_S):
            raise make_retry(task, self.leases, video_id, RETRY_AFTER_S[attempt])
        if code is ErrorCode.BUSY:
            raise make_retry(task, self.leases, video_id, MEMORY_RETRY_AFTER_S)
        try:
            record = self.stores.videos.get(video_id)
            if record is not None and record.status != IndexStatus.WAITING:
                # Another worker finished the job while this one was stalled.
                return describe_outcome(record, correlation_id)
            self.blobs.delete_prefix(video_prefix(video_id))
            self.stores.publisher.record_failure(video_id, code)
        except StoreUnavailableError as unavailable:
            raise make_retry(task, self.leases, video_id, RETRY_AFTER_S[-1]) from unavailable
        self._release(task, video_id)
        return JobFailed(code=code, correlation_id=correlation_id)

    def _release(self, task: Task, video_id: str) -> None:
        """Release the lease of a job that has ended. Raises `Retry` if the video waits for another run.

        It may have been removed and submitted again while the job ran, or submitted again after its failure was
        recorded. The lease was still held at that time, so the submission follows this job instead of a
        new one.
        """
        self.leases.release_job(video_id)
        try:
            record = self.stores.videos.get(video_id)
        except StoreUnavailableError as error:
            raise make_retry(task, self.leases, video_id, RETRY_AFTER_S[-1]) from error
        if record is not None and record.status == IndexStatus.WAITING:
            raise make_retry(task, self.leases, video_id, 0)


def find_joined(stores: Stores, video_id: str) -> Joined | None:
    """Return what a video was joined to, or None if it was not."""
    target_id = stores.submissions.aliases.resolve(video_id)
    target = stores.videos.get(target_id) if target_id != video_id else None
    return Joined(link=target.link) if target else None


def describe_outcome(record: VideoRecord | None, correlation_id: str) -> Indexed | JobFailed:
    """Describe how a video's index job ended according to its record."""
    if record is None or record.status == IndexStatus.FAILED:
        code = ErrorCode(record.code) if record and record.code else ErrorCode.NOT_IN_LIBRARY
        return JobFailed(code=code, correlation_id=correlation_id)
    return describe_indexed(record)


def describe_indexed(record: VideoRecord) -> Indexed:
    """Describe a video that was indexed."""
    return Indexed(
        link=record.link,
        title=record.title,
        status=IndexOutcome.WORDS_ONLY if record.status == IndexStatus.WORDS_ONLY else IndexOutcome.INDEXED,
        code=ErrorCode(record.code) if record.code else None,
        moments=record.moments,
        is_first_of_several=record.is_first_of_several,
        enrich_job=EnrichQueue.job_id(record.video_id) if record.pending_senses else None,
        failed_senses=list_failed_senses(record),
    )


def list_failed_senses(record: VideoRecord) -> dict[Sense, ErrorCode]:
    """Return the senses of a video that could not be recognized, each with the error."""
    failed = [sense for sense, status in record.senses.items() if status is SenseStatus.FAILED]
    return {sense: ErrorCode(record.sense_codes.get(sense, ErrorCode.INTERNAL)) for sense in failed}
