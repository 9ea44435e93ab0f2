"""Waiting for a condition that sends no event."""

import asyncio
from collections.abc import Awaitable, Callable

TIMEOUT_S = 20
MAX_PAUSE_S = 0.02
_STEP_S = 0.001


async def wait_until(condition: Callable[[], Awaitable[bool]], max_pause_s: float = MAX_PAUSE_S) -> None:
    """Return once `condition` is true. Poll with a pause that grows from 0 to `max_pause_s`.

    A state that lasts only for milliseconds is seen with a pause of 0.
    """
    pause_s = 0.0
    async with asyncio.timeout(TIMEOUT_S):
        while not await condition():  # there is no event to wait for
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s + _STEP_S, max_pause_s)
