"""Requests that outlive a bot process, on a real Redis."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import redis
import redis.asyncio

from bots.chat.requests import ChatRequest, RequestTakenError
from bots.chat.stores import ChatStores, open_chat_stores
from tests.support.waiting import wait_until
from worker.ops.logs import bind_correlation_id
from worker.protocol.base import Caller, CallFailedError

ANN = Caller(space="discord:1", user_id="ann")
REQUEST = ChatRequest("discord", "find", {"words": "개"}, ANN, "ko", {"channel": "5"})
LEASES = "reelseek:lease:request:*"


def expire_leases(url: str) -> None:
    """Let all leases of requests expire, as if their processes stood still or were dead."""
    with redis.Redis.from_url(url) as connection:
        for lease in connection.scan_iter(LEASES):
            connection.delete(lease)


@contextmanager
def refuse_writes(url: str) -> Iterator[None]:
    """Let Redis refuse writes for the block."""
    with redis.Redis.from_url(url) as connection:
        connection.config_set("min-replicas-to-write", 1)
        try:
            yield
        finally:
            connection.config_set("min-replicas-to-write", 0)


def test_correlation_id_of_request_is_the_one_of_its_event() -> None:
    """Log lines before and after the request is made share one id."""
    with bind_correlation_id("abcd1234"):
        made = [ChatRequest("discord", "find", {}, ANN, "en", {}) for _ in range(2)]
    assert {request.correlation_id for request in made} == {"abcd1234"}
    assert made[0].id != made[1].id


async def test_answered_request_is_not_claimed(first: ChatStores, second: ChatStores, clean_redis: str) -> None:
    """A request that was acknowledged is gone for every process."""
    async with first.requests.acquire(REQUEST):
        pass
    expire_leases(clean_redis)
    assert await second.requests.claim_stale("discord") == []


async def test_request_of_dead_process_is_claimed_once(first: ChatStores, clean_redis: str) -> None:
    """Not while its lease is held, then by one process only, complete, and on its own platform only."""
    async with open_chat_stores(clean_redis, "3/minute", "5/minute") as dying:
        acquired = dying.requests.acquire(REQUEST)
        await acquired.__aenter__()
        assert await first.requests.claim_stale("discord") == []
        expire_leases(clean_redis)
        assert await first.requests.claim_stale("slack") == []
        assert await first.requests.claim_stale("discord") == [REQUEST]
        assert await first.requests.claim_stale("discord") == []
        await acquired.__aexit__(None, None, None)


async def test_cancelled_task_releases_its_request(first: ChatStores, second: ChatStores) -> None:
    """When a process stops (graceful shutdown), the next one can answer at once."""
    started = asyncio.Event()

    async def work() -> None:
        async with first.requests.acquire(REQUEST):
            started.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await first.requests.wait_until_recoverable(working)
    await started.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert await second.requests.claim_stale("discord") == [REQUEST]


async def test_unreadable_request_is_dropped(first: ChatStores, clean_redis: str) -> None:
    """A request that another version stored in a form of its own does not keep others from being claimed."""
    with redis.Redis.from_url(clean_redis) as connection:
        connection.set("reelseek:request:old", '{"platform": "discord"}')
        connection.sadd("reelseek:requests:discord", "old")
        with pytest.raises(RuntimeError):
            async with first.requests.acquire(REQUEST):
                raise RuntimeError
        assert await first.requests.claim_stale("discord") == [REQUEST]
        assert connection.smembers("reelseek:requests:discord") == {REQUEST.id.encode()}


async def test_own_request_is_not_claimed_after_its_lease_expired(first: ChatStores, clean_redis: str) -> None:
    """A lease that expired while Redis was away does not make its process answer twice."""
    async with first.requests.acquire(REQUEST):
        expire_leases(clean_redis)
        assert await first.requests.claim_stale("discord") == []


async def test_stalled_process_does_not_release_the_lease_of_another(
    first: ChatStores, second: ChatStores, clean_redis: str
) -> None:
    """A request that another process took over meanwhile stays with that process."""
    stalled = first.requests.acquire(REQUEST)
    await stalled.__aenter__()
    expire_leases(clean_redis)
    assert await second.requests.claim_stale("discord") == [REQUEST]
    failure = RuntimeError()
    assert not await stalled.__aexit__(RuntimeError, failure, None)
    assert await first.requests.claim_stale("discord") == []


async def test_stalled_process_does_not_renew_the_lease_of_another(clean_redis: str) -> None:
    """The other process keeps its lease for as long as it asked for."""
    async with (
        open_chat_stores(clean_redis, "3/minute", "5/minute", lease_ttl_s=0.1) as stalled,
        open_chat_stores(clean_redis, "3/minute", "5/minute", lease_ttl_s=60) as other,
        stalled.requests.acquire(REQUEST),
        redis.asyncio.Redis.from_url(clean_redis) as connection,
    ):
        expire_leases(clean_redis)
        assert await other.requests.claim_stale("discord") == [REQUEST]
        commands = (await connection.info("commandstats"))["cmdstat_evalsha"]["calls"]

        async def has_tried() -> bool:
            return bool((await connection.info("commandstats"))["cmdstat_evalsha"]["calls"] >= commands + 2)

        await wait_until(has_tried)
        [lease] = [key async for key in connection.scan_iter(LEASES)]
        assert await connection.pttl(lease) > 50_000


async def test_request_that_another_process_took_is_not_acquired(
    first: ChatStores, second: ChatStores, clean_redis: str
) -> None:
    """A process that claimed a request, and stood still before it began to answer, leaves it to the next one."""
    async with first.requests.acquire(REQUEST):
        pass
    async with second.requests.acquire(REQUEST):
        with pytest.raises(RequestTakenError):
            async with first.requests.acquire(REQUEST):
                pass


async def test_request_that_cannot_be_acquired_is_claimed_again(first: ChatStores, clean_redis: str) -> None:
    """If Redis refuses writes just after a claim, the request is recovered later."""
    async with open_chat_stores(clean_redis, "3/minute", "5/minute") as dying:
        acquired = dying.requests.acquire(REQUEST)
        await acquired.__aenter__()
        expire_leases(clean_redis)
        assert await first.requests.claim_stale("discord") == [REQUEST]
        with refuse_writes(clean_redis), pytest.raises(CallFailedError):
            async with first.requests.acquire(REQUEST):
                pass
        expire_leases(clean_redis)
        assert await first.requests.claim_stale("discord") == [REQUEST]
        await acquired.__aexit__(None, None, None)


async def test_request_without_recipient_is_retried_until_redis_accepts_it(
    first: ChatStores, second: ChatStores, clean_redis: str
) -> None:
    """The removal of a bot is recorded as soon as Redis is back, because no user can try again."""
    leave = replace(REQUEST, command="leave", args={})
    done = asyncio.Event()

    async def serve() -> None:
        async with first.requests.acquire(leave):
            done.set()

    with refuse_writes(clean_redis):
        serving = asyncio.create_task(serve())
        with pytest.raises(CallFailedError):
            async with second.requests.acquire(REQUEST):
                pass
        assert not done.is_set()
    await asyncio.wait_for(serving, 20)
    assert done.is_set()
