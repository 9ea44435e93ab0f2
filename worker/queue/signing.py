"""Only what this installation sent is done: each task is signed with its key, and carries the id of what it is part of.

Whoever can write to Redis could otherwise ask in anybody's name. What is signed is not secret.
"""

import hashlib
import time
from typing import Any, Final

from celery import Celery
from itsdangerous import BadData, TimedSerializer

from worker.ops.logs import current_correlation_id

CLOCKS_S: Final = 60.0
"""So much may the clocks of two machines differ."""


class ForgedTaskError(Exception):
    """A task that was not signed with the installation's key, or for another task, or too long ago."""


class Signing:
    """Seals the bodies of tasks, and opens them."""

    def __init__(self, key: str) -> None:
        self._key = key

    def seal(self, task: str, current_correlation_id: str, body: object) -> str:
        """`body` is what JSON can hold."""
        sealed = self._serializer(task).dumps([current_correlation_id, body])
        return sealed if isinstance(sealed, str) else sealed.decode()

    def open(self, task: str, sealed: object, max_age_s: float) -> tuple[str, Any]:
        """The id and the body that were sealed for this very task. Raises `ForgedTaskError`."""
        if not isinstance(sealed, str):
            raise ForgedTaskError("not signed")
        try:
            (current_correlation_id, body), signed_at = self._serializer(task).loads(sealed, return_timestamp=True)
        except BadData as error:
            # Its words could hold what was signed.
            raise ForgedTaskError(type(error).__name__) from None
        # Not the library's own limit: it refuses what a clock that is ahead has signed.
        age_s = time.time() - signed_at.timestamp()
        if age_s > max_age_s + CLOCKS_S:
            raise ForgedTaskError(f"signed {age_s:.0f} s ago")
        return current_correlation_id, body

    def _serializer(self, task: str) -> TimedSerializer[str]:
        """The task's name goes into the key: what is sealed for one task is worth nothing for another."""
        return TimedSerializer(
            self._key, salt=task, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )


def send(app: Celery, task: str, body: object = None, **options: Any) -> None:
    """Sends a signed task; `options` are Celery's."""
    sealed = app.conf.signing.seal(task, current_correlation_id(), body)
    # Celery would put its own copy of what is said here into the message's headers.
    app.send_task(task, [sealed], argsrepr="(signed)", **options)
