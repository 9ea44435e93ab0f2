"""Work on the command line that a signal stops."""

import asyncio
import multiprocessing
import os
import signal
from multiprocessing.connection import Connection

import pytest

from bots.cli.process import run_stoppable


def stop_twice(number: signal.Signals, results: Connection) -> None:
    """Send this process the signal as it works and again as it cleans up. Send what was cleaned up and stopped."""
    closed: list[int] = []
    stopped: list[int] = []

    async def work() -> bool:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), number)
            await asyncio.to_thread(lambda: None)
            closed.append(number)
        return True

    result = asyncio.run(run_stoppable(work(), lambda: stopped.append(number)))
    results.send((result, closed, stopped))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_command_cleans_up_although_the_signal_is_repeated(number: signal.Signals) -> None:
    """Graceful shutdown: Ctrl-C and SIGTERM cancel the work, whose `finally` blocks run to their end."""
    processes = multiprocessing.get_context("spawn")  # A signal that came too late would end the process of the tests.
    receiver, sender = processes.Pipe(duplex=False)
    process = processes.Process(target=stop_twice, args=(number, sender))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert receiver.recv() == (None, [number], [number])


def test_stoppable_work_returns_its_result() -> None:

    async def work() -> int:
        return 7

    assert asyncio.run(run_stoppable(work())) == 7
