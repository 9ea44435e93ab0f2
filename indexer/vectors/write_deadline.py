"""A time limit for the first write of a request, so that a request that was reported as failed changes nothing.

A request that has begun to write goes on, because half of its writes would be worse than all of them.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from indexer.errors import StoreUnavailableError

_deadline_s: ContextVar[float | None] = ContextVar("write_deadline_s", default=None)


@contextmanager
def first_write_before(deadline_s: float) -> Iterator[None]:
    """Let the first write of this thread in the block fail if it begins after `deadline_s` (Unix time)."""
    token = _deadline_s.set(deadline_s)
    try:
        yield
    finally:
        _deadline_s.reset(token)


def begin_write() -> None:
    """Begin a write. Raises `StoreUnavailableError` if it is the first of its request and comes too late."""
    deadline_s = _deadline_s.get()
    if deadline_s is not None and time.time() > deadline_s:
        raise StoreUnavailableError("the time limit of this request is over, and it was reported as failed")
    _deadline_s.set(None)
