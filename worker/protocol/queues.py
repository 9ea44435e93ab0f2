"""Queues, tasks and headers by their names on the broker."""

from typing import Any, Final

from worker.protocol.base import Request

QUEUES: Final = ("search", "index", "enrich", "train")
SENT_AT: Final = "sent_at"
"""Header of every message: when it was sent (Unix time), for the metrics."""

INDEX_TASK: Final = "reelseek.index"
ENRICH_TASK: Final = "reelseek.job.enrich"
RETRAIN_TASK: Final = "reelseek.job.retrain"
LOOK_TASK: Final = "reelseek.job.look"
CATCH_UP_TASK: Final = "reelseek.job.catch_up"


def request_task(request: type[Request[Any]] | Request[Any]) -> str:
    """Return the name of the task that handles a request."""
    return f"reelseek.{request.task}"
