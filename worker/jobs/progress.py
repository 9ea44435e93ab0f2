"""The run of a job: its leases, its progress, its retries, and the checks whether a retrain must stop."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from celery import Task
from celery.exceptions import BackendError, Ignore, Reject, Retry
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from indexer.errors import StoreUnavailableError
from indexer.store.generations import RetrainStore
from worker.job_leases import JobLeases
from worker.leases import LeasesUnavailableError
from worker.protocol.updates import IndexProgress, IndexStage, RetrainProgress, RetrainStage, Update

INDEX_PROGRESS_EVERY_S: Final = 0.5
RETRAIN_PROGRESS_EVERY_S: Final = 1.0
PAUSE_AFTER_ERROR_S: Final = 60.0
"""An attempt to publish without Redis can block as long as twenty training steps take."""
CHECK_CANCELLED_EVERY_S: Final = 5.0

log = structlog.get_logger()


class WorkerStoppingError(Exception):
    """The worker is shutting down; the job must go back to its queue."""


class CancelledByAdminError(Exception):
    """An admin cancelled the retrain."""


class ProgressPublisher:
    """Publishes updates as the state of a Celery task. The job goes on if the result backend is unavailable.

    Progress is throttled to one update per `every_s` seconds and stage. After an error, progress pauses for
    `pause_after_error_s` seconds, because an attempt can block as long as Celery retries.
    """

    def __init__(self, task: Task, every_s: float, pause_after_error_s: float = 0.0) -> None:
        self._task = task
        self._every_s = every_s
        self._pause_after_error_s = pause_after_error_s
        self._last_stage: str | None = None
        self._last_published_s = 0.0
        self._paused_until_s = 0.0

    def publish_progress(self, update: IndexProgress | RetrainProgress) -> None:
        """Publish an update if its stage is new, or if the last one is old enough."""
        now_s = time.monotonic()
        if now_s < self._paused_until_s:
            return
        if update.stage != self._last_stage or now_s - self._last_published_s >= self._every_s:
            self._last_stage = update.stage
            self._last_published_s = now_s
            self.publish(update)

    def publish(self, update: Update, state: str = "PROGRESS") -> None:
        """Publish an update at once, as the given Celery state."""
        try:
            self._task.update_state(state=state, meta=update.model_dump(mode="json"))
        except (RedisError, OperationalError, BackendError) as error:
            self._paused_until_s = time.monotonic() + self._pause_after_error_s
            log.warning("progress.not_published", error=error)


@contextmanager
def hold_or_ignore(leases: JobLeases, lease_id: str, owner: str) -> Iterator[None]:
    """Hold the leases of a running job for the block.

    Raises Celery's `Ignore` if another worker runs the job, and `Reject` to put the message back if Redis cannot be
    reached.
    """
    try:
        with leases.hold(lease_id, owner) as is_held:
            if not is_held:
                # Not `Reject`: Celery would record that as the job's failure, for all who follow the running copy.
                raise Ignore("a copy of this job is running")
            yield
    except LeasesUnavailableError as error:
        raise Reject(str(error), requeue=True) from error


def make_retry(task: Task, leases: JobLeases, lease_id: str, after_s: float) -> Retry | Ignore:
    """Return the exception to raise so that the job of a video runs again after `after_s` seconds."""
    leases.requeue(lease_id, after_s)
    ProgressPublisher(task, INDEX_PROGRESS_EVERY_S).publish(IndexProgress(stage=IndexStage.WAITING, done=0.0))
    try:
        return task.retry(countdown=after_s, throw=False)
    except Reject:
        return Ignore("the queue is unavailable; the record says that the video waits for its job")


class ProgressReporter:
    """Reports each step of a retrain, and stops the retrain if the worker shuts down or an admin cancels it."""

    def __init__(
        self,
        task: Task,
        retrains: RetrainStore,
        stopping: threading.Event,
        begin_stage: Callable[[str], None],
        check_cancelled_every_s: float = CHECK_CANCELLED_EVERY_S,
    ) -> None:
        self._publisher = ProgressPublisher(task, RETRAIN_PROGRESS_EVERY_S, PAUSE_AFTER_ERROR_S)
        self._retrains = retrains
        self._stopping = stopping
        self._begin_stage = begin_stage
        self._check_cancelled_every_s = check_cancelled_every_s
        self._checked_at_s = time.monotonic()
        self._is_cancelled = False

    def __call__(
        self,
        stage: RetrainStage,
        step: int = 0,
        steps: int = 0,
        loss: float | None = None,
        left_s: float | None = None,
    ) -> None:
        """Report a step. Raises `WorkerStoppingError` or `CancelledByAdminError` if the retrain must stop."""
        if self._stopping.is_set():
            raise WorkerStoppingError
        if self.is_cancelled():
            raise CancelledByAdminError
        self._begin_stage(stage)
        self._publisher.publish_progress(RetrainProgress(stage=stage, step=step, steps=steps, loss=loss, left_s=left_s))

    def begin_fetch(self) -> Callable[[int, int], None]:
        """Return a callback for a download that may follow, which reports its bytes as `FETCH`."""
        started_s = time.monotonic()

        def report(done: int, total: int) -> None:
            left_s = (time.monotonic() - started_s) / done * (total - done) if done else None
            self(RetrainStage.FETCH, done, total, left_s=left_s)

        return report

    def publish_outcome(self, update: Update) -> None:
        """Publish how the retrain ended."""
        self._publisher.publish(update, "SUCCESS")

    def must_stop(self) -> bool:
        """Return whether the worker is shutting down or an admin has cancelled the retrain."""
        return self._stopping.is_set() or self.is_cancelled()

    def is_cancelled(self) -> bool:
        """Return whether an admin has cancelled the retrain. The record is read every few seconds only."""
        now_s = time.monotonic()
        if not self._is_cancelled and now_s - self._checked_at_s >= self._check_cancelled_every_s:
            self._checked_at_s = now_s
            try:
                retrain = self._retrains.get_current()
            except StoreUnavailableError as error:
                log.warning("retrain.cancellation_check_failed", error=error)
                return False
            self._is_cancelled = retrain is None or retrain.cancelled
        return self._is_cancelled
