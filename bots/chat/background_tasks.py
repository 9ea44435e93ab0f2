"""Background tasks that end with their process, and the gate that lets acknowledgements go first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import structlog

T = TypeVar("T")

log = structlog.get_logger()

QUIET_S: Final = 0.01
MAX_WAIT_S: Final = 1.0
RECOVERABLE_WITHIN_S: Final = 2.0
"""Supervisors kill a process 10 s or more after they asked it to stop; leases must be released by then."""


class AcknowledgementGate:
    """Holds answers back while events are being acknowledged, because platforms wait only 3 s for that.

    The gate opens `quiet_s` seconds after the last acknowledgement, and for an answer that waited a second.
    """

    def __init__(self, quiet_s: float = QUIET_S) -> None:
        self._quiet_s = quiet_s
        self._acknowledging = 0
        self._open = asyncio.Event()
        self._open.set()
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def acknowledging(self) -> Iterator[None]:
        """Close the gate for the block, in which an event is acknowledged."""
        self._acknowledging += 1
        self._open.clear()
        if self._timer is not None:
            self._timer.cancel()
        try:
            yield
        finally:
            self._acknowledging -= 1
            if not self._acknowledging:
                self._timer = asyncio.get_running_loop().call_later(self._quiet_s, self._open.set)

    async def wait_until_quiet(self) -> None:
        """Return once no event is being acknowledged, or after `MAX_WAIT_S`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_WAIT_S):
                await self._open.wait()


async def run_periodically(work: Callable[[], Awaitable[None]], every_s: float) -> None:
    """Run `work` at once and then every `every_s` seconds, until this is cancelled.

    A failure is logged, and `work` runs again the next time.
    """
    while True:
        try:
            await work()
        except Exception:
            log.exception("periodic_work.failed")
        await asyncio.sleep(every_s)


async def _return_at_once(_task: asyncio.Task[Any]) -> None: ...


@dataclass
class BackgroundTasks:
    """The tasks of one process. `stop` cancels them (graceful shutdown)."""

    wait_until_recoverable: Callable[[asyncio.Task[Any]], Awaitable[None]] = _return_at_once
    """Returns once a task can be cancelled without loss."""
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def start(self, work: Coroutine[Any, Any, T], /) -> asyncio.Task[T]:
        """Run `work` in a new task."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @contextmanager
    def track_current(self) -> Iterator[None]:
        """Count the current task among the background tasks for the block. Blocks can be nested."""
        task = asyncio.current_task()
        entered = {task} - self._tasks if task else set()
        self._tasks |= entered
        try:
            yield
        finally:
            self._tasks -= entered

    async def wait_until_idle(self) -> None:
        """Return once no task runs."""
        while tasks := self._tasks - {asyncio.current_task()}:
            await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Cancel all tasks but the current one, and return once they have ended.

        A task that cannot be recovered yet gets up to two seconds to reach that point or its end.
        """
        tasks = self._tasks - {asyncio.current_task()}
        with suppress(TimeoutError):
            async with asyncio.timeout(RECOVERABLE_WITHIN_S):
                await asyncio.gather(*map(self._wait_for, tasks))
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        await self.wait_until_idle()

    async def _wait_for(self, task: asyncio.Task[Any]) -> None:
        recoverable = asyncio.ensure_future(self.wait_until_recoverable(task))
        try:
            await asyncio.wait({task, recoverable}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            recoverable.cancel()


@asynccontextmanager
async def running_tasks(
    wait_until_recoverable: Callable[[asyncio.Task[Any]], Awaitable[None]] = _return_at_once,
) -> AsyncIterator[BackgroundTasks]:
    """Run background tasks for the block, and stop them at its end."""
    tasks = BackgroundTasks(wait_until_recoverable)
    try:
        yield tasks
    finally:
        await tasks.stop()
