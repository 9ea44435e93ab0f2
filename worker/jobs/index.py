"""The index job: one for each waiting video, made again from the store's record when its worker died."""

import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from celery import Task
from celery.exceptions import BackendError, Ignore, Reject, Retry
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from indexer.errors import IndexerError, StoreUnavailableError
from indexer.ingest.reembed import reembed_video
from indexer.store.blobs import video_prefix
from indexer.store.records import VideoRecord
from worker.leases import LeasesUnavailableError
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.messages import Indexed, IndexProgress, JobFailed, Update
from worker.queue.app import waiting
from worker.queue.signing import send
from worker.services import Services, work_folder

log = structlog.get_logger()

RETRY_AFTER_S = (3, 20)
PROGRESS_EVERY_S = 0.5
RESUME_EVERY_S = 30.0
TASK = "reelseek.index"


class WorkerStoppingError(Exception):
    """The worker is being shut down: the job goes back to its queue."""


def job_id(video_id: str) -> str:
    """One video has one job, so whoever submits it follows the same one."""
    return f"index-{video_id}"


def send_index(services: Services, video_id: str) -> str:
    """Makes the job of a waiting video unless it has one already. Returns its id."""
    job = job_id(video_id)
    if services.leases.queue(video_id):
        try:
            services.app.AsyncResult(job).forget()
            send(services.app, TASK, video_id, task_id=job, queue="index")
        except BaseException:
            # Nothing was queued, so the next to ask may try.
            services.leases.done(video_id)
            raise
        services.leases.queued(video_id)
    return job


def resume(services: Services) -> None:
    """Makes the jobs of all videos that wait, or that a space's own generation lacks; those that have one keep it.

    Where no message waits, a queued job's was taken by a worker that died with it, or is about to run: then its copy
    does nothing. Embedded, a message dies with its process.
    """
    anew = services.settings.redis_url is not None and not waiting(services.app, "index")
    for record in services.library.waiting():
        _resume(services, record.video_id, anew)
    if services.settings.adapter_scope == "space":
        for generation in services.library.own_generations():
            for video_id in services.library.missing(generation):
                _resume(services, video_id, anew)


def send_missing(services: Services, generation: str) -> None:
    """Makes the jobs of the videos that a generation lacks."""
    for video_id in services.library.missing(generation):
        send_index(services, video_id)


def _resume(services: Services, video_id: str, anew: bool) -> None:
    if anew:
        services.leases.lost(video_id)
    send_index(services, video_id)


def lacking(services: Services, video_id: str) -> list[str]:
    """Spaces whose own generation still lacks a video that they may find."""
    return services.library.lacking(video_id) if services.settings.adapter_scope == "space" else []


@contextmanager
def resuming(
    services: Services, rounds: Sequence[Callable[[Services], None]], every_s: float = RESUME_EVERY_S
) -> Iterator[None]:
    """Makes the `rounds` at once and again and again: a killed worker's job is taken up by whichever is left."""
    ended = threading.Event()

    def loop() -> None:
        while True:
            for each in rounds:
                try:
                    each(services)
                except Exception:
                    log.exception("resume.failed")
            if ended.wait(every_s):
                return

    thread = threading.Thread(target=loop, name="resume")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def index(services: Services, task: Task, video_id: str, correlation_id: str) -> Update:
    """Works on one video unless somebody else does, or nothing is left to do."""
    try:
        return _index(services, task, video_id, correlation_id)
    except LeasesUnavailableError as away:
        raise Reject(str(away), requeue=True) from away


def _index(services: Services, task: Task, video_id: str, correlation_id: str) -> Update:
    owner = uuid.uuid4().hex
    with services.leases.running(video_id, owner) as mine:
        if not mine:
            # Not `Reject`: Celery would record that as this job's failure, for all who follow the copy that runs.
            raise Ignore("a copy of this job is running")
        try:
            record = services.library.video(video_id)
            if record is None or record.status != "waiting":
                # A copy of a job whose worker was killed when all was done but this.
                shutil.rmtree(work_folder(services.settings, video_id), ignore_errors=True)
            else:
                record = _ingest(services, record, _reporter(services, task))
            for space in lacking(services, video_id):
                _embed_own(services, space, video_id)
        except Exception as error:
            if services.stopping.is_set():  # a child that was killed for it may fail in any way
                services.leases.requeue(video_id)
                log.info("index.given_back", video_id=video_id)
                raise Reject("shutting down", requeue=True) from None
            return _failed(services, task, video_id, error, correlation_id, owner)
        if record is not None and record.status == "waiting":
            # Nobody wanted it any more, and then somebody did.
            raise _again(services, task, video_id, 0)
        services.leases.done(video_id)
        return outcome(record, correlation_id)


def _ingest(services: Services, record: VideoRecord, progress: Callable[[str, float], None]) -> VideoRecord | None:
    """Raises `IndexerError`. The folder is this run's own: one that stood still may wake and go on in its own."""
    of_video = work_folder(services.settings, record.video_id)
    shutil.rmtree(of_video, ignore_errors=True)
    folder = of_video / uuid.uuid4().hex
    try:
        folder.mkdir(parents=True)
        with services.metrics.stages("index") as begin:

            def heard(stage: str, done: float) -> None:
                begin(stage)
                progress(stage, done)

            return services.ingest()(record, folder, heard)
    except OSError as error:
        raise StoreUnavailableError(f"the work folder: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            of_video.rmdir()


def _embed_own(services: Services, space: str, video_id: str) -> None:
    """What is wrong with one space's model is no fault of the video: others find it, and a later round tries again."""
    try:
        reembed_video(services.library, services.blobs, services.models.current(space), video_id)
    except StoreUnavailableError:
        raise
    except Exception:
        log.exception("index.own_failed", video_id=video_id, space=space)


def _reporter(services: Services, task: Task) -> Callable[[str, float], None]:
    """Publishes progress, not more often than a person can read it."""
    last = ("", 0.0)

    def report(stage: str, done: float) -> None:
        nonlocal last
        if services.stopping.is_set():
            raise WorkerStoppingError
        now_s = time.monotonic()
        if stage != last[0] or now_s - last[1] >= PROGRESS_EVERY_S:
            last = (stage, now_s)
            _publish(task, stage, done)

    return report


def _publish(task: Task, stage: Any, done: float) -> None:
    update = IndexProgress(stage=stage, done=min(max(done, 0.0), 1.0))
    try:
        task.update_state(state="PROGRESS", meta=update.model_dump(mode="json"))
    except (RedisError, OperationalError, BackendError) as error:
        # The job goes on without an audience.
        log.warning("progress.not_told", error=error)


def _failed(
    services: Services, task: Task, video_id: str, error: Exception, correlation_id: str, owner: str
) -> Indexed | JobFailed:
    """Transient faults are tried again, later each time; the others are told, once they are on record."""
    attempt, code = task.request.retries, error_code_of(error)
    log.warning("index.failed", video_id=video_id, code=code, attempt=attempt, exc_info=error)
    if not services.leases.held(video_id, owner):
        raise Ignore("another worker has taken this job over")
    if isinstance(error, IndexerError) and error.transient and attempt < len(RETRY_AFTER_S):
        raise _again(services, task, video_id, RETRY_AFTER_S[attempt])
    try:
        record = services.library.video(video_id)
        if record is not None and record.status != "waiting":
            # Another worker has ended this job while this one stood still.
            return outcome(record, correlation_id)
        services.blobs.delete_prefix(video_prefix(video_id))
        services.library.fail(video_id, code)
    except StoreUnavailableError as away:
        raise _again(services, task, video_id, RETRY_AFTER_S[-1]) from away
    services.leases.done(video_id)
    return JobFailed(code=code, correlation_id=correlation_id)


def _again(services: Services, task: Task, video_id: str, after_s: float) -> Retry | Ignore:
    """What to raise so that the job runs again."""
    services.leases.requeue(video_id, after_s)
    _publish(task, "waiting", 0.0)
    try:
        return task.retry(countdown=after_s, throw=False)
    except Reject:
        return Ignore("the queue is away; the record knows that the video waits")


def outcome(record: VideoRecord | None, correlation_id: str) -> Indexed | JobFailed:
    """How a video's job ended, as the record has it."""
    if record is None or record.status == "failed":
        code = ErrorCode(record.code) if record and record.code else ErrorCode.NOT_IN_LIBRARY
        return JobFailed(code=code, correlation_id=correlation_id)
    return Indexed(
        link=record.link,
        title=record.title,
        status="words_only" if record.status == "words_only" else "indexed",
        code=ErrorCode(record.code) if record.code else None,
        moments=record.moments,
    )
