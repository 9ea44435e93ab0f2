"""The port through which frontends reach the workers."""

from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from worker.protocol.base import Request, WireModel
from worker.protocol.updates import Update

A = TypeVar("A", bound=WireModel)


class Client(Protocol):
    """Sends requests and follows jobs. One instance serves a whole bot process."""

    async def call(self, request: Request[A]) -> A:
        """Return the request's answer. Raises `CallFailedError` with a code and a correlation id."""
        ...

    def follow(self, job_id: str) -> AsyncIterator[Update]:
        """Iterate over the job's updates from now on.

        The last is `Indexed`, `Joined`, `RetrainFinished` or `JobFailed`.
        """
        ...

    async def thumbnail(self, key: str) -> bytes:
        """Return a JPEG from the blob store. Raises `KeyError`."""
        ...
