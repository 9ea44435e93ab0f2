"""How long a person waits until a chat frontend has acknowledged: from the platform's event to the bot's callback.

    python -m benchmarks.acknowledge [discord | slack] [--rounds 6] [--idle]

The platform is the local server of the tests, in this process; the bot is a process of its own, as operators run it, on
a Redis of its own, while a worker process indexes a long video (not with --idle). So many people ask at once: 1, 50
and 200. Prints p50 and p99 in ms.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from aiohttp import web

from bots.chat.store import open_chat_store
from bots.discord import run as discord_bot
from bots.slack import run as slack_bot
from tests.support.clips import clip
from tests.support.discord import server as discord_server
from tests.support.discord.gateway import TOKEN
from tests.support.discord.world import Person
from tests.support.network import free_port
from tests.support.processes import REELSEEK, ROOT, Process, reelseek, running
from tests.support.slack import methods as slack_methods
from tests.support.slack import server as slack_server
from worker.client.queue_client import connect
from worker.settings import Settings

AT_ONCE: Final = (1, 50, 200)
LONG_S: Final = 300
UNLIMITED: Final = "1000000/minute"
Ask: TypeAlias = Callable[[int], Awaitable[list[float]]]
"""Lets so many people ask at once, and gives the seconds that each acknowledgement took."""
Platform: TypeAlias = Callable[[str, Path], AbstractAsyncContextManager[Ask]]
"""A bot process at work on a local platform, given a Redis and a folder for data."""


@asynccontextmanager
async def discord(redis_url: str, data: Path) -> AsyncIterator[Ask]:
    async with discord_server.serving(described=False, wait_s=60) as server:

        async def ask(number: int) -> list[float]:
            people = [Person(10_000 + n, f"P{n}") for n in range(number)]
            asked = await asyncio.gather(*(server.command(who, "find", words="a red picture") for who in people))
            for each in asked:
                await server.answered(each)
            return [each.acknowledged_s for each in asked if each.acknowledged_s is not None]

        with _bot("discord", server.url, redis_url, data):
            await server.until(lambda: server.identified)
            yield ask


async def serve_discord(url: str, redis_url: str) -> None:
    """The bot process."""
    settings = Settings(redis_url=redis_url)  # type: ignore[arg-type]
    with discord_server.pointed_at(url):
        application = await discord_bot.look(TOKEN)
        async with connect(settings) as client, open_chat_store(redis_url, UNLIMITED, UNLIMITED) as kept:
            await discord_bot.serve_once(TOKEN, application, client, kept)


@asynccontextmanager
async def slack(redis_url: str, data: Path) -> AsyncIterator[Ask]:
    async with slack_server.slack() as server:

        async def ask(number: int) -> list[float]:
            people = [f"U{n:07}" for n in range(number)]
            for person in people:
                server.users[person] = {"name": person, "profile": {}, "locale": "en-US"}
            before, answered = len(server.acknowledged_s), len(server.shown) + number
            await asyncio.gather(*(server.command("a red picture", user=person) for person in people))
            await server.until(lambda: len(server.shown) >= answered, 60)
            return server.acknowledged_s[before:]

        with _bot("slack", server.address, redis_url, data):
            await server.until(lambda: server.sockets, 60)
            yield ask


async def serve_slack(url: str, redis_url: str) -> None:
    """The bot process."""
    given = {"slack_bot_token": slack_methods.BOT_TOKEN, "slack_app_token": slack_methods.APP_TOKEN}
    settings = Settings.model_validate({"redis_url": redis_url} | given)
    async with (
        connect(settings) as client,
        open_chat_store(redis_url, UNLIMITED, UNLIMITED) as kept,
        slack_bot.serving(settings, client, kept, api=f"{url}/api/"),
    ):
        await asyncio.Event().wait()


PLATFORMS: Final[Mapping[str, Platform]] = {"discord": discord, "slack": slack}
BOTS: Final[Mapping[str, Callable[[str, str], Awaitable[None]]]] = {"discord": serve_discord, "slack": serve_slack}


@contextmanager
def _bot(platform: str, url: str, redis_url: str, data: Path) -> Iterator[Process]:
    command = [sys.executable, "-m", "benchmarks.acknowledge", platform, "--serve", url, redis_url]
    with running(command, data, PYTHONPATH=str(ROOT)) as process:
        yield process


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    port = free_port()
    command = [str(shutil.which("redis-server")), "--port", str(port), "--bind", "127.0.0.1", "--appendonly", "yes"]
    with running(command, folder) as process:
        process.wait_for("Ready to accept connections")
        yield f"redis://127.0.0.1:{port}/0"


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[str]:
    """A web server with long videos, and one short to be found."""
    for name in ("a", "b", "c"):
        clip(folder / f"{name}.mp4", "red", "blue", "green", seconds=LONG_S / 3)
    clip(folder / "short.mp4", "red", seconds=4)
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def measure(platform: str, rounds: int, idle: bool) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        media, data = folder / "media", folder / "data"
        media.mkdir()
        data.mkdir()
        url = stack.enter_context(redis(folder))
        given = {"REELSEEK_REDIS_URL": url, "REELSEEK_ALLOW_NETWORKS": '["127.0.0.1/32"]'}
        # One process owns the store in process, so it searches too; it steps back as index workers do (worker/runtime/process.py).
        worker = stack.enter_context(
            running(["nice", "-n", "10", REELSEEK, "worker", "--queues", "search,index"], data, **given)
        )
        await asyncio.to_thread(worker.wait_for, "worker.ready")
        async with site(media) as address, PLATFORMS[platform](url, data) as ask:
            await ask(1)
            busy = [] if idle else [asyncio.create_task(index(f"{address}/{name}.mp4", data, given)) for name in "abc"]
            for number in AT_ONCE:
                # A lone person's 99th percentile needs as many questions as it has hundredths.
                times = 100 if number == 1 else rounds
                taken_s = [second for _ in range(times) for second in await ask(number)]
                p50, p99 = np.percentile(np.array(taken_s) * 1000, [50, 99])
                still = sum(not task.done() for task in busy)
                print(f"{platform} {number:>3} at once: p50 {p50:6.1f} ms, p99 {p99:6.1f} ms ({len(taken_s)} asked, "
                      f"{still} long jobs running)", flush=True)  # fmt: skip
            for task in busy:
                task.cancel()
            await asyncio.gather(*busy, return_exceptions=True)


async def index(link: str, data: Path, given: Mapping[str, str]) -> None:
    await asyncio.to_thread(reelseek, data, "index", link, **given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("platform", nargs="?", choices=PLATFORMS, default="discord")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--idle", action="store_true")
    parser.add_argument("--serve", nargs=2, metavar=("URL", "REDIS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        os.environ.setdefault("REELSEEK_DATA_DIR", ".")
        asyncio.run(BOTS[given.platform](*given.serve))
    else:
        asyncio.run(measure(given.platform, given.rounds, given.idle))


if __name__ == "__main__":
    main()
