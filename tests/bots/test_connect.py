"""Ways to reach the workers."""

import subprocess
import sys
from contextlib import AsyncExitStack

import pytest
from filelock import FileLock

from bots.connect import CommandError, connect, require_package, requiring_extra, run_embedded
from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import translate
from tests.support.bots.fake_client import FakeClient
from worker.client import relay
from worker.protocol.base import Caller
from worker.protocol.library import GetStatus
from worker.settings import Settings


async def test_command_works_through_a_running_owner_of_the_data(
    client: FakeClient, settings: Settings, caller: Caller
) -> None:
    async with relay.serve_relay(client, settings), connect(settings) as connected:
        assert (await connected.call(GetStatus(caller=caller))).videos == 3
    assert len(client.requests) == 1


async def test_second_owner_of_the_data_folder_is_refused_with_a_sentence(settings: Settings) -> None:
    with FileLock(settings.data_dir / "owner.lock"):
        async with AsyncExitStack() as stack:
            with pytest.raises(CommandError, match="Another reelseek command"):
                await stack.enter_async_context(run_embedded(settings, serve_relay=False))
            with pytest.raises(CommandError) as ended:
                await stack.enter_async_context(connect(settings))
    assert str(ended.value) == translate(CliMsg.IN_USE)


def test_search_through_an_owner_loads_no_slow_library(running: Settings) -> None:
    """No model, no store and no queue."""
    code = """
import sys
sys.argv = ["reelseek", "find", "dog", "--json"]
from bots.main import main
try:
    main()
finally:
    print([name for name in ("torch", "numpy", "celery", "qdrant_edge", "streamlit") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_missing_package_is_a_sentence_that_names_the_extra() -> None:
    """A module of Reelseek itself that is missing is a bug, and stays one."""
    with pytest.raises(CommandError, match=r"reelseek\[worker\]"), requiring_extra("worker"):
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    with pytest.raises(ModuleNotFoundError), requiring_extra("worker"):
        raise ModuleNotFoundError("No module named 'worker.gone'", name="worker.gone")


def test_missing_package_of_a_child_process_is_a_sentence_that_names_the_extra() -> None:
    require_package("json", "web")
    with pytest.raises(CommandError, match=r"reelseek\[web\]"):
        require_package("a_package_that_does_not_exist", "web")
