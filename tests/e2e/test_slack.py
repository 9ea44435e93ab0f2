"""Slack through the whole product: the real app, a real Redis, and a real worker with the starter preset."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bots.chat.stores import open_chat_stores
from bots.slack.run import RunningApp, running_app
from tests.support.indexer.clips import serve_samples
from tests.support.servers.processes import REELSEEK, Process, run_worker
from tests.support.servers.site import Site
from tests.support.slack.methods import APP_TOKEN, BOT_TOKEN, ShownMessage
from tests.support.slack.server import FakeSlack, run_fake_slack
from worker.client.queue_client import connect_client
from worker.settings import Settings

ANN, ALL = "U0000ANN", "C0000ALL"


@pytest.fixture
def worker(clean_redis: str, tmp_path: Path) -> Iterator[Process]:
    """Run a worker of all queues, which owns the data."""
    data = tmp_path / "data"
    data.mkdir()
    with run_worker([REELSEEK, "worker"], clean_redis, data) as process:
        yield process


@pytest.fixture
async def server() -> AsyncIterator[FakeSlack]:
    async with run_fake_slack() as workspace:
        yield workspace
        assert workspace.refused == []


@pytest.fixture
async def app(worker: Process, server: FakeSlack, clean_redis: str, tmp_path: Path) -> AsyncIterator[RunningApp]:
    settings = Settings(
        redis_url=clean_redis,
        data_dir=tmp_path / "data",
        slack_bot_token=BOT_TOKEN,
        slack_app_token=APP_TOKEN,
    )
    async with (
        connect_client(settings) as client,
        open_chat_stores(clean_redis, settings.person_rate, settings.space_rate) as stores,
        running_app(settings, client, stores, api_url=f"{server.address}/api/") as app,
    ):
        yield app


async def ask(server: FakeSlack, words: str) -> ShownMessage:
    """Send a command as Ann. Returns the last message that she is shown for it."""
    before = len(server.shown_to(ANN))
    await server.command(words)
    shown: list[ShownMessage] = await server.wait_for(lambda: server.shown_to(ANN)[before:], timeout_s=60)
    return shown[-1]


async def test_all_commands_and_buttons(app: RunningApp, server: FakeSlack, site: Site) -> None:
    """Submit with progress, find, page, vote, share and forget, each by what a person does in Slack."""
    links = serve_samples(site, "swimming", "city_bikes", "city_walk", "big_buck_bunny", "carphone", "banana")
    message = {"type": "message", "channel_type": "im", "channel": "D0000ANN", "user": ANN, "ts": "1.0"}
    await server.event(message | {"text": " ".join(f"<{link}>" for link in links)})
    (progress,) = await server.wait_for(lambda: server.posted)
    await server.wait_for(lambda: progress.text.count("✅ Added") >= len(links), timeout_s=100)
    assert progress.edits >= 1

    # Links of a direct message stay private to Ann; submitted in a public channel, they are everyone's.
    assert "✅ Added" in (await ask(server, f"index {links[0]}")).text
    assert "already in the library" in (await ask(server, f"index {links[0]}")).text
    await server.command(f"index {' '.join(links[1:])}")
    await server.wait_for(
        lambda: any(each.text.count("✅ Added") >= len(links) - 1 for each in server.shown_to(ANN)), timeout_s=60
    )

    shown = await ask(server, "a person swims in water")
    strong = len(shown.buttons("Open"))
    first = shown.buttons("Open")[0]["url"]
    assert first.startswith(links[0])
    assert len(shown.files) == strong
    assert all(file.content.startswith(b"\xff\xd8") for file in server.files.values())
    await server.press(shown, shown.buttons("Show weaker matches")[0])
    await server.wait_for(lambda: shown.edits == 1, timeout_s=60)
    assert len(shown.buttons("Open")) == len(links) - strong
    await server.press(shown, shown.buttons("Back")[0])
    await server.wait_for(lambda: shown.edits == 2, timeout_s=60)
    assert shown.buttons("Open")[0]["url"] == first

    before = len(server.shown_to(ANN))
    await server.press(shown, shown.buttons("👍")[0])
    await server.wait_for(
        lambda: "Thanks" in server.shown_to(ANN)[-1].text and server.shown_to(ANN)[before:], timeout_s=60
    )
    await server.press(shown, shown.buttons("Share")[0])
    await server.wait_for(lambda: len(server.posted) == 2, timeout_s=60)
    assert (server.posted[1].channel, first in server.posted[1].text) == (ALL, True)

    assert "are needed" in (await ask(server, "retrain")).text
    assert "in use" in (await ask(server, "model")).text
    assert "no earlier model" in (await ask(server, "model rollback")).text
    assert "Setting changed" in (await ask(server, "settings submitters admins")).text

    assert "Removed" in (await ask(server, f"forget {links[0]}")).text
    again = await ask(server, "a person swims in water")
    assert links[0] not in str(again.payload)
    assert "5 videos" in (await ask(server, "status")).text
    assert "Removed" in (await ask(server, "forget mine")).text
    assert "library is empty" in (await ask(server, "library")).text
    await asyncio.wait_for(app.requests.tasks.wait_until_idle(), 60)
