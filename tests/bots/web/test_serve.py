"""The web chat's process: where it listens, and how it ends."""

import asyncio
import socket
import subprocess
import sys

import pytest

from bots.web.serve import Web, WebFailed, free_port
from worker.settings import Settings

DIES = """
import asyncio, os, signal
from bots.web.serve import serving
from worker.settings import Settings

async def main():
    async with serving(Settings()) as web:
        await web.ready()
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_a_taken_port_gives_way() -> None:
    """The wanted port is taken where it is free, and another one where it is not."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port("127.0.0.1", port) not in (port, 0)
    assert free_port("127.0.0.1", port) == port


def test_an_address_of_another_machine_is_refused() -> None:
    """A host that nothing can listen on is told in words."""
    with pytest.raises(WebFailed, match=r"203\.0\.113\.1"):
        free_port("203.0.113.1", 0)


async def test_a_page_that_ends_by_itself_is_noticed() -> None:
    """Neither waiting for the page nor living with it goes on when its process has ended."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "raise SystemExit(3)")
    web = Web(process, "http://127.0.0.1:1")
    for waiting in (web.ready(), web.ended()):
        with pytest.raises(WebFailed, match="status 3"):
            await waiting


def test_the_page_ends_with_its_owner(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed owner leaves no page behind: whatever holds its error stream is gone, too."""
    monkeypatch.setenv("REELSEEK_WEB_PORT", "0")
    done = subprocess.run([sys.executable, "-c", DIES], stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (-9, b"")
