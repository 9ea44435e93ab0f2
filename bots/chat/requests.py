"""Requests that outlive a bot: kept in Redis until they are answered, so that another process can take them over."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from pydantic import TypeAdapter
from redis.asyncio import Redis

from bots.chat.redis_calls import decode_text, fail_with_code, parse_stored, retry_until_available
from bots.commands.registry import COMMANDS
from worker.leases import AsyncRedisLeaseStore
from worker.ops.logs import current_correlation_id
from worker.protocol.base import Caller, CallFailedError
from worker.user_data import CHAT_REQUEST_TTL_S

LEASE_TTL_S: Final = 20.0
CORRELATION_ID_CHARS: Final = 8

log = structlog.get_logger()


def _make_id() -> str:
    """Return a unique id that begins with the correlation id of what is being done."""
    return (current_correlation_id() + uuid.uuid4().hex)[:32]


@dataclass(frozen=True)
class ChatRequest:
    """A user's request and the place of its answer: all that another process needs to answer it."""

    platform: str
    command: str
    args: Mapping[str, Any]
    caller: Caller
    locale: str | None
    place: Mapping[str, str]
    """The platform's own address of the answer: channel, token, message."""
    asked_at: float = field(default_factory=time.time)
    """Unix time."""
    id: str = field(default_factory=_make_id)

    @property
    def correlation_id(self) -> str:
        """The id that log lines, worker tasks and error messages of this request share, in every process."""
        return self.id[:CORRELATION_ID_CHARS]

    @property
    def has_no_recipient(self) -> bool:
        """Whether nothing can be shown, for example because the bot was removed."""
        command = COMMANDS.get(self.command)
        return command is not None and command.has_no_recipient(self.args)


CHAT_REQUEST: Final = TypeAdapter(ChatRequest)


class RequestTakenError(Exception):
    """Another process holds the lease of this request."""


class RequestQueue:
    """Unanswered requests of all bot processes, delivered at least once. One instance serves a whole process.

    A request belongs to the process that holds its lease. If that process dies, the lease expires and another process
    claims the request. Methods raise `CallFailedError` if Redis cannot be reached.
    """

    def __init__(self, redis: Redis, leases: AsyncRedisLeaseStore, lease_ttl_s: float) -> None:
        self._redis = redis
        self._leases = leases
        self._lease_ttl_s = lease_ttl_s
        self._owner = uuid.uuid4().hex
        self._tasks: dict[str, asyncio.Task[Any] | None] = {}
        """Requests that this process answers, each with its task once another process could take the request over."""
        self._acquired = asyncio.Event()

    @asynccontextmanager
    async def acquire(self, request: ChatRequest) -> AsyncIterator[None]:
        """Hold the request's lease for the block. Acknowledge the request on a normal exit, release it on an exception.

        Raises `RequestTakenError` if another process holds the lease.
        """
        self._tasks[request.id] = None
        try:
            if request.has_no_recipient:
                await retry_until_available(lambda: self._enqueue(request))
            else:
                await self._enqueue(request)
        except BaseException:
            del self._tasks[request.id]
            raise
        self._tasks[request.id] = asyncio.current_task()
        self._wake_waiters()
        renewal = asyncio.create_task(self._keep_lease(request.id))
        try:
            yield
        except BaseException:
            renewal.cancel()
            with suppress(CallFailedError):
                await asyncio.shield(self._release(request.id))
            del self._tasks[request.id]
            raise
        renewal.cancel()
        # An answered request must not be answered again.
        await retry_until_available(lambda: self._ack(request))
        del self._tasks[request.id]

    async def claim_stale(self, platform: str) -> list[ChatRequest]:
        """Take over the requests whose process died, oldest first. The caller must answer each of them (`acquire`)."""
        return [
            request
            for request in await self._load_pending(platform)
            if request.id not in self._tasks and await self._claim(request.id)
        ]

    def is_recoverable(self, task: asyncio.Task[Any]) -> bool:
        """Return whether `task` can be cancelled without loss: another process can answer its request."""
        return task in self._tasks.values()

    async def wait_until_recoverable(self, task: asyncio.Task[Any]) -> None:
        """Return once `task` can be cancelled without loss."""
        while not self.is_recoverable(task):
            await self._acquired.wait()

    def _wake_waiters(self) -> None:
        self._acquired.set()
        self._acquired.clear()

    @fail_with_code
    async def _enqueue(self, request: ChatRequest) -> None:
        if not await self._hold_lease(request.id):
            raise RequestTakenError(request.id)
        pipe = self._redis.pipeline(transaction=True)
        pipe.set(_request_key(request.id), CHAT_REQUEST.dump_json(request), ex=CHAT_REQUEST_TTL_S)
        pipe.sadd(_pending_key(request.platform), request.id)
        await pipe.execute()

    @fail_with_code
    async def _load_pending(self, platform: str) -> list[ChatRequest]:
        ids = [decode_text(raw) for raw in await self._redis.smembers(_pending_key(platform))]
        stored = await self._redis.mget([_request_key(id) for id in ids]) if ids else []
        requests = [parse_stored(CHAT_REQUEST, raw) if raw else None for raw in stored]
        if lost := [id for id, request in zip(ids, requests, strict=True) if request is None]:
            await self._redis.srem(_pending_key(platform), *lost)
        return sorted(filter(None, requests), key=lambda request: request.asked_at)

    @fail_with_code
    async def _ack(self, request: ChatRequest) -> None:
        pipe = self._redis.pipeline(transaction=True)
        pipe.srem(_pending_key(request.platform), request.id)
        pipe.delete(_request_key(request.id))
        await pipe.execute()
        await self._leases.release(_lease_name(request.id), self._owner)

    @fail_with_code
    async def _claim(self, id: str) -> bool:
        return await self._leases.acquire(_lease_name(id), self._owner, self._lease_ttl_s)

    @fail_with_code
    async def _release(self, id: str) -> None:
        await self._leases.release(_lease_name(id), self._owner)

    @fail_with_code
    async def _hold_lease(self, id: str) -> bool:
        """Acquire the lease, or renew it if this process holds it already. Returns False if another process does."""
        name = _lease_name(id)
        return await self._leases.acquire(name, self._owner, self._lease_ttl_s) or await self._leases.renew(
            name, self._owner, self._lease_ttl_s
        )

    async def _keep_lease(self, id: str) -> None:
        while True:
            await asyncio.sleep(self._lease_ttl_s / 3)
            with suppress(CallFailedError):
                if not await self._hold_lease(id):
                    log.warning("request.lease_lost", request=id)


def _lease_name(id: str) -> str:
    return f"request:{id}"


def _request_key(id: str) -> str:
    return f"reelseek:request:{id}"


def _pending_key(platform: str) -> str:
    return f"reelseek:requests:{platform}"
