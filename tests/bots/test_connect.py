"""How a command gets at the workers."""

import subprocess
import sys
from contextlib import AsyncExitStack

import pytest
from filelock import FileLock

from bots.connect import Ended, owned, reach
from bots.i18n.messages import Text
from bots.i18n.translate import say
from tests.support.fake_client import FakeClient
from worker.client import relay
from worker.protocol.messages import Asker, Status
from worker.settings import Settings


async def test_a_running_owner_is_worked_through(client: FakeClient, settings: Settings, asker: Asker) -> None:
    """Where a process owns the data, commands go through it."""
    async with relay.serve(client, settings), reach(settings) as reached:
        assert (await reached.call(Status(asker=asker))).videos == 3
    assert len(client.asked) == 1


async def test_two_owners_are_refused(settings: Settings) -> None:
    """Where the data is owned but nobody answers, a sentence says so."""
    with FileLock(settings.data_dir / "owner.lock"):
        async with AsyncExitStack() as stack:
            with pytest.raises(Ended, match="Another reelseek command"):
                await stack.enter_async_context(owned(settings, for_others=False))
            with pytest.raises(Ended) as ended:
                await stack.enter_async_context(reach(settings))
    assert str(ended.value) == say(Text.IN_USE)


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
