"""The real discord.py client at a fake Discord, with a library in memory and a real Redis."""

import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from bots.chat.service import ChatService
from bots.chat.stores import open_chat_stores
from bots.discord.bot import Bot
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import GOAL, SNOW, TALK
from tests.support.discord.bot import Clock, run_bot
from tests.support.discord.server import FakeDiscord, run_fake_discord
from tests.support.discord.world import SPACE


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client() -> FakeClient:
    """Make a library with three videos of one guild."""
    return FakeClient(videos=[replace(video, space=SPACE) for video in (SNOW, GOAL, TALK)])


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[FakeDiscord]:
    """Run a fake Discord. A request that it refuses, and that the test does not expect, fails the test."""
    async with run_fake_discord(clock) as served:
        yield served
    assert served.refused == []


@pytest.fixture
async def chat(client: FakeClient, clean_redis: str) -> AsyncIterator[ChatService]:
    async with open_chat_stores(clean_redis, "100/minute", "1000/minute") as stores:
        yield ChatService(client, stores)


@pytest.fixture
async def bot(chat: ChatService, server: FakeDiscord, clock: Clock) -> AsyncIterator[Bot]:
    async with run_bot(Bot(chat, clock=clock), server) as ready:
        yield ready


@pytest.fixture
def gate(bot: Bot, client: FakeClient) -> Iterator[threading.Event]:
    """Let jobs wait after their first progress until the event is set."""
    client.gate = threading.Event()
    yield client.gate
    client.gate.set()
