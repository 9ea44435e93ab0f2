"""The web chat as a child process: start it, wait until it answers, and stop it."""

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import aiohttp

from worker.settings import Settings

START_TIMEOUT_S: Final = 60
STOP_TIMEOUT_S: Final = 5
POLL_INTERVAL_S: Final = 0.1
HEALTH_TIMEOUT_S: Final = 2.0


class WebServerError(Exception):
    """The process of the web chat exited, or did not become ready in time."""


class WebServer:
    """A started web chat, which may not be ready yet."""

    def __init__(self, process: Process, address: str) -> None:
        self._process = process
        self._address = address

    async def wait_until_ready(self) -> str:
        """Return the address as soon as the web chat answers there. Raises `WebServerError`."""
        try:
            async with asyncio.timeout(START_TIMEOUT_S), aiohttp.ClientSession() as session:
                while not await _is_healthy(session, self._address):
                    self._check_running()
                    await asyncio.sleep(POLL_INTERVAL_S)
        except TimeoutError as error:
            raise WebServerError(f"no answer within {START_TIMEOUT_S} s") from error
        return self._address

    async def is_healthy(self) -> bool:
        """Return whether the web chat answers now."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HEALTH_TIMEOUT_S)) as session:
            return await _is_healthy(session, self._address)

    async def wait_until_exit(self) -> None:
        """Wait until the web chat exits, then raise `WebServerError`."""
        await self._process.wait()
        self._check_running()

    def _check_running(self) -> None:
        if self._process.returncode is not None:
            raise WebServerError(f"the web chat ended with status {self._process.returncode}")


@asynccontextmanager
async def run_web_server(settings: Settings) -> AsyncIterator[WebServer]:
    """Run the web chat on `web_host` and `web_port`, or on a free port if that one is taken.

    The page reads its settings itself, from the same environment and folder.
    """
    port = choose_port(settings.web_host, settings.web_port)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bots.web", settings.web_host, str(port)),
        stdin=PIPE,
        stdout=DEVNULL,
        # Ctrl-C in the terminal must reach this process only, which then stops the page in order.
        start_new_session=True,
    )
    try:
        yield WebServer(process, f"http://{_get_reachable_host(settings.web_host)}:{port}")
    finally:
        await _stop(process)


def choose_port(host: str, port: int) -> int:
    """Return `port` if it is free, otherwise another free port. Raises `WebServerError`."""
    for candidate in (port, 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError as error:
                failure = error
            else:
                return int(probe.getsockname()[1])
    raise WebServerError(f"cannot listen on {host}: {failure.strerror}")


def _get_reachable_host(host: str) -> str:
    """Return the host under which a server that listens on `host` can be reached."""
    any_address = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 — compared with, not listened on
    host = any_address.get(host, host)
    return f"[{host}]" if ":" in host else host


async def _is_healthy(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.get(f"{address}/_stcore/health") as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _stop(process: Process) -> None:
    """Ask the process to stop, and kill it after `STOP_TIMEOUT_S`."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
