"""Named leases with an owner: locks that expire. Only their owner can renew or release them.

All processes of an installation follow one rule: a lease in Redis is a redis-py `Lock` under `reelseek:lease:NAME`
whose token is the owner. Workers use the blocking store, chat frontends the asynchronous one.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import redis.asyncio.lock
import redis.lock
from redis.exceptions import LockError, RedisError

from worker.queue.errors import QueueUnavailableError


class LeasesUnavailableError(QueueUnavailableError):
    """Redis cannot be reached."""


class LeaseStore(Protocol):
    """Leases by name. Every method is atomic and may raise `LeasesUnavailableError`."""

    def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        """Acquire a free lease for `ttl_s` seconds. Returns False if it is held, also if `owner` itself holds it."""
        ...

    def renew(self, name: str, owner: str, ttl_s: float) -> bool:
        """Let a lease that `owner` holds expire in `ttl_s` seconds. Returns False if `owner` does not hold it."""
        ...

    def release(self, name: str, owner: str) -> None:
        """Release a lease. Does nothing if `owner` does not hold it."""
        ...


class MemoryLeaseStore:
    """Leases within one process."""

    def __init__(self) -> None:
        self._leases: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        with self._lock:
            if self._get_owner(name) is not None:
                return False
            now_s = time.monotonic()
            self._leases = {name: lease for name, lease in self._leases.items() if lease[1] > now_s}
            self._leases[name] = (owner, now_s + ttl_s)
            return True

    def renew(self, name: str, owner: str, ttl_s: float) -> bool:
        with self._lock:
            if self._get_owner(name) != owner:
                return False
            self._leases[name] = (owner, time.monotonic() + ttl_s)
            return True

    def release(self, name: str, owner: str) -> None:
        with self._lock:
            if self._get_owner(name) == owner:
                del self._leases[name]

    def _get_owner(self, name: str) -> str | None:
        owner, expires_s = self._leases.get(name, (None, 0.0))
        return owner if expires_s > time.monotonic() else None


class RedisLeaseStore:
    """Leases that all processes of an installation share."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        with _unavailable_on_redis_error():
            return bool(self._lock(name, owner, ttl_s).acquire(token=owner))

    def renew(self, name: str, owner: str, ttl_s: float) -> bool:
        with _unavailable_on_redis_error(), suppress(LockError):
            return bool(self._lock(name, owner, ttl_s).extend(ttl_s, replace_ttl=True))
        return False

    def release(self, name: str, owner: str) -> None:
        with _unavailable_on_redis_error(), suppress(LockError):
            self._lock(name, owner, ttl_s=1).release()

    def _lock(self, name: str, owner: str, ttl_s: float) -> redis.lock.Lock:
        lock = redis.lock.Lock(self._redis, **_lock_options(name, ttl_s))
        lock.local.token = owner.encode()
        return lock


class AsyncRedisLeaseStore:
    """The same leases for asynchronous code: `LeaseStore` with coroutines."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._redis = client

    async def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        with _unavailable_on_redis_error():
            return bool(await self._lock(name, owner, ttl_s).acquire(token=owner))

    async def renew(self, name: str, owner: str, ttl_s: float) -> bool:
        with _unavailable_on_redis_error(), suppress(LockError):
            return bool(await self._lock(name, owner, ttl_s).extend(ttl_s, replace_ttl=True))
        return False

    async def release(self, name: str, owner: str) -> None:
        with _unavailable_on_redis_error(), suppress(LockError):
            await self._lock(name, owner, ttl_s=1).release()

    def _lock(self, name: str, owner: str, ttl_s: float) -> redis.asyncio.lock.Lock:
        lock = redis.asyncio.lock.Lock(self._redis, **_lock_options(name, ttl_s))
        lock.local.token = owner.encode()
        return lock


def _lock_options(name: str, ttl_s: float) -> dict[str, Any]:
    # A lease is renewed and released by other threads and processes than the one that acquired it.
    return {"name": f"reelseek:lease:{name}", "timeout": ttl_s, "blocking": False, "thread_local": False}


@contextmanager
def _unavailable_on_redis_error() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise LeasesUnavailableError(str(error)) from error
