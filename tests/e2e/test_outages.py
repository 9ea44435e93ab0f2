"""Redis or Qdrant stops and comes back: requests meanwhile get an error message, and no process needs a restart."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from bots.chat.service import ChatService
from bots.chat.stores import open_chat_stores
from bots.discord.bot import Bot
from bots.i18n.translate import translate
from bots.slack.run import running_app
from tests.support.discord.bot import run_bot
from tests.support.discord.server import run_fake_discord
from tests.support.discord.world import ADA, texts
from tests.support.indexer.clips import serve_clip
from tests.support.servers.processes import run_process
from tests.support.servers.site import Site
from tests.support.servers.stores import StoreServers
from tests.support.slack.methods import APP_TOKEN, BOT_TOKEN
from tests.support.slack.server import run_fake_slack
from tests.support.worker.fake_encoder_worker import FAKE_ENCODER_WORKER
from worker.client.queue_client import connect_client
from worker.protocol.error_codes import ErrorCode
from worker.settings import Settings

Ask: TypeAlias = Callable[[str], Awaitable[str]]
"""Sends a command in words, and returns the text of its final reply."""

ANN = "U0000ANN"
PROGRESS_BAR = re.compile("[▰▱▓░]{4,}")
"""The bar that says how well a hit matches has three marks."""


@pytest.fixture
def worker(servers: StoreServers, tmp_path: Path) -> Iterator[None]:
    data = tmp_path / "data"
    data.mkdir()
    with run_process(FAKE_ENCODER_WORKER, data, **servers.environment) as process:
        process.wait_for("worker.ready")
        yield


@asynccontextmanager
async def ask_on_discord(settings: Settings, chat: ChatService) -> AsyncIterator[Ask]:
    async with run_fake_discord(timeout_s=60) as server, run_bot(Bot(chat), server):

        async def ask(words: str) -> str:
            name, _, rest = words.partition(" ")
            if name == "index":
                asked = await server.command(ADA, "index", link=rest)
            else:
                asked = await server.command(ADA, "find", words=words)
            await server.wait_for(lambda: asked.shown and not _is_progress(texts(asked.shown[-1])))
            return texts(asked.shown[-1])

        yield ask


@asynccontextmanager
async def ask_on_slack(settings: Settings, chat: ChatService) -> AsyncIterator[Ask]:
    tokens = Settings(slack_bot_token=BOT_TOKEN, slack_app_token=APP_TOKEN)
    slack_settings = settings.model_copy(update=tokens.model_dump(include={"slack_bot_token", "slack_app_token"}))
    async with (
        run_fake_slack() as server,
        running_app(slack_settings, chat.client, chat.stores, api_url=f"{server.address}/api/"),
    ):

        async def ask(words: str) -> str:
            before = len(server.shown_to(ANN))
            await server.command(words)
            await server.wait_for(
                lambda: server.shown_to(ANN)[before:] and not _is_progress(str(server.shown_to(ANN)[-1].payload)),
                timeout_s=60,
            )
            return str(server.shown_to(ANN)[-1].payload)

        yield ask


def _is_progress(text: str) -> bool:
    return bool(PROGRESS_BAR.search(text))


@pytest.fixture(params=[ask_on_discord, ask_on_slack], ids=["discord", "slack"])
async def ask(
    request: pytest.FixtureRequest, servers: StoreServers, worker: None, tmp_path: Path
) -> AsyncIterator[Ask]:
    settings = Settings(redis_url=servers.redis_url, data_dir=tmp_path / "data", search_timeout_s=15)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connect_client(settings))
        stores = await stack.enter_async_context(open_chat_stores(servers.redis_url, "500/minute", "500/minute"))
        yield await stack.enter_async_context(request.param(settings, ChatService(client, stores)))


async def ask_until(ask: Ask, words: str, expected: str) -> None:
    """Ask again until the answer contains `expected`; until then each answer must be a known error message."""
    async with asyncio.timeout(90):
        while expected not in (answer := await ask(words)):
            assert any(translate(code) in answer for code in ErrorCode), answer


@pytest.mark.timeout(240)
async def test_outage_of_qdrant_or_redis_is_reported_and_recovers(ask: Ask, servers: StoreServers, site: Site) -> None:
    """Each question is answered: by the video, or by a sentence while a server is away; then by the video again."""
    link = serve_clip(site, "red.mp4", "red", seconds=3)
    assert "Added" in await ask(f"index {link}")
    assert "red.mp4" in await ask("a red picture")

    servers.stop("qdrant")
    assert translate(ErrorCode.STORE_UNAVAILABLE) in await ask("a red picture")
    servers.start("qdrant")
    await ask_until(ask, "a red picture", "red.mp4")

    servers.stop("redis")
    assert translate(ErrorCode.QUEUE_UNAVAILABLE) in await ask("a red picture")
    servers.start("redis")
    await ask_until(ask, "a red picture", "red.mp4")
