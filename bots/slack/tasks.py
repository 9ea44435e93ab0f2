"""Work that goes on by itself until the process ends."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

T = TypeVar("T")
BREATH_S: Final = 0.01
BREATHS: Final = 50


@dataclass
class Tasks:
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
        """Cancels what runs, and waits until it has put down what it held."""
        for task in self._running:
            task.cancel()
        await self.idle()


@asynccontextmanager
async def tasks() -> AsyncIterator[Tasks]:
    running = Tasks()
    try:
        yield running
    finally:
        await running.stop()
