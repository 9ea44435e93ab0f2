"""What a frontend needs of the workers, whichever way they are reached."""

from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from worker.protocol.messages import Request, Update, WireModel

A = TypeVar("A", bound=WireModel)


class Client(Protocol):
    """Sends requests and follows jobs. One instance serves a whole bot process."""

    async def call(self, request: Request[A]) -> A:
        """The request's answer. Raises `CallFailed` with a code and an incident."""
        ...

    def follow(self, job_id: str) -> AsyncIterator[Update]:
        """The job's updates from now on; the last is `Indexed`, `Learned` or `Failed`."""
        ...

    async def thumbnail(self, key: str) -> bytes:
        """A JPEG from the blob store. Raises `KeyError`."""
        ...
