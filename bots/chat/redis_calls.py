"""Shared parts of the Redis stores: one error, retries with backoff, and parsing of stored values."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Final, ParamSpec, TypeVar

import stamina
import structlog
from pydantic import TypeAdapter, ValidationError
from redis.exceptions import RedisError

from worker.leases import LeasesUnavailableError
from worker.ops.logs import current_correlation_id
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode

P = ParamSpec("P")
T = TypeVar("T")

RETRY_WAIT_S: Final = 0.5
MAX_RETRY_WAIT_S: Final = 10.0

log = structlog.get_logger()


def fail_with_code(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Decorate a method so that it raises `CallFailedError` with `QUEUE_UNAVAILABLE` if Redis cannot be reached."""

    @functools.wraps(method)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            result = await method(*args, **kwargs)
        except (RedisError, LeasesUnavailableError) as error:
            _raise_if_cancelled()
            failure = CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, current_correlation_id())
            log.warning("chat_store.unavailable", correlation_id=failure.correlation_id, error=error)
            raise failure from error
        _raise_if_cancelled()
        return result

    return call


def _raise_if_cancelled() -> None:
    """Raise a cancellation that redis-py swallowed: it retries, or raises an error of its own, if it is cancelled."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def retry_until_available(call: Callable[[], Awaitable[T]]) -> T:
    """Retry with exponential backoff until Redis can be reached. For work that has no user to report a failure to."""
    retries = stamina.retry_context(
        CallFailedError,
        attempts=None,
        timeout=None,
        wait_initial=RETRY_WAIT_S,
        wait_max=MAX_RETRY_WAIT_S,
        wait_jitter=RETRY_WAIT_S,
    )
    async for attempt in retries:
        with attempt:
            return await call()
    raise AssertionError("retries without a limit ended")


def parse_stored(adapter: TypeAdapter[T], raw: bytes | str) -> T | None:
    """Parse a stored value. Returns None if another version of Reelseek wrote it in a form that this one lacks."""
    try:
        return adapter.validate_json(raw)
    except ValidationError as error:
        log.warning("stored_value.unreadable", adapter=str(adapter), errors=error.error_count())
        return None


def decode_text(raw: bytes | str) -> str:
    """Return a stored text. redis-py returns bytes or str, depending on how the client was made."""
    return raw if isinstance(raw, str) else raw.decode()
