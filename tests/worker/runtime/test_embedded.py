"""The embedded form: starting and stopping the workers in this process."""

import asyncio
import threading
from pathlib import Path

import pytest

from worker.runtime.embedded import lock_data_folder, run_embedded_worker
from worker.settings import Settings


async def test_stop_while_the_workers_start_ends_their_threads(tmp_path: Path) -> None:
    """Otherwise they would keep the process alive after Ctrl-C, until its grace period is over."""
    settings = Settings(data_dir=tmp_path)

    async def run() -> None:
        async with run_embedded_worker(settings):
            await asyncio.Event().wait()

    running = asyncio.ensure_future(run())
    while not (tmp_path / "owner.lock").exists():  # noqa: ASYNC110  # there is no event to wait for
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with lock_data_folder(settings):
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("worker-")]
