"""Rate limits per user and per space, and deduplication of events, for all bot processes together."""

import time
from typing import Final

from limits import RateLimitItem, parse
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis

from bots.chat.redis_calls import fail_with_code
from worker.protocol.base import Caller

SEEN_EVENT_TTL_S: Final = 3600


class RateLimits:
    """Moving-window rate limits, such as `20/minute`. Raises `CallFailedError` if Redis cannot be reached."""

    def __init__(self, limiter: MovingWindowRateLimiter, user_rate: str, space_rate: str) -> None:
        self._limiter = limiter
        self._user_rate, self._space_rate = parse(user_rate), parse(space_rate)

    @fail_with_code
    async def check_rate_limit(self, caller: Caller, cost: int = 1) -> float | None:
        """Count `cost` requests of the caller. Returns the seconds to wait if a limit is exceeded, otherwise None.

        A cost above the whole limit counts as the limit, so that such a request can pass alone.
        """
        user, space = f"{caller.space}/{caller.user_id}", caller.space
        for rate, key in ((self._user_rate, user), (self._space_rate, space)):
            if not await self._limiter.hit(rate, key, cost=min(cost, rate.amount)):
                return await self._retry_after_s(rate, key)
        return None

    async def _retry_after_s(self, rate: RateLimitItem, key: str) -> float:
        stats = await self._limiter.get_window_stats(rate, key)
        return max(1.0, stats.reset_time - time.time())


class SeenEvents:
    """Deduplication of platform events: a platform can deliver one event several times, and to several processes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @fail_with_code
    async def mark_seen(self, event: str) -> bool:
        """Record an event. Returns True the first time, and False for a duplicate within an hour."""
        return bool(await self._redis.set(f"reelseek:seen:{event}", 1, nx=True, ex=SEEN_EVENT_TTL_S))
