"""Starts the web chat as a process of its own and ends it again."""

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp

from worker.settings import Settings

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 5
LOOK_EVERY_S = 0.1
LOOK_WITHIN_S = 2.0


class WebFailed(Exception):
    """The web chat's process ended by itself, or never got ready."""


class Web:
    """A web chat that was started, and may still be getting ready."""

    def __init__(self, process: Process, address: str) -> None:
        self._process = process
        self._address = address

    async def ready(self) -> str:
        """The address, once it answers. Raises `WebFailed`."""
        try:
            async with asyncio.timeout(START_TIMEOUT_S), aiohttp.ClientSession() as session:
                while not await _healthy(session, self._address):
                    self._check()
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError as error:
            raise WebFailed(f"no answer within {START_TIMEOUT_S} s") from error
        return self._address

    async def healthy(self) -> bool:
        """Whether it answers now."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LOOK_WITHIN_S)) as session:
            return await _healthy(session, self._address)

    async def ended(self) -> None:
        """Waits for as long as the web chat runs, then raises `WebFailed`."""
        await self._process.wait()
        self._check()

    def _check(self) -> None:
        if self._process.returncode is not None:
            raise WebFailed(f"the web chat ended with status {self._process.returncode}")


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Web]:
    """The web chat on `web_host` and `web_port`, or on a free port where that one is taken.

    The page reads its own settings from the same environment and folder.
    """
    port = free_port(settings.web_host, settings.web_port)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bots.web", settings.web_host, str(port)),
        stdin=PIPE,
        stdout=DEVNULL,
        # Ctrl-C in the terminal is for us alone: the page is ended in order, after its users are told.
        start_new_session=True,
    )
    try:
        yield Web(process, f"http://{_reachable(settings.web_host)}:{port}")
    finally:
        await _end(process)


def free_port(host: str, port: int) -> int:
    """`port` if it can be listened on, or else one that can. Raises `WebFailed`."""
    for wanted in (port, 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, wanted))
            except OSError as error:
                failure = error
            else:
                return int(probe.getsockname()[1])
    raise WebFailed(f"cannot listen on {host}: {failure.strerror}")


def _reachable(host: str) -> str:
    """Where to knock at a server that listens on `host`."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 — compared with, not listened on
    host = everywhere.get(host, host)
    return f"[{host}]" if ":" in host else host


async def _healthy(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.get(f"{address}/_stcore/health") as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
