"""Slack through the whole product: the real app, a real Redis, and a real worker with the starter preset."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bots.chat.store import open_chat_store
from bots.slack.run import Serving, serving
from tests.e2e.conftest import Site
from tests.support.clips import samples
from tests.support.processes import REELSEEK, Process, working
from tests.support.slack.methods import APP_TOKEN, BOT_TOKEN, Shown
from tests.support.slack.server import Slack, slack
from worker.client.queue_client import connect
from worker.settings import Settings

ANN, ALL = "U0000ANN", "C0000ALL"


@pytest.fixture
def worker(clean_redis: str, tmp_path: Path) -> Iterator[Process]:
    """All queues' worker, which owns the data."""
    data = tmp_path / "data"
    data.mkdir()
    with working([REELSEEK, "worker"], clean_redis, data) as process:
        yield process


@pytest.fixture
async def server() -> AsyncIterator[Slack]:
    async with slack() as workspace:
        yield workspace
        assert workspace.refused == []


@pytest.fixture
async def app(worker: Process, server: Slack, clean_redis: str, tmp_path: Path) -> AsyncIterator[Serving]:
    settings = Settings(
        redis_url=clean_redis, data_dir=tmp_path / "data", slack_bot_token=BOT_TOKEN, slack_app_token=APP_TOKEN
    )
    async with (
        connect(settings) as client,
        open_chat_store(clean_redis, settings.person_rate, settings.space_rate) as kept,
        serving(settings, client, kept, api=f"{server.address}/api/") as serving_slack,
    ):
        yield serving_slack


async def asked(server: Slack, words: str) -> Shown:
    """The last that Ann is shown for it."""
    before = len(server.to(ANN))
    await server.command(words)
    shown: list[Shown] = await server.until(lambda: server.to(ANN)[before:], timeout_s=60)
    return shown[-1]


async def test_the_story(app: Serving, server: Slack, site: Site) -> None:
    """Submitted, followed, found, paged, voted on, shared and forgotten; each step by what a person does in Slack."""
    names = ("swimming", "city_bikes", "city_walk", "big_buck_bunny", "carphone", "banana")
    links = [f"{site.url}/{name}" for name in samples(site.folder, *names)]
    message = {"type": "message", "channel_type": "im", "channel": "D0000ANN", "user": ANN, "ts": "1.0"}
    await server.event(message | {"text": " ".join(f"<{link}>" for link in links)})
    (progress,) = await server.until(lambda: server.posted)
    await server.until(lambda: progress.text.count("✅ Added") >= len(links), timeout_s=100)
    assert progress.edits >= 1

    # What she gave the app alone the others don't know of; from here on they do.
    assert "✅ Added" in (await asked(server, f"index {links[0]}")).text
    assert "in the library already" in (await asked(server, f"index {links[0]}")).text
    await server.command(f"index {' '.join(links[1:])}")
    await server.until(
        lambda: any(each.text.count("✅ Added") >= len(links) - 1 for each in server.to(ANN)), timeout_s=60
    )

    shown = await asked(server, "a person swims in water")
    assert len(shown.buttons("Open")) == 5
    first = shown.buttons("Open")[0]["url"]
    assert first.startswith(links[0])
    assert len(shown.files) == 5
    assert all(file.content.startswith(b"\xff\xd8") for file in server.files.values())
    await server.press(shown, shown.buttons("Next")[0])
    await server.until(lambda: shown.edits == 1, timeout_s=60)
    assert len(shown.buttons("Open")) == 1
    await server.press(shown, shown.buttons("Back")[0])
    await server.until(lambda: shown.edits == 2, timeout_s=60)
    assert shown.buttons("Open")[0]["url"] == first

    before = len(server.to(ANN))
    await server.press(shown, shown.buttons("👍")[0])
    await server.until(lambda: "Thanks" in server.to(ANN)[-1].text and server.to(ANN)[before:], timeout_s=60)
    await server.press(shown, shown.buttons("Share")[0])
    await server.until(lambda: len(server.posted) == 2, timeout_s=60)
    assert (server.posted[1].channel, first in server.posted[1].text) == (ALL, True)

    assert "are needed" in (await asked(server, "retrain")).text
    assert "in use" in (await asked(server, "model")).text
    assert "no other model" in (await asked(server, "model rollback")).text
    assert "Changed" in (await asked(server, "settings submitters admins")).text

    assert "Forgotten" in (await asked(server, f"forget {links[0]}")).text
    again = await asked(server, "a person swims in water")
    assert links[0] not in str(again.payload)
    assert "5 videos" in (await asked(server, "status")).text
    assert "Forgotten" in (await asked(server, "forget mine")).text
    assert "library is empty" in (await asked(server, "library")).text
    await asyncio.wait_for(app.bot.tasks.idle(), 60)
