from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bots.chat.service import ChatService
from bots.chat.stores import open_chat_stores
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_platform import RecordingResponder
from tests.support.bots.fake_videos import GOAL, SNOW, TALK
from tests.support.loop_thread import enter_in_thread
from worker.client import relay
from worker.protocol.base import Caller
from worker.settings import Settings


@pytest.fixture
def caller() -> Caller:
    return Caller(space="local:me", user_id="ada")


@pytest.fixture
def client() -> FakeClient:
    """Return a client with a library of three videos."""
    return FakeClient(videos=[SNOW, GOAL, TALK])


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return settings with their own data folder, for this process and those that it starts."""
    monkeypatch.setenv("REELSEEK_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Settings()


@pytest.fixture
def running(client: FakeClient, settings: Settings) -> Iterator[Settings]:
    """Serve the in-memory library as a running `reelseek up` does, and return its settings."""
    with enter_in_thread(relay.serve_relay(client, settings)):
        yield settings


@pytest.fixture
async def chat(client: FakeClient, clean_redis: str) -> AsyncIterator[ChatService]:
    """Return the service that answers requests of chat platforms."""
    async with open_chat_stores(clean_redis, "20/minute", "100/minute") as stores:
        yield ChatService(client, stores)


@pytest.fixture
def responder() -> RecordingResponder:
    return RecordingResponder()
