"""A Celery task as a job sees it."""

from types import SimpleNamespace
from typing import Any

from celery.exceptions import Retry


class RecordingTask:
    """Records the progress that a job publishes. `attempt` counts the retries before this run."""

    def __init__(self, attempt: int = 0) -> None:
        self.request = SimpleNamespace(retries=attempt)
        self.progress: list[dict[str, Any]] = []

    def update_state(self, state: str, meta: dict[str, Any]) -> None:
        if state == "PROGRESS":
            self.progress.append(meta)

    def retry(self, countdown: float, throw: bool) -> Retry:
        return Retry(when=countdown)
