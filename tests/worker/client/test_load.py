"""More questions than a worker can answer in time, on a real Redis: nobody is left waiting, and nothing piles up."""

import asyncio
import time
from pathlib import Path

from redis.asyncio import Redis

from tests.worker.conftest import CALLER, toy_process
from worker.client.queue_client import QueueClient, connect
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import CallFailedError, GetStatus
from worker.settings import Settings

ASKED, WAITING, TIMEOUT_S = 600, 300, 3.0
SENDERS = 32
"""Threads that may look at the queue at the same time, and each find room for one more."""
SLOW = GetStatus(caller=CALLER.model_copy(update={"user_id": "slow"}))


async def ended(client: QueueClient) -> tuple[ErrorCode | None, float]:
    """How a question ended, and after how many seconds."""
    began_s = time.monotonic()
    try:
        await client.call(SLOW)
    except CallFailedError as failed:
        return failed.code, time.monotonic() - began_s
    return None, time.monotonic() - began_s


async def longest(redis: Redis, asking: asyncio.Future[object]) -> int:
    """The most that ever waited in the queue."""
    most = 0
    while not asking.done():
        most = max(most, await redis.llen("search"))  # type: ignore[misc]
    return most


async def test_each_question_ends_by_its_deadline(clean_redis: str, tmp_path: Path) -> None:
    """All of a burst are answered or told that there is too much to do, in time; the queue stays short, then empty."""
    given = {"redis_url": clean_redis, "search_timeout_s": TIMEOUT_S, "search_waiting": WAITING}
    settings = Settings(data_dir=tmp_path, **given)  # type: ignore[arg-type]
    with toy_process(clean_redis):
        async with connect(settings) as client, Redis.from_url(clean_redis) as redis:
            assert isinstance(client, QueueClient)
            asking = asyncio.gather(*(ended(client) for _ in range(ASKED)))
            most = await longest(redis, asking)
            ends = await asking
            assert {code for code, _ in ends} == {None, ErrorCode.BUSY}
            assert max(took_s for _, took_s in ends) < TIMEOUT_S + 2
            assert most <= WAITING + SENDERS
            # What is too late by now is thrown away, not worked off first.
            assert (await ended(client))[0] is None
            assert await redis.llen("search") == 0  # type: ignore[misc]
