"""The index job: one for each waiting video, made again from the store's record when its worker died."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from celery import Task
from celery.exceptions import Reject

from indexer.errors import IndexerError
from indexer.records import VideoRecord
from worker.codes import Code, code_of
from worker.compose import Parts, work_folder
from worker.messages import Failed, Indexed, Progress, Update

log = structlog.get_logger()

RETRY_AFTER_S = (3, 20)
PROGRESS_EVERY_S = 0.5
RESUME_EVERY_S = 30.0
TASK = "reelseek.index"


class Stopping(Exception):
    """The worker is being shut down: the job goes back to its queue."""


def job_id(video_id: str) -> str:
    """One video has one job, so whoever submits it follows the same one."""
    return f"index-{video_id}"


def send_index(parts: Parts, video_id: str) -> str:
    """Makes the job of a waiting video unless it has one already. Returns its id."""
    job = job_id(video_id)
    if parts.claims.queue(video_id):
        try:
            parts.app.AsyncResult(job).forget()
            parts.app.send_task(TASK, [video_id], task_id=job, queue="index")
        except BaseException:
            # Nothing was queued, so the next to ask may try.
            parts.claims.done(video_id)
            raise
    return job


def resume(parts: Parts) -> None:
    """Makes the jobs of all videos that the record says are waiting; those that have one keep it."""
    for record in parts.library.waiting():
        send_index(parts, record.video_id)


@contextmanager
def resuming(
    parts: Parts, rounds: Sequence[Callable[[Parts], None]], every_s: float = RESUME_EVERY_S
) -> Iterator[None]:
    """Makes the `rounds` at once and again and again: a killed worker's job is taken up by whichever is left."""
    ended = threading.Event()

    def loop() -> None:
        while True:
            for each in rounds:
                try:
                    each(parts)
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


def index(parts: Parts, task: Task, video_id: str, incident: str) -> Update:
    """Works on one video unless somebody else does, or nothing is left to do."""
    with parts.claims.running(video_id, incident) as mine:
        if not mine:
            raise Reject("a copy of this job is running")
        record = parts.library.video(video_id)
        try:
            if record is not None and record.status == "waiting":
                record = _ingest(parts, record, _reporter(parts, task))
        except Stopping as stop:
            parts.claims.requeue(video_id)
            raise Reject("shutting down", requeue=True) from stop
        except Exception as error:
            return _failed(parts, task, video_id, error, incident)
        parts.claims.done(video_id)
        return _indexed(record) if record else Failed(code=Code.NOT_IN_LIBRARY, incident=incident)


def _ingest(parts: Parts, record: VideoRecord, progress: Callable[[str, float], None]) -> VideoRecord | None:
    folder = work_folder(parts.settings, record.video_id)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return parts.ingest()(record, folder, progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reporter(parts: Parts, task: Task) -> Callable[[str, float], None]:
    """Publishes progress, not more often than a person can read it."""
    last = ("", 0.0)

    def report(stage: str, done: float) -> None:
        nonlocal last
        if parts.stopping.is_set():
            raise Stopping
        now_s = time.monotonic()
        if stage != last[0] or now_s - last[1] >= PROGRESS_EVERY_S:
            last = (stage, now_s)
            _publish(task, stage, done)

    return report


def _publish(task: Task, stage: Any, done: float) -> None:
    update = Progress(stage=stage, done=min(max(done, 0.0), 1.0))
    task.update_state(state="PROGRESS", meta=update.model_dump(mode="json"))


def _failed(parts: Parts, task: Task, video_id: str, error: Exception, incident: str) -> Failed:
    """Transient faults are tried again, later each time; the others are recorded."""
    attempt, code = task.request.retries, code_of(error)
    log.warning("index.failed", video_id=video_id, code=code, attempt=attempt, exc_info=error)
    if isinstance(error, IndexerError) and error.transient and attempt < len(RETRY_AFTER_S):
        parts.claims.requeue(video_id)
        _publish(task, "waiting", 0.0)
        raise task.retry(exc=error, countdown=RETRY_AFTER_S[attempt])
    parts.library.fail(video_id, code)
    parts.claims.done(video_id)
    return Failed(code=code, incident=incident)


def _indexed(record: VideoRecord) -> Indexed:
    return Indexed(
        link=record.link,
        title=record.title,
        status="words_only" if record.status == "words_only" else "indexed",
        code=Code(record.code) if record.code else None,
        moments=record.moments,
    )
