import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from bots.chat.service import ChatService
from bots.chat.store import open_chat_store
from tests.support.fake_client import GOAL, SNOW, TALK, FakeClient
from tests.support.fake_platform import Screen
from worker.client import relay
from worker.protocol.messages import Caller
from worker.settings import Settings

T = TypeVar("T")


@pytest.fixture
def caller() -> Caller:
    return Caller(space="local:me", user_id="ada")


@pytest.fixture
def client() -> FakeClient:
    """A library of three videos, and sites that behave in different ways."""
    return FakeClient(videos=[SNOW, GOAL, TALK])


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A data folder of its own, for this process and those it starts."""
    monkeypatch.setenv("REELSEEK_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Settings()


@pytest.fixture
def running(client: FakeClient, settings: Settings) -> Iterator[Settings]:
    """As if `reelseek up` ran here, with the library in memory behind it."""
    with in_thread(relay.serve(client, settings)):
        yield settings


@pytest.fixture
async def front(client: FakeClient, clean_redis: str) -> AsyncIterator[ChatService]:
    """What answers the chat platforms' errands."""
    async with open_chat_store(clean_redis, "20/minute", "100/minute") as one:
        yield ChatService(client, one)


@pytest.fixture
def screen() -> Screen:
    return Screen()


@contextmanager
def in_thread(manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """An asynchronous context, kept open by a loop of its own, for tests that are not asynchronous."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        entered = asyncio.run_coroutine_threadsafe(_enter(manager), loop).result(60)
        try:
            yield entered
        finally:
            asyncio.run_coroutine_threadsafe(_leave(manager), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _enter(manager: AbstractAsyncContextManager[T]) -> T:
    return await manager.__aenter__()


async def _leave(manager: AbstractAsyncContextManager[T]) -> None:
    await manager.__aexit__(None, None, None)
