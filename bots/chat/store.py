"""What chat frontends must not lose when they restart, in Redis: shown results, unanswered errands, limits.

Every method raises `CallFailed` where Redis can't be reached.
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
from worker.ops.logs import incident
from worker.protocol.error_codes import Code
from worker.protocol.messages import Asker, CallFailed, SpaceSettings
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
class Shown:
    """Results that a person was shown, and in which room: their buttons act on them later."""

    room: str
    results: Results


@dataclass(frozen=True)
class Errand:
    """What a person asked for and where the answer goes: enough for another process to answer in this one's place."""

    platform: str
    command: str
    args: Mapping[str, Any]
    asker: Asker
    locale: str
    place: Mapping[str, str]
    """The platform's own: channel, token, message."""
    at: float = field(default_factory=time.time)
    """When it was asked, in seconds since 1970."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def incident(self) -> str:
        """The one id of all that is done for it, whichever process does it."""
        return self.id[:8]

    @property
    def unseen(self) -> bool:
        """Whether nobody is there to be told: the bot was removed, or a message with links was deleted."""
        return self.command == "leave" or (self.command == "watch" and not self.args["links"])


SHOWN: Final = TypeAdapter(Shown)
ERRAND: Final = TypeAdapter(Errand)


def _guarded(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    @functools.wraps(method)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            answer = await method(*args, **kwargs)
        except RedisError as error:
            _heed_cancelling()
            failure = CallFailed(Code.QUEUE_UNAVAILABLE, incident())
            log.warning("desk.failed", incident=failure.incident, error=error)
            raise failure from error
        _heed_cancelling()
        return answer

    return run


def _heed_cancelling() -> None:
    """redis-py, cancelled while it connects, tries again or fails with an error of its own instead."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Desk:
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
    async def keep(self, asker: Asker, results: Results) -> str:
        """The token under which results are found again from the asker's space, until the asker is forgotten."""
        token = user_data.mark(asker.person) + secrets.token_urlsafe(9)
        body = SHOWN.dump_json(Shown(asker.room, results))
        await self._redis.set(_shown(asker.space, token), body, px=int(1000 * self._keep_shown_s))
        return token

    @_guarded
    async def shown(self, space: str, token: str) -> Shown | None:
        raw = await self._redis.get(_shown(space, token))
        return _read(SHOWN, raw) if raw else None

    # ---- limits and repetitions ----

    @_guarded
    async def wait_s(self, asker: Asker, cost: int = 1) -> float:
        """0: go on. Otherwise how long the asker, or the whole space, must wait."""
        person, space = f"{asker.space}/{asker.person}", asker.space
        for rate, key in ((self._person_rate, person), (self._space_rate, space)):
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
    async def note(self, space: str, key: str, value: str, seconds: int = KEEP_ERRAND_S, *, person: str = "") -> None:
        """Keeps a short text of a space, or of a person in it, such as the id of a file that the platform was sent."""
        await self._redis.set(user_data.key(space, person, "note", key), value, ex=seconds)

    @_guarded
    async def noted(self, space: str, key: str, *, person: str = "") -> str | None:
        raw = await self._redis.get(user_data.key(space, person, "note", key))
        return _text(raw) if raw else None

    # ---- errands ----

    @asynccontextmanager
    async def held(self, errand: Errand) -> AsyncIterator[None]:
        """While inside, no other process answers this errand; left without an exception, it is answered for good.

        Where this process dies or is cancelled inside, the errand is given back.
        """
        self._mine[errand.id] = None
        try:
            await (_until_there(lambda: self._owe(errand)) if errand.unseen else self._owe(errand))
        except BaseException:
            del self._mine[errand.id]
            raise
        self._mine[errand.id] = asyncio.current_task()
        renewing = asyncio.create_task(self._renew(errand.id))
        try:
            yield
        except BaseException:
            renewing.cancel()
            with suppress(CallFailed):
                await asyncio.shield(self._release(errand.id))
            del self._mine[errand.id]
            raise
        renewing.cancel()
        await self._settle(errand)

    def holds(self, task: asyncio.Task[Any]) -> bool:
        """Whether this task may be cancelled, and its errand be answered all the same."""
        return task in self._mine.values()

    async def abandoned(self, platform: str) -> list[Errand]:
        """Errands that nobody works on any more; each goes to one caller only, who must answer it (`held`)."""
        found = []
        for errand in await self._owed(platform):
            if errand.id not in self._mine and await self._claim(errand.id):
                found.append(errand)
        return found

    @_guarded
    async def _owe(self, errand: Errand) -> None:
        pipe = self._redis.pipeline(transaction=True)
        pipe.set(_lease(errand.id), 1, px=int(1000 * self._lease_s))
        pipe.set(_body(errand.id), ERRAND.dump_json(errand), ex=KEEP_ERRAND_S)
        pipe.sadd(_owed(errand.platform), errand.id)
        await pipe.execute()

    @_guarded
    async def _owed(self, platform: str) -> list[Errand]:
        ids = [_text(raw) for raw in await self._redis.smembers(_owed(platform))]
        bodies = await self._redis.mget([_body(id) for id in ids]) if ids else []
        errands = [_read(ERRAND, body) if body else None for body in bodies]
        if lost := [id for id, errand in zip(ids, errands, strict=True) if errand is None]:
            await self._redis.srem(_owed(platform), *lost)
        return sorted(filter(None, errands), key=lambda errand: errand.at)

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

    async def _settle(self, errand: Errand) -> None:
        """What was answered must not be answered again."""
        await _until_there(lambda: self._end(errand))
        del self._mine[errand.id]

    @_guarded
    async def _end(self, errand: Errand) -> None:
        pipe = self._redis.pipeline(transaction=True)
        pipe.srem(_owed(errand.platform), errand.id)
        pipe.delete(_body(errand.id), _lease(errand.id))
        await pipe.execute()


async def _until_there(write: Callable[[], Awaitable[None]]) -> None:
    """Writes as soon as Redis can be reached: nobody is there who could be told to try again."""
    pause_s = 0.5
    while True:
        try:
            return await write()
        except CallFailed:
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
async def desk(
    url: str, person_rate: str, space_rate: str, keep_shown_s: float = KEEP_SHOWN_S, lease_s: float = LEASE_S
) -> AsyncIterator[Desk]:
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
        yield Desk(Redis(connection_pool=pool), limiter, person_rate, space_rate, keep_shown_s, lease_s)
    finally:
        await pool.aclose()
