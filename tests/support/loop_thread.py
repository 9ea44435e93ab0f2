"""An event loop in a thread, for tests that are not asynchronous."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

T = TypeVar("T")

CLOSING_ITERATIONS = 100
"""Iterations of the loop in which closed connections finish; a transport that is left then fails a later test."""


@contextmanager
def enter_in_thread(manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Keep an asynchronous context open in an event loop of its own thread for the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        entered = asyncio.run_coroutine_threadsafe(_enter(manager), loop).result(60)
        try:
            yield entered
        finally:
            asyncio.run_coroutine_threadsafe(_exit(manager), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _enter(manager: AbstractAsyncContextManager[T]) -> T:
    return await manager.__aenter__()


async def _exit(manager: AbstractAsyncContextManager[T]) -> None:
    await manager.__aexit__(None, None, None)
    for iteration in range(2 * CLOSING_ITERATIONS):
        if iteration == CLOSING_ITERATIONS:
            _abort_connections()
        await asyncio.sleep(0)


def _abort_connections() -> None:
    """Close the connections with unsent bytes, which stay open until their clients have read them."""
    for transport in list(asyncio.get_running_loop()._transports.values()):  # type: ignore[attr-defined]
        transport.abort()
