"""Redis or Qdrant goes away and comes back: whoever asks meanwhile is told, and nobody has to restart anything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pytest

from bots.chat.service import ChatService
from bots.chat.store import open_chat_store
from bots.discord.bot import Bot
from bots.i18n.translate import translate
from bots.slack.run import serving as serving_slack
from tests.bots.discord.conftest import running as connected
from tests.e2e.conftest import Site
from tests.support.clips import clip
from tests.support.discord.server import serving as serving_discord
from tests.support.discord.world import ADA, texts
from tests.support.fake_encoder_worker import LIGHT
from tests.support.network import free_port
from tests.support.processes import running
from tests.support.qdrant import qdrant_binary, qdrant_server
from tests.support.slack.methods import APP_TOKEN, BOT_TOKEN
from tests.support.slack.server import slack
from worker.client.queue_client import connect
from worker.protocol.error_codes import ErrorCode
from worker.settings import Settings

Ask: TypeAlias = Callable[[str], Awaitable[str]]
"""Asks for something in words, and gives all that is answered."""
ANN = "U0000ANN"


@dataclass
class Servers:
    """Redis and Qdrant, which can be ended and begun again where they were."""

    folder: Path
    qdrant_binary: str
    redis_port: int = field(default_factory=free_port)
    qdrant_port: int = field(default_factory=free_port)
    _running: dict[str, ExitStack] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "REELSEEK_REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            "REELSEEK_QDRANT_URL": f"http://127.0.0.1:{self.qdrant_port}",
            "REELSEEK_ALLOW_NETWORKS": '["127.0.0.1/32"]',
        }

    def begin(self, name: str) -> None:
        stack = self._running[name] = ExitStack()
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        if name == "qdrant":
            stack.enter_context(qdrant_server(self.qdrant_binary, folder, self.qdrant_port))
            return
        command = ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--appendonly", "yes"]
        stack.enter_context(running(command, folder)).wait_for("Ready to accept connections")

    def end(self, name: str) -> None:
        """As a kill does."""
        self._running.pop(name).close()

    def end_all(self) -> None:
        for name in list(self._running):
            self.end(name)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path, qdrant_binary())
    try:
        for name in ("redis", "qdrant"):
            servers.begin(name)
        yield servers
    finally:
        servers.end_all()


@pytest.fixture
def worker(servers: Servers, tmp_path: Path) -> Iterator[None]:
    data = tmp_path / "data"
    data.mkdir()
    with running(LIGHT, data, **servers.settings) as process:
        process.wait_for("worker.ready")
        yield


@asynccontextmanager
async def on_discord(settings: Settings, front: ChatService) -> AsyncIterator[Ask]:
    async with serving_discord(wait_s=60) as server, connected(Bot(front), server):

        async def ask(words: str) -> str:
            name, _, rest = words.partition(" ")
            given = {"index": {"link": rest}}.get(name, {"words": words})
            asked = await server.command(ADA, name if name == "index" else "find", **given)
            answer = await server.until(
                lambda: asked.shown and not _passing(texts(asked.shown[-1])) and asked.shown[-1]
            )
            return texts(answer)

        yield ask


@asynccontextmanager
async def on_slack(settings: Settings, front: ChatService) -> AsyncIterator[Ask]:
    async with slack() as server:
        given = settings.model_copy(
            update=Settings(slack_bot_token=BOT_TOKEN, slack_app_token=APP_TOKEN).model_dump(
                include={"slack_bot_token", "slack_app_token"}
            )
        )
        async with serving_slack(given, front.client, front.chat_store, api=f"{server.address}/api/"):

            async def ask(words: str) -> str:
                before = len(server.to(ANN))
                await server.command(words)
                await server.until(
                    lambda: server.to(ANN)[before:] and not _passing(str(server.to(ANN)[-1].payload)), timeout_s=60
                )
                return str(server.to(ANN)[-1].payload)

            yield ask


def _passing(text: str) -> bool:
    """Whether that is how far a job is, and not its outcome."""
    return any(mark in text for mark in "▰▱▓░")


@pytest.fixture(params=[on_discord, on_slack], ids=["discord", "slack"])
async def ask(request: pytest.FixtureRequest, servers: Servers, worker: None, tmp_path: Path) -> AsyncIterator[Ask]:
    url = servers.settings["REELSEEK_REDIS_URL"]
    settings = Settings(redis_url=url, data_dir=tmp_path / "data", search_timeout_s=15)  # type: ignore[arg-type]
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connect(settings))
        kept = await stack.enter_async_context(open_chat_store(url, "500/minute", "500/minute"))
        yield await stack.enter_async_context(request.param(settings, ChatService(client, kept)))


async def until_answered(ask: Ask, words: str, holds: str) -> None:
    """Asks again until the answer holds this, as a person would."""
    async with asyncio.timeout(90):
        while holds not in (said := await ask(words)):
            assert any(translate(code) in said for code in ErrorCode), said


@pytest.mark.timeout(240)
async def test_servers_go_and_come_back(ask: Ask, servers: Servers, site: Site) -> None:
    """Each question is answered: by the video, or by a sentence while a server is away; then by the video again."""
    clip(site.folder / "red.mp4", "red", seconds=3)
    assert "Added" in await ask(f"index {site.url}/red.mp4")
    assert "red.mp4" in await ask("a red picture")

    servers.end("qdrant")
    assert translate(ErrorCode.STORE_UNAVAILABLE) in await ask("a red picture")
    servers.begin("qdrant")
    await until_answered(ask, "a red picture", "red.mp4")

    servers.end("redis")
    assert translate(ErrorCode.QUEUE_UNAVAILABLE) in await ask("a red picture")
    servers.begin("redis")
    await until_answered(ask, "a red picture", "red.mp4")
