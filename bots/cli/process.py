"""Commands as processes: exit statuses, Ctrl-C and SIGTERM (graceful shutdown)."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, NoReturn, TypeVar

import typer

from bots.commands.client import Client
from bots.connect import connect
from worker.ops.logs import bind_correlation_id
from worker.ops.shutdown import exit_after_grace_period
from worker.settings import Settings

T = TypeVar("T")
INTERRUPTED_STATUS: Final = 130
"""Exit status after Ctrl-C or SIGTERM."""


def run_with_client(settings: Settings, work: Callable[[Client], Awaitable[bool]], serve_relay: bool) -> NoReturn:
    """Run `work` with a client and exit: with status 0 if it returns True, 1 if not, 130 if it is interrupted.

    With `serve_relay`, other commands can use the library through this process if it is the owner of the data.
    """

    async def connect_and_work() -> bool:
        async with connect(settings, serve_relay) as client:
            return await work(client)

    with bind_correlation_id():
        succeeded = asyncio.run(run_stoppable(connect_and_work()))
    if succeeded is None:
        raise typer.Exit(INTERRUPTED_STATUS)
    raise typer.Exit(0 if succeeded else 1)


def run_until_stopped(work: Coroutine[Any, Any, None]) -> NoReturn:
    """Run a server until Ctrl-C or SIGTERM, then exit with status 0."""
    asyncio.run(run_stoppable(work))
    raise typer.Exit(0)


async def run_stoppable(
    work: Coroutine[Any, Any, T], on_stop: Callable[[], None] = exit_after_grace_period
) -> T | None:
    """Return the result of `work`, or None after Ctrl-C or SIGTERM, which cancel it so that it can clean up.

    `on_stop` is called when the first signal arrives. Further signals are ignored, so that they do not interrupt the
    clean-up.
    """
    running = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            on_stop()
            running.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await running
    except asyncio.CancelledError:
        if not stopped:
            raise
        return None
