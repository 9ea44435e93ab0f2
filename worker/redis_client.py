"""Redis clients, made in one way. A profile names the timeouts of one use."""

from dataclasses import dataclass
from typing import Any, Final

import redis
import redis.asyncio
from redis.backoff import ConstantBackoff
from redis.retry import Retry


@dataclass(frozen=True)
class RedisProfile:
    """Timeouts of a client, in seconds, and how many connections it may open."""

    connect_timeout_s: float = 5.0
    read_timeout_s: float = 5.0
    retry_for_s: int = 0
    """How long a command is retried, once a second, while Redis is away. 0: it fails at once."""
    max_connections: int = 8
    """Of an asynchronous client."""
    connection_wait_s: float | None = None
    """How long a command waits for one of `max_connections`. None: without limit."""


STORE: Final = RedisProfile()
"""Data that a request or a job needs."""
LEASES: Final = RedisProfile(retry_for_s=20)
"""Leases of running jobs: a restart of Redis must not end a job."""
PROBE: Final = RedisProfile(connect_timeout_s=2.0, read_timeout_s=2.0)
"""Health checks, metrics and the doctor, which must answer quickly."""
CHAT: Final = RedisProfile(connect_timeout_s=2.0, max_connections=32, connection_wait_s=5.0)
"""A chat frontend's stores. Platforms give 3 s to acknowledge an event; hundreds of requests share the connections."""
TASK_STATES: Final = RedisProfile()
"""States of tasks. Reading a subscription has no timeout."""


def redis_client(url: str, profile: RedisProfile = STORE) -> redis.Redis:
    """Make a blocking client. It connects at its first command."""
    options: dict[str, Any] = {"retry": Retry(ConstantBackoff(1), profile.retry_for_s)} if profile.retry_for_s else {}
    return redis.Redis.from_url(
        url, socket_connect_timeout=profile.connect_timeout_s, socket_timeout=profile.read_timeout_s, **options
    )


def async_redis_client(url: str, profile: RedisProfile, *, decode_responses: bool = False) -> redis.asyncio.Redis:
    """Make an asynchronous client with a pool of its own, which `aclose` closes. It connects at its first command."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url,
        max_connections=profile.max_connections,
        timeout=profile.connection_wait_s,
        socket_connect_timeout=profile.connect_timeout_s,
        socket_timeout=profile.read_timeout_s,
        decode_responses=decode_responses,
    )
    return redis.asyncio.Redis.from_pool(pool)
