"""Signatures of tasks (HMAC-SHA256). A worker runs only what this installation has sent.

Without them, anyone who can write to Redis could send requests in the name of any user. The content is signed, not
encrypted.
"""

import hashlib
import time
from typing import Any, Final

from celery import Celery
from itsdangerous import BadData, TimedSerializer

from worker.ops.logs import current_correlation_id
from worker.queue.errors import translate_queue_errors

MAX_CLOCK_SKEW_S: Final = 60.0
"""Largest difference between the clocks of two machines."""


class ForgedTaskError(Exception):
    """The task was not signed with the installation's key, was signed as another task, or is too old."""


class TaskSigner:
    """Signs and verifies the bodies of tasks. The correlation id is signed with each body."""

    def __init__(self, key: str) -> None:
        self._key = key

    def sign(self, task: str, correlation_id: str, body: object) -> str:
        """Sign a JSON-serializable body for the task with this name."""
        signed = self._make_serializer(task).dumps([correlation_id, body])
        return signed if isinstance(signed, str) else signed.decode()

    def verify(self, task: str, signed: object, max_age_s: float) -> tuple[str, Any]:
        """Return the correlation id and the body that were signed for this task. Raises `ForgedTaskError`."""
        if not isinstance(signed, str):
            raise ForgedTaskError("not signed")
        try:
            (correlation_id, body), signed_at = self._make_serializer(task).loads(signed, return_timestamp=True)
        except BadData as error:
            # The error's message may contain what was signed.
            raise ForgedTaskError(type(error).__name__) from None
        # The library's own `max_age` refuses what was signed by a clock that is ahead.
        age_s = time.time() - signed_at.timestamp()
        if age_s > max_age_s + MAX_CLOCK_SKEW_S:
            raise ForgedTaskError(f"signed {age_s:.0f} s ago")
        return correlation_id, body

    def _make_serializer(self, task: str) -> TimedSerializer[str]:
        """Make a serializer whose key includes the task's name, so that a signature is valid for one task only."""
        return TimedSerializer(
            self._key, salt=task, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )


def send_signed(app: Celery, task: str, body: object = None, **options: Any) -> None:
    """Send a signed task; `options` are Celery's. Raises `QueueUnavailableError`."""
    signed = app.conf.signer.sign(task, current_correlation_id(), body)
    with translate_queue_errors():
        # Without `argsrepr`, Celery copies the arguments into the message's headers.
        app.send_task(task, [signed], argsrepr="(signed)", **options)
