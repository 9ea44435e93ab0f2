"""The real app at a fake Slack, with a library in memory and a real Redis."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bots.chat.stores import ChatStores, open_chat_stores
from bots.slack.run import RunningApp, running_app
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import GOAL, SNOW, TALK
from tests.support.slack.methods import APP_TOKEN, BOT_TOKEN
from tests.support.slack.server import FakeSlack, run_fake_slack
from tests.support.slack.world import SPACE
from worker.settings import Settings


@pytest.fixture
def client() -> FakeClient:
    """Make a library of three videos that Bob added."""
    return FakeClient([replace(video, space=SPACE, submitter="U0000BOB", name="Bob") for video in (SNOW, GOAL, TALK)])


@pytest.fixture
def settings(clean_redis: str, tmp_path: Path, no_dotenv: None) -> Settings:
    return Settings(
        redis_url=clean_redis, data_dir=tmp_path / "data", slack_bot_token=BOT_TOKEN, slack_app_token=APP_TOKEN
    )


@pytest.fixture
async def server() -> AsyncIterator[FakeSlack]:
    """Run a fake Slack. A request that it refuses fails the test."""
    async with run_fake_slack() as running:
        yield running
        assert running.refused == []


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[ChatStores]:
    assert settings.redis_url
    async with open_chat_stores(
        settings.redis_url.get_secret_value(), settings.person_rate, settings.space_rate
    ) as opened:
        yield opened


@pytest.fixture
async def app(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings
) -> AsyncIterator[RunningApp]:
    async with running_app(settings, client, stores, api_url=f"{server.address}/api/") as running:
        yield running
