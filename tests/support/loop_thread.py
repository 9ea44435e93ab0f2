"""An event loop in a thread, for tests that are not asynchronous; the end of connections in a loop."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

T = TypeVar("T")

CLOSING_ITERATIONS = 100
"""Iterations of the loop in which connections become known to it, and end."""


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
    await accept_connections()
    await manager.__aexit__(None, None, None)
    await abort_connections()


async def accept_connections() -> None:
    """Let the loop accept what clients have connected. Python 3.11 leaks a connection that is accepted too late.

    It is accepted in the iteration in which its server closes. The warning of its socket fails a later test.
    """
    for _ in range(CLOSING_ITERATIONS):
        await asyncio.sleep(0)


async def abort_connections(port: int | None = None) -> None:
    """Abort the connections that servers have left in the running loop: those of this port, or all.

    aiohttp keeps a connection open if its client reads nothing.
    """
    loop = asyncio.get_running_loop()
    for _ in range(CLOSING_ITERATIONS):
        await asyncio.sleep(0)
        for transport in list(loop._transports.values()):  # type: ignore[attr-defined]
            address = transport.get_extra_info("sockname")
            if port is None or (address and address[1] == port):
                transport.abort()
