"""Work on the command line that a signal stops."""

import asyncio
import os
import signal

import pytest

from bots.cli.process import run_stoppable


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_command_cleans_up_although_the_signal_is_repeated(number: signal.Signals) -> None:
    """Graceful shutdown: Ctrl-C and SIGTERM cancel the work, whose `finally` blocks run to their end."""
    closed, stopped = [], []

    async def work() -> bool:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), number)
            await asyncio.to_thread(lambda: None)
            closed.append(number)
        return True

    assert asyncio.run(run_stoppable(work(), lambda: stopped.append(number))) is None
    assert closed == stopped == [number]


def test_stoppable_work_returns_its_result() -> None:

    async def work() -> int:
        return 7

    assert asyncio.run(run_stoppable(work())) == 7
