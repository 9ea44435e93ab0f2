"""Publishing the progress of a job."""

import time

import structlog
from celery import Task
from celery.exceptions import BackendError
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from worker.protocol.updates import IndexProgress, RetrainProgress, Update

log = structlog.get_logger()


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
