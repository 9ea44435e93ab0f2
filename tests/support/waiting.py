"""Waiting for a condition that sends no event."""

import asyncio
from collections.abc import Awaitable, Callable

TIMEOUT_S = 20


async def wait_until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return once `condition` is true. Poll without a pause, so that short-lived states are seen."""
    async with asyncio.timeout(TIMEOUT_S):
        while not await condition():  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0)
