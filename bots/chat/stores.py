"""All that chat frontends keep in Redis, opened together on one connection pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from bots.chat.limits import RateLimits, SeenEvents
from bots.chat.notes import NoteStore, SettingsCache
from bots.chat.requests import LEASE_TTL_S, RequestQueue
from bots.chat.results import RESULTS_TTL_S, ResultStore
from worker.leases import AsyncRedisLeaseStore
from worker.redis_client import CHAT, async_redis_client


@dataclass(frozen=True)
class ChatStores:
    """The stores of one bot process. Their methods raise `CallFailedError` if Redis cannot be reached."""

    requests: RequestQueue
    results: ResultStore
    limits: RateLimits
    seen_events: SeenEvents
    notes: NoteStore
    settings: SettingsCache


@asynccontextmanager
async def open_chat_stores(
    redis_url: str,
    user_rate: str,
    space_rate: str,
    results_ttl_s: float = RESULTS_TTL_S,
    lease_ttl_s: float = LEASE_TTL_S,
) -> AsyncIterator[ChatStores]:
    """Open the stores for the block. Rates are written like `20/minute`. Connects at the first command."""
    redis = async_redis_client(redis_url, CHAT)
    storage = RedisStorage(
        f"async+{redis_url}",
        implementation="redispy",
        wrap_exceptions=False,
        connection_pool=redis.connection_pool,  # type: ignore[arg-type]  # documented, but missing in its type
    )
    try:
        yield ChatStores(
            requests=RequestQueue(redis, AsyncRedisLeaseStore(redis), lease_ttl_s),
            results=ResultStore(redis, results_ttl_s),
            limits=RateLimits(MovingWindowRateLimiter(storage), user_rate, space_rate),
            seen_events=SeenEvents(redis),
            notes=NoteStore(redis),
            settings=SettingsCache(redis),
        )
    finally:
        await redis.aclose()
