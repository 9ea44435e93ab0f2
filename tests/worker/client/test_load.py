"""More requests than a worker can answer in time, on a real Redis: every call ends, and no backlog is left."""

import asyncio
import time
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from tests.support.worker.echo_worker_process import CALLER, running_echo_process
from worker.client.queue_client import QueueClient, connect_client
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import GetStatus
from worker.settings import Settings

REQUESTS, MAX_WAITING, TIMEOUT_S = 600, 300, 3.0
SENDERS = 32
"""Threads that can check the queue's length at the same time before each sends one more."""
SLOW_REQUEST = GetStatus(caller=CALLER.model_copy(update={"user_id": "slow"}))


async def call_and_time(client: QueueClient) -> tuple[ErrorCode | None, float]:
    """Call once. Returns the error's code, if it failed, and the duration in seconds."""
    started_s = time.monotonic()
    try:
        await client.call(SLOW_REQUEST)
    except CallFailedError as failed:
        return failed.code, time.monotonic() - started_s
    return None, time.monotonic() - started_s


async def queue_length(redis: Redis) -> int:
    length: Any = redis.llen("search")  # redis-py's type is also that of its blocking client
    return int(await length)


async def max_queue_length(redis: Redis, calls: asyncio.Future[Any]) -> int:
    """Return the greatest length of the queue until all calls have ended."""
    longest = 0
    while not calls.done():
        longest = max(longest, await queue_length(redis))
    return longest


async def test_burst_of_requests_is_answered_or_refused_by_the_deadline(clean_redis: str, tmp_path: Path) -> None:
    """Each call is answered or fails with `busy` in time. The queue stays short and is empty afterwards."""
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "redis_url": clean_redis,
            "search_timeout_s": TIMEOUT_S,
            "search_waiting": MAX_WAITING,
        }
    )
    with running_echo_process(clean_redis):
        async with connect_client(settings) as client, Redis.from_url(clean_redis) as redis:
            assert isinstance(client, QueueClient)
            calls = asyncio.gather(*(call_and_time(client) for _ in range(REQUESTS)))
            longest = await max_queue_length(redis, calls)
            results = await calls
            assert {code for code, _ in results} == {None, ErrorCode.BUSY}
            assert max(took_s for _, took_s in results) < TIMEOUT_S + 2
            assert longest <= MAX_WAITING + SENDERS
            # Expired requests are dropped, not answered before new ones.
            assert (await call_and_time(client))[0] is None
            assert await queue_length(redis) == 0
