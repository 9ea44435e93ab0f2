"""How a command gets at the workers."""

import subprocess
import sys
from contextlib import AsyncExitStack

import pytest
from filelock import FileLock

from bots.connect import CommandError, connect, run_embedded
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.fake_client import FakeClient
from worker.client import relay
from worker.protocol.messages import Caller, GetStatus
from worker.settings import Settings


async def test_a_running_owner_is_worked_through(client: FakeClient, settings: Settings, caller: Caller) -> None:
    """Where a process owns the data, commands go through it."""
    async with relay.serve(client, settings), connect(settings) as reached:
        assert (await reached.call(GetStatus(caller=caller))).videos == 3
    assert len(client.asked) == 1


async def test_two_owners_are_refused(settings: Settings) -> None:
    """Where the data is owned but nobody answers, a sentence says so."""
    with FileLock(settings.data_dir / "owner.lock"):
        async with AsyncExitStack() as stack:
            with pytest.raises(CommandError, match="Another reelseek command"):
                await stack.enter_async_context(run_embedded(settings, for_others=False))
            with pytest.raises(CommandError) as ended:
                await stack.enter_async_context(connect(settings))
    assert str(ended.value) == translate(Msg.IN_USE)


def test_a_search_through_an_owner_stays_light(running: Settings) -> None:
    """Nothing is loaded that would keep a person waiting: no model, no store, no queue."""
    code = """
import sys
sys.argv = ["reelseek", "find", "dog", "--json"]
from bots.cli.app import main
try:
    main()
finally:
    print([name for name in ("torch", "numpy", "celery", "qdrant_edge", "streamlit") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
