"""Measure the time until a chat frontend acknowledges: from the platform's event to the bot's response.

    python -m benchmarks.acknowledge [discord | slack] [--rounds 6] [--idle]

The platform is the local server of the tests, in this process. The bot is a process of its own, as operators run it, on
a Redis of its own, while a worker process indexes a long video (not with --idle). 1, 50 and 200 people ask at once.
Prints p50 and p99 in ms.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from bots.chat.stores import open_chat_stores
from bots.discord import run as discord_bot
from bots.slack import run as slack_bot
from tests.support.discord import server as discord_server
from tests.support.discord.gateway import TOKEN
from tests.support.discord.world import FakeUser
from tests.support.indexer.clips import serve_clip
from tests.support.servers.processes import LOOPBACK_NETWORKS, REELSEEK, Process, run_process, run_reelseek
from tests.support.servers.redis import running_redis
from tests.support.servers.site import run_site
from tests.support.slack import methods as slack_methods
from tests.support.slack import server as slack_server
from worker.client.queue_client import connect_client
from worker.settings import Settings

CONCURRENT_PEOPLE: Final = (1, 50, 200)
LONG_S: Final = 300
UNLIMITED: Final = "1000000/minute"
AskAtOnce: TypeAlias = Callable[[int], Awaitable[list[float]]]
"""Lets that many people ask at once, and returns the seconds until each acknowledgement."""
Platform: TypeAlias = Callable[[str, Path], AbstractAsyncContextManager[AskAtOnce]]
"""Runs a bot process on a local platform, given a Redis address and a data folder."""


@asynccontextmanager
async def run_discord(redis_url: str, data: Path) -> AsyncIterator[AskAtOnce]:
    async with discord_server.run_fake_discord(checks_spec=False, timeout_s=60) as server:

        async def ask_at_once(number: int) -> list[float]:
            people = [FakeUser(10_000 + n, f"P{n}") for n in range(number)]
            asked = await asyncio.gather(*(server.command(person, "find", words="a red picture") for person in people))
            for each in asked:
                await server.wait_for_answer(each)
            return [each.acknowledged_s for each in asked if each.acknowledged_s is not None]

        with _run_bot("discord", server.url, redis_url, data):
            await server.wait_for(lambda: server.identified)
            yield ask_at_once


async def serve_discord(url: str, redis_url: str) -> None:
    """Run the bot in this process."""
    settings = Settings.model_validate({"redis_url": redis_url})
    with discord_server.redirect_discord_py(url):
        application = await discord_bot.fetch_application(TOKEN)
        async with connect_client(settings) as client, open_chat_stores(redis_url, UNLIMITED, UNLIMITED) as stores:
            await discord_bot.run_connection(TOKEN, application, client, stores)


@asynccontextmanager
async def run_slack(redis_url: str, data: Path) -> AsyncIterator[AskAtOnce]:
    async with slack_server.run_fake_slack() as server:

        async def ask_at_once(number: int) -> list[float]:
            people = [f"U{n:07}" for n in range(number)]
            for person in people:
                server.users[person] = {"name": person, "profile": {}, "locale": "en-US"}
            before, expected = len(server.acknowledged_s), len(server.shown) + number
            await asyncio.gather(*(server.command("a red picture", user=person) for person in people))
            await server.wait_for(lambda: len(server.shown) >= expected, 60)
            return server.acknowledged_s[before:]

        with _run_bot("slack", server.address, redis_url, data):
            await server.wait_for(lambda: server.sockets, 60)
            yield ask_at_once


async def serve_slack(url: str, redis_url: str) -> None:
    """Run the app in this process."""
    tokens = {"slack_bot_token": slack_methods.BOT_TOKEN, "slack_app_token": slack_methods.APP_TOKEN}
    settings = Settings.model_validate({"redis_url": redis_url} | tokens)
    async with (
        connect_client(settings) as client,
        open_chat_stores(redis_url, UNLIMITED, UNLIMITED) as stores,
        slack_bot.running_app(settings, client, stores, api_url=f"{url}/api/"),
    ):
        await asyncio.Event().wait()


PLATFORMS: Final[Mapping[str, Platform]] = {"discord": run_discord, "slack": run_slack}
BOTS: Final[Mapping[str, Callable[[str, str], Coroutine[Any, Any, None]]]] = {
    "discord": serve_discord,
    "slack": serve_slack,
}


@contextmanager
def _run_bot(platform: str, url: str, redis_url: str, data: Path) -> Iterator[Process]:
    command = [sys.executable, "-m", "benchmarks.acknowledge", platform, "--serve", url, redis_url]
    with run_process(command, data) as process:
        yield process


async def measure(platform: str, rounds: int, idle: bool) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = folder / "data"
        data.mkdir()
        redis_url = stack.enter_context(running_redis(folder, appendfsync="everysec")).url
        site = stack.enter_context(run_site())
        long_links = [serve_clip(site, f"{n}.mp4", "red", "blue", "green", seconds=LONG_S / 3) for n in range(3)]
        environment = {"REELSEEK_REDIS_URL": redis_url, "REELSEEK_ALLOW_NETWORKS": LOOPBACK_NETWORKS}
        # One process owns the embedded store, so it searches as well; index workers run at this niceness.
        command = ["nice", "-n", "10", REELSEEK, "worker", "--queues", "search,index"]
        worker = stack.enter_context(run_process(command, data, **environment))
        await asyncio.to_thread(worker.wait_for, "worker.ready")
        async with PLATFORMS[platform](redis_url, data) as ask_at_once:
            await ask_at_once(1)
            jobs = [] if idle else [asyncio.create_task(index(link, data, environment)) for link in long_links]
            for number in CONCURRENT_PEOPLE:
                # The 99th percentile of one person needs a hundred questions.
                repeats = 100 if number == 1 else rounds
                times_s = [second for _ in range(repeats) for second in await ask_at_once(number)]
                p50, p99 = np.percentile(np.array(times_s) * 1000, [50, 99])
                running = sum(not job.done() for job in jobs)
                print(
                    f"{platform} {number:>3} at once: p50 {p50:6.1f} ms, p99 {p99:6.1f} ms "
                    f"({len(times_s)} requests, {running} long jobs running)",
                    flush=True,
                )
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)


async def index(link: str, data: Path, environment: Mapping[str, str]) -> None:
    await asyncio.to_thread(run_reelseek, data, "index", link, **environment)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("platform", nargs="?", choices=PLATFORMS, default="discord")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--idle", action="store_true")
    parser.add_argument("--serve", nargs=2, metavar=("URL", "REDIS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        os.environ.setdefault("REELSEEK_DATA_DIR", ".")
        asyncio.run(BOTS[arguments.platform](*arguments.serve))
    else:
        asyncio.run(measure(arguments.platform, arguments.rounds, arguments.idle))


if __name__ == "__main__":
    main()
