"""What chat frontends must not lose when they restart, in Redis: shown results, unanswered errands, limits.

Every method raises `CallFailedError` where Redis can't be reached.
"""

import asyncio
import functools
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, ParamSpec, TypeVar

import structlog
from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pydantic import TypeAdapter, ValidationError
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from bots.commands.replies import Results
from worker import user_data
from worker.ops.logs import current_correlation_id
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller, CallFailedError, SpaceSettings
from worker.user_data import KEEP_ERRAND_S

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()

KEEP_SHOWN_S: Final = 30 * 86400.0
KEEP_SEEN_S: Final = 3600
KEEP_SETTINGS_S: Final = 3600
LEASE_S: Final = 20.0
CONNECTIONS: Final = 32


@dataclass(frozen=True)
class StoredResults:
    """Results that a person was shown, and in which room: their buttons act on them later."""

    private_channel: str
    results: Results


@dataclass(frozen=True)
class ChatRequest:
    """What a person asked for and where the answer goes: enough for another process to answer in this one's place."""

    platform: str
    command: str
    args: Mapping[str, Any]
    caller: Caller
    locale: str
    place: Mapping[str, str]
    """The platform's own: channel, token, message."""
    at: float = field(default_factory=time.time)
    """When it was asked, in seconds since 1970."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def correlation_id(self) -> str:
        """The one id of all that is done for it, whichever process does it."""
        return self.id[:8]

    @property
    def unseen(self) -> bool:
        """Whether nobody is there to be told: the bot was removed, or a message with links was deleted."""
        return self.command == "leave" or (self.command == "watch" and not self.args["links"])


STORED_RESULTS: Final = TypeAdapter(StoredResults)
CHAT_REQUEST: Final = TypeAdapter(ChatRequest)


def _guarded(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    @functools.wraps(method)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            answer = await method(*args, **kwargs)
        except RedisError as error:
            _heed_cancelling()
            failure = CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, current_correlation_id())
            log.warning("desk.failed", correlation_id=failure.correlation_id, error=error)
            raise failure from error
        _heed_cancelling()
        return answer

    return run


def _heed_cancelling() -> None:
    """redis-py, cancelled while it connects, tries again or fails with an error of its own instead."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class ChatStore:
    """One serves a whole bot process."""

    def __init__(
        self,
        redis: Redis,
        limiter: MovingWindowRateLimiter,
        person_rate: str,
        space_rate: str,
        keep_shown_s: float = KEEP_SHOWN_S,
        lease_s: float = LEASE_S,
    ) -> None:
        self._redis = redis
        self._limiter = limiter
        self._person_rate, self._space_rate = parse(person_rate), parse(space_rate)
        self._keep_shown_s, self._lease_s = keep_shown_s, lease_s
        self._mine: dict[str, asyncio.Task[Any] | None] = {}
        """Errands in work here, and the task that does each, once another process would do it instead."""

    # ---- results and their buttons ----

    @_guarded
    async def keep(self, caller: Caller, results: Results) -> str:
        """The token under which results are found again from the asker's space, until the asker is forgotten."""
        token = user_data.mark(caller.user_id) + secrets.token_urlsafe(9)
        body = STORED_RESULTS.dump_json(StoredResults(caller.private_channel, results))
        await self._redis.set(_shown(caller.space, token), body, px=int(1000 * self._keep_shown_s))
        return token

    @_guarded
    async def shown(self, space: str, token: str) -> StoredResults | None:
        raw = await self._redis.get(_shown(space, token))
        return _read(STORED_RESULTS, raw) if raw else None

    # ---- limits and repetitions ----

    @_guarded
    async def wait_s(self, caller: Caller, cost: int = 1) -> float:
        """0: go on. Otherwise how long the asker, or the whole space, must wait."""
        user_id, space = f"{caller.space}/{caller.user_id}", caller.space
        for rate, key in ((self._person_rate, user_id), (self._space_rate, space)):
            if not await self._limiter.hit(rate, key, cost=min(cost, rate.amount)):
                return await self._free_in_s(rate, key)
        return 0.0

    async def _free_in_s(self, rate: RateLimitItem, key: str) -> float:
        stats = await self._limiter.get_window_stats(rate, key)
        return max(1.0, stats.reset_time - time.time())

    @_guarded
    async def first(self, event: str) -> bool:
        """Whether nobody, in any process, has asked this of this event before."""
        return bool(await self._redis.set(f"reelseek:seen:{event}", 1, nx=True, ex=KEEP_SEEN_S))

    # ---- what the space has decided ----

    @_guarded
    async def settings(self, space: str) -> SpaceSettings | None:
        """As they were last heard of; None: ask the workers."""
        raw = await self._redis.get(_settings(space))
        return SpaceSettings.model_validate_json(raw) if raw else None

    @_guarded
    async def keep_settings(self, space: str, settings: SpaceSettings) -> None:
        await self._redis.set(_settings(space), settings.model_dump_json(), ex=KEEP_SETTINGS_S)

    @_guarded
    async def forget_settings(self, space: str) -> None:
        await self._redis.delete(_settings(space))

    # ---- small things that a frontend made elsewhere ----

    @_guarded
    async def note(self, space: str, key: str, value: str, seconds: int = KEEP_ERRAND_S, *, user_id: str = "") -> None:
        """Keeps a short text of a space, or of a person in it, such as the id of a file that the platform was sent."""
        await self._redis.set(user_data.key(space, user_id, "note", key), value, ex=seconds)

    @_guarded
    async def noted(self, space: str, key: str, *, user_id: str = "") -> str | None:
        raw = await self._redis.get(user_data.key(space, user_id, "note", key))
        return _text(raw) if raw else None

    # ---- errands ----

    @asynccontextmanager
    async def held(self, request: ChatRequest) -> AsyncIterator[None]:
        """While inside, no other process answers this errand; left without an exception, it is answered for good.

        Where this process dies or is cancelled inside, the errand is given back.
        """
        self._mine[request.id] = None
        try:
            await (_until_there(lambda: self._owe(request)) if request.unseen else self._owe(request))
        except BaseException:
            del self._mine[request.id]
            raise
        self._mine[request.id] = asyncio.current_task()
        renewing = asyncio.create_task(self._renew(request.id))
        try:
            yield
        except BaseException:
            renewing.cancel()
            with suppress(CallFailedError):
                await asyncio.shield(self._release(request.id))
            del self._mine[request.id]
            raise
        renewing.cancel()
        await self._settle(request)

    def holds(self, task: asyncio.Task[Any]) -> bool:
        """Whether this task may be cancelled, and its errand be answered all the same."""
        return task in self._mine.values()

    async def abandoned(self, platform: str) -> list[ChatRequest]:
        """Errands that nobody works on any more; each goes to one caller only, who must answer it (`held`)."""
        found = []
        for request in await self._owed(platform):
            if request.id not in self._mine and await self._claim(request.id):
                found.append(request)
        return found

    @_guarded
    async def _owe(self, request: ChatRequest) -> None:
        pipe = self._redis.pipeline(transaction=True)
        pipe.set(_lease(request.id), 1, px=int(1000 * self._lease_s))
        pipe.set(_body(request.id), CHAT_REQUEST.dump_json(request), ex=KEEP_ERRAND_S)
        pipe.sadd(_owed(request.platform), request.id)
        await pipe.execute()

    @_guarded
    async def _owed(self, platform: str) -> list[ChatRequest]:
        ids = [_text(raw) for raw in await self._redis.smembers(_owed(platform))]
        bodies = await self._redis.mget([_body(id) for id in ids]) if ids else []
        requests = [_read(CHAT_REQUEST, body) if body else None for body in bodies]
        if lost := [id for id, request in zip(ids, requests, strict=True) if request is None]:
            await self._redis.srem(_owed(platform), *lost)
        return sorted(filter(None, requests), key=lambda request: request.at)

    @_guarded
    async def _claim(self, id: str) -> bool:
        return bool(await self._redis.set(_lease(id), 1, nx=True, px=int(1000 * self._lease_s)))

    @_guarded
    async def _release(self, id: str) -> None:
        await self._redis.delete(_lease(id))

    async def _renew(self, id: str) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            with suppress(RedisError):
                await self._redis.set(_lease(id), 1, px=int(1000 * self._lease_s))

    async def _settle(self, request: ChatRequest) -> None:
        """What was answered must not be answered again."""
        await _until_there(lambda: self._end(request))
        del self._mine[request.id]

    @_guarded
    async def _end(self, request: ChatRequest) -> None:
        pipe = self._redis.pipeline(transaction=True)
        pipe.srem(_owed(request.platform), request.id)
        pipe.delete(_body(request.id), _lease(request.id))
        await pipe.execute()


async def _until_there(write: Callable[[], Awaitable[None]]) -> None:
    """Writes as soon as Redis can be reached: nobody is there who could be told to try again."""
    pause_s = 0.5
    while True:
        try:
            return await write()
        except CallFailedError:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 10.0)


def _read(kind: TypeAdapter[T], raw: bytes | str) -> T | None:
    """None: another version of Reelseek wrote it, in a form that this one does not have."""
    try:
        return kind.validate_json(raw)
    except ValidationError as error:
        log.warning("desk.unreadable", kind=str(kind), error=error.error_count())
        return None


def _text(raw: bytes | str) -> str:
    """redis-py gives either, by how a connection is made."""
    return raw if isinstance(raw, str) else raw.decode()


def _shown(space: str, token: str) -> str:
    return user_data.key_by_mark(space, token[: user_data.MARK_CHARS], "shown", token)


def _settings(space: str) -> str:
    return user_data.key(space, "", "settings", "")


def _lease(id: str) -> str:
    return f"reelseek:errand:{id}:lease"


def _body(id: str) -> str:
    return f"reelseek:errand:{id}"


def _owed(platform: str) -> str:
    return f"reelseek:errands:{platform}"


@asynccontextmanager
async def open_chat_store(
    url: str, person_rate: str, space_rate: str, keep_shown_s: float = KEEP_SHOWN_S, lease_s: float = LEASE_S
) -> AsyncIterator[ChatStore]:
    """A desk on the Redis at `url`."""
    # Hundreds who ask at once would otherwise open a connection each, and wait for all of them.
    pool = BlockingConnectionPool.from_url(
        url, max_connections=CONNECTIONS, timeout=5, socket_connect_timeout=2, socket_timeout=5
    )
    storage = RedisStorage(
        f"async+{url}",
        implementation="redispy",
        wrap_exceptions=False,
        connection_pool=pool,  # type: ignore[arg-type]  # its documentation has it, its type of options does not
    )
    try:
        limiter = MovingWindowRateLimiter(storage)
        yield ChatStore(Redis(connection_pool=pool), limiter, person_rate, space_rate, keep_shown_s, lease_s)
    finally:
        await pool.aclose()
