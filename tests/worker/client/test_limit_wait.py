"""The time limit of a call, which a worker that loads its model suspends."""

import asyncio

import pytest

from worker.client.queue_client import limit_wait


async def test_wait_ends_after_its_limit() -> None:
    with pytest.raises(TimeoutError):
        async with limit_wait(0.02, lambda: False):
            await asyncio.Event().wait()


async def test_limit_begins_when_the_model_is_loaded() -> None:
    """The model is loaded after three times the limit."""
    loop = asyncio.get_running_loop()
    begun_s, loaded_s = loop.time(), loop.time() + 0.3
    with pytest.raises(TimeoutError):
        async with limit_wait(0.1, lambda: loop.time() < loaded_s):
            await asyncio.Event().wait()
    assert loop.time() - begun_s > 0.3


async def test_block_that_ends_in_time_is_not_interrupted() -> None:
    async with limit_wait(0.02, lambda: True):
        pass
