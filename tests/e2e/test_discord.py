"""Discord through the whole product: the real client library, a worker process, a real Redis, the starter preset."""

import fcntl
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bots.chat.service import ChatService
from bots.chat.stores import open_chat_stores
from bots.discord.bot import Bot
from bots.discord.watched_channels import WatchedChannels
from tests.support.discord.bot import run_bot
from tests.support.discord.server import FakeDiscord, run_fake_discord
from tests.support.discord.world import ADA, BOB, CLIPS, EVE, GENERAL, GUILD, SECRET, is_ephemeral, labels, texts
from tests.support.indexer.clips import serve_clip, serve_samples
from tests.support.servers.processes import REELSEEK, Process, run_worker
from tests.support.servers.site import Site
from tests.support.worker.fake_encoder_worker import FAKE_ENCODER_WORKER
from worker.client.queue_client import connect_client
from worker.settings import Settings

STARTER_WORKER = (REELSEEK, "worker", "--queues", "search,index")
WATCHED = {GUILD: frozenset({str(GUILD + CLIPS)})}


@pytest.fixture
def worker(request: pytest.FixtureRequest, clean_redis: str, tmp_path: Path) -> Iterator[Process]:
    """Run a worker of all queues with a library of its own."""
    with run_worker(getattr(request, "param", STARTER_WORKER), clean_redis, tmp_path) as process:
        yield process


@pytest.fixture
async def server() -> AsyncIterator[FakeDiscord]:
    async with run_fake_discord(timeout_s=60) as served:
        yield served
    assert served.refused == []


@pytest.fixture
async def bot(worker: Process, server: FakeDiscord, clean_redis: str, tmp_path: Path) -> AsyncIterator[Bot]:
    settings = Settings(redis_url=clean_redis, data_dir=tmp_path, search_timeout_s=20)
    async with (
        connect_client(settings) as client,
        open_chat_stores(clean_redis, "500/minute", "500/minute") as stores,
        run_bot(
            Bot(ChatService(client, stores), WatchedChannels(client, WATCHED), reads_messages=True), server
        ) as running,
    ):
        yield running


@pytest.mark.timeout(240)
async def test_all_commands_and_buttons(bot: Bot, server: FakeDiscord, site: Site) -> None:
    """Submit with progress, find, page, vote, more like, inside, share, list the library, forget."""
    bikes, walk, bunny = serve_samples(site, "city_bikes", "city_walk", "big_buck_bunny")

    # submit: a command, a message's menu
    asked = await server.command(ADA, "index", link=f"{bikes} {walk}")
    await server.wait_for(lambda: asked.shown and texts(asked.shown[-1]).count("Added “") == 2)
    assert len(asked.shown) > 1
    message = await server.write(BOB, f"see {bunny}", channel=GENERAL, is_announced=False)
    await server.wait_for_answer(
        await server.menu(BOB, "Add the videos in this message", message), "Added “big buck bunny”"
    )

    # find, page
    shown = await server.wait_for_answer(
        await server.command(ADA, "find", words="bicycles in a street", limit=2), "Next"
    )
    assert is_ephemeral(shown)
    assert len(shown["attachments"]) == 2
    assert texts(shown).index("city bikes") < texts(shown).index("0:")
    assert "added by Ada" in texts(shown)
    turned = await server.wait_for_answer(await server.press(ADA, shown, "Next"), "Back")
    assert turned["id"] == shown["id"]
    first = await server.wait_for_answer(await server.press(ADA, turned, "Back"), "Next")

    # vote, more like this, inside, share
    await server.wait_for_answer(await server.press(ADA, first, "Good match"), "Thanks")
    for button in ("More like this", "Less like this"):
        await server.wait_for_answer(await server.press(ADA, first, button), "bicycles in a street")
    inside = await server.wait_for_answer(await server.press(ADA, first, "Search inside"), "0:0")
    assert labels(inside).count("Share") == 2
    shared = await server.wait_for_answer(await server.press(ADA, first, "Share"), "shared a result")
    assert not is_ephemeral(shared)
    assert shared["content"].splitlines()[-1].startswith(site.url("/"))

    # library
    await server.wait_for_answer(await server.command(BOB, "library"), "3 videos")
    await server.wait_for_answer(await server.command(BOB, "status"), "3 videos, 6 moments")
    await server.wait_for_answer(await server.command(BOB, "forget", link=bikes), "Someone else")
    await server.wait_for_answer(await server.command(ADA, "forget", link=bikes), f"Removed: {bikes}")
    await server.wait_for_answer(await server.command(ADA, "forget", mine=True), f"Removed: {walk}")
    await server.wait_for_answer(await server.command(BOB, "library"), "1 video")


@pytest.mark.parametrize("worker", [FAKE_ENCODER_WORKER], indirect=True)
async def test_private_channels_watched_channels_and_admin_commands(bot: Bot, server: FakeDiscord, site: Site) -> None:
    """A private channel's link is found there only; a watched channel's follows its message; admins decide."""
    red, blue = serve_clip(site, "red.mp4", "red"), serve_clip(site, "blue.mp4", "blue")
    await server.wait_for_answer(await server.command(ADA, "index", link=red, channel=SECRET), "Added")
    await server.wait_for_answer(await server.command(ADA, "find", words="red", channel=SECRET), "red")
    await server.wait_for_answer(await server.command(BOB, "find", words="red"), "Nothing found")

    message = await server.write(BOB, f"new: {blue}")
    await server.wait_for(lambda: server.reactions)
    await server.wait_for_answer(await server.command(ADA, "find", words="blue"), "added by Bob")
    await server.delete(message)
    while "blue" in texts(await server.wait_for_answer(await server.command(ADA, "library"))):
        pass

    await server.wait_for_answer(
        await server.command(ADA, "settings", name="submitters", value="admins"), "Only admins"
    )
    await server.wait_for_answer(
        await server.command(EVE, "settings", name="submitters", value="admins"), "Setting changed"
    )
    await server.wait_for_answer(await server.command(ADA, "index", link=blue), "Only admins can add")
    await server.wait_for_answer(await server.command(ADA, "retrain"), "Only admins")
    await server.wait_for_answer(await server.command(EVE, "retrain"), "more are needed")
    await server.wait_for_answer(await server.command(EVE, "model"), "in use")
    await server.wait_for_answer(await server.command(EVE, "model", action="rollback"), "no earlier model")


@pytest.mark.parametrize("worker", [(*FAKE_ENCODER_WORKER, "gate")], indirect=True)
async def test_job_of_a_killed_worker_is_finished_by_the_next(
    bot: Bot, server: FakeDiscord, worker: Process, clean_redis: str, tmp_path: Path, site: Site
) -> None:
    """The message that showed the progress shows the outcome."""
    link = serve_clip(site, "red.mp4", "red")
    with (tmp_path / "gate").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        asked = await server.command(ADA, "index", link=link)
        progress = await server.wait_for_answer(asked, "analysing the moments")
        worker.stop(signal.SIGKILL)
    async with Redis.from_url(clean_redis) as redis:
        # The leases of the video and its job would expire after 30 s.
        await redis.delete(*await redis.keys("reelseek:lease:run:*"), *await redis.keys("reelseek:lease:job:*"))
    with run_worker(FAKE_ENCODER_WORKER, clean_redis, tmp_path):
        done = await server.wait_for(lambda: asked.shown[-1] if "Added" in texts(asked.shown[-1]) else None)
    assert done["id"] == progress["id"]
    assert len({each["id"] for each in asked.shown}) == 1
