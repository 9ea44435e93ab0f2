"""The process of the web chat: its address, and its end."""

import asyncio
import socket
import subprocess
import sys

import pytest

from bots.web.serve import WebServer, WebServerError, choose_port
from worker.settings import Settings

KILLED_OWNER = """
import asyncio, os, signal
from bots.web.serve import run_web_server
from worker.settings import Settings

async def main():
    async with run_web_server(Settings()) as web:
        await web.wait_until_ready()
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert choose_port("127.0.0.1", port) not in (port, 0)
    assert choose_port("127.0.0.1", port) == port


def test_address_of_another_machine_is_refused() -> None:
    with pytest.raises(WebServerError, match=r"203\.0\.113\.1"):
        choose_port("203.0.113.1", 0)


async def test_exit_of_the_process_ends_every_wait_for_it() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "raise SystemExit(3)")
    web = WebServer(process, "http://127.0.0.1:1")
    for waiting in (web.wait_until_ready(), web.wait_until_exit()):
        with pytest.raises(WebServerError, match="status 3"):
            await waiting


def test_killed_owner_leaves_no_page_process(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` returns only when no process holds its stderr any more."""
    monkeypatch.setenv("REELSEEK_WEB_PORT", "0")
    done = subprocess.run([sys.executable, "-c", KILLED_OWNER], stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (-9, b"")
