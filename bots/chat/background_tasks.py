"""Work that goes on by itself until the process ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

T = TypeVar("T")
BREATH_S: Final = 0.01
BREATHS: Final = 50
HOLD_WITHIN_S: Final = 2.0
"""Who is told to end is killed after ten seconds, and what holds an errand must be put down by then."""


@dataclass
class BackgroundTasks:
    """`holds`: whether what a task does is written down, so that it may be cancelled."""

    holds: Callable[[asyncio.Task[Any]], bool]
    _running: set[asyncio.Task[Any]] = field(default_factory=set)
    _started: int = 0

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        self._started += 1
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def calm(self) -> None:
        """Returns once nothing was started for a moment, or after a while: what comes in is acknowledged first."""
        for _ in range(BREATHS):
            started = self._started
            await asyncio.sleep(BREATH_S)
            if started == self._started:
                return

    async def idle(self) -> None:
        """Returns once nothing runs."""
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    async def stop(self) -> None:
        """Cancels what runs, and waits until it has put down what it held. What holds nothing yet has a moment left."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HOLD_WITHIN_S):
                while not all(map(self.holds, self._running)):  # noqa: ASYNC110  # nobody else needs such an event
                    await asyncio.sleep(BREATH_S)
        for task in self._running:
            task.cancel()
        await self.idle()


@asynccontextmanager
async def tasks(holds: Callable[[asyncio.Task[Any]], bool] = lambda _: True) -> AsyncIterator[BackgroundTasks]:
    running = BackgroundTasks(holds)
    try:
        yield running
    finally:
        await running.stop()
