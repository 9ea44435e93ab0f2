"""The real discord.py client against a local Discord, with a library in memory behind it and a real Redis."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import pytest

from bots.chat.service import ChatService
from bots.chat.stores import open_chat_stores
from bots.discord.bot import Bot
from tests.support.discord.gateway import TOKEN
from tests.support.discord.server import Server, serving
from tests.support.discord.world import GUILD
from tests.support.fake_client import GOAL, SNOW, TALK, FakeClient

SPACE = f"discord:{GUILD}"


@dataclass
class Clock:
    """The time, which tests push on."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client() -> FakeClient:
    """A library of one server's three videos."""
    return FakeClient(videos=[replace(video, space=SPACE) for video in (SNOW, GOAL, TALK)])


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[Server]:
    """Discord. Whatever it refused that a test does not expect fails the test."""
    async with serving(clock) as served:
        yield served
    assert served.refused == []


@pytest.fixture
async def chat(client: FakeClient, clean_redis: str) -> AsyncIterator[ChatService]:
    async with open_chat_stores(clean_redis, "100/minute", "1000/minute") as kept:
        yield ChatService(client, kept)


@asynccontextmanager
async def running(bot: Bot, server: Server) -> AsyncIterator[Bot]:
    """A bot that is ready, until the block ends."""
    before = len(server.identified)
    async with bot:
        await bot.login(TOKEN)
        async with bot.chat.recover_requests("discord", bot.responder):
            connected = asyncio.create_task(bot.connect())
            try:
                await server.until(lambda: len(server.identified) > before)
                yield bot
            finally:
                await bot.close()
                connected.cancel()
                with suppress(asyncio.CancelledError):
                    await connected


@pytest.fixture
async def bot(chat: ChatService, server: Server, clock: Clock) -> AsyncIterator[Bot]:
    async with running(Bot(chat, clock=clock), server) as ready:
        yield ready


@pytest.fixture
def gate(bot: Bot, client: FakeClient) -> Iterator[threading.Event]:
    """Jobs stand still after their first progress until it is set."""
    client.gate = threading.Event()
    yield client.gate
    client.gate.set()
