"""One call at a time per key."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Protocol, TypeVar, cast

T = TypeVar("T")


class StartTask(Protocol):
    """How a call is started, such as `asyncio.create_task`."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> asyncio.Task[T]: ...


class SingleFlight:
    """Share one running call among all who need the same result at the same time (request coalescing)."""

    def __init__(self, start_task: StartTask = asyncio.create_task) -> None:
        self._start_task = start_task
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    def start(self, key: Hashable, call: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """Return the task that runs for `key`. Starts one with `call` if none runs."""
        if key not in self._running:
            self._running[key] = self._start_task(call())
            self._running[key].add_done_callback(lambda _: self._running.pop(key, None))
        return cast("asyncio.Task[T]", self._running[key])

    async def run(self, key: Hashable, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the result of the call that runs for `key`. A cancelled caller does not cancel it for the others."""
        return await asyncio.shield(self.start(key, call))
