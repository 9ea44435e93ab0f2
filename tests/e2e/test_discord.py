"""Discord's stories through everything: the real client library, a worker process, a real Redis, the starter preset."""

import fcntl
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bots.chat.service import ChatService
from bots.chat.store import open_chat_store
from bots.discord.bot import Bot
from tests.bots.discord.conftest import running as connected
from tests.e2e.conftest import Site
from tests.support.clips import clip, samples
from tests.support.discord.server import Server, serving
from tests.support.discord.world import ADA, BOB, CLIPS, EVE, GENERAL, GUILD, SECRET, ephemeral, labels, texts
from tests.support.fake_encoder_worker import LIGHT
from tests.support.processes import REELSEEK, Process, working
from worker.client.queue_client import connect
from worker.settings import Settings

WORKER = (REELSEEK, "worker", "--queues", "search,index")
WATCHED = {GUILD: frozenset({str(GUILD + CLIPS)})}


@pytest.fixture
def worker(request: pytest.FixtureRequest, clean_redis: str, tmp_path: Path) -> Iterator[Process]:
    """A worker of all queues with a library of its own."""
    with working(getattr(request, "param", WORKER), clean_redis, tmp_path) as process:
        yield process


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(wait_s=60) as served:
        yield served
    assert served.refused == []


@pytest.fixture
async def bot(worker: Process, server: Server, clean_redis: str, tmp_path: Path) -> AsyncIterator[Bot]:
    settings = Settings(redis_url=clean_redis, data_dir=tmp_path, search_timeout_s=20)  # type: ignore[arg-type]
    async with (
        connect(settings) as client,
        open_chat_store(clean_redis, "500/minute", "500/minute") as kept,
        connected(Bot(ChatService(client, kept), WATCHED, reads=True), server) as ready,
    ):
        yield ready


@pytest.mark.timeout(240)
async def test_every_row_of_what_people_do(bot: Bot, server: Server, site: Site) -> None:
    """Submit with progress, find, page, vote, more like, inside, share, the library, a watched channel, forget."""
    names = samples(site.folder, "city_bikes", "city_walk", "big_buck_bunny")
    bikes, walk, bunny = (f"{site.url}/{name}" for name in names)

    # submit: a command, a message's menu
    asked = await server.command(ADA, "index", link=f"{bikes} {walk}")
    await server.until(lambda: asked.shown and texts(asked.shown[-1]).count("Added “") == 2)
    assert len(asked.shown) > 1
    message = await server.write(BOB, f"see {bunny}", channel=GENERAL, silent=True)
    await server.answered(await server.menu(BOB, "Index the links in this message", message), "Added “big buck bunny”")

    # find, page
    shown = await server.answered(await server.command(ADA, "find", words="bicycles in a street", limit=2), "Next")
    assert ephemeral(shown)
    assert len(shown["attachments"]) == 2
    assert texts(shown).index("city bikes") < texts(shown).index("0:")
    assert "added by Ada" in texts(shown)
    turned = await server.answered(await server.press(ADA, shown, "Next"), "Back")
    assert turned["id"] == shown["id"]
    first = await server.answered(await server.press(ADA, turned, "Back"), "Next")

    # vote, more like this, inside, share
    await server.answered(await server.press(ADA, first, "Fits"), "Thanks")
    assert "more like" in texts(await server.answered(await server.press(ADA, first, "More like this"))).lower()
    inside = await server.answered(await server.press(ADA, first, "Search inside"), "0:0")
    assert labels(inside).count("Share") == 2
    shared = await server.answered(await server.press(ADA, first, "Share"), "shares")
    assert not ephemeral(shared)
    assert shared["content"].splitlines()[-1].startswith(f"{site.url}/")

    # keep
    await server.answered(await server.command(BOB, "library"), "3 videos")
    await server.answered(await server.command(BOB, "status"), "3 videos and 6 moments")
    await server.answered(await server.command(BOB, "forget", link=bikes), "Somebody else")
    await server.answered(await server.command(ADA, "forget", link=bikes), f"Forgotten: {bikes}")
    await server.answered(await server.command(ADA, "forget", mine=True), f"Forgotten: {walk}")
    await server.answered(await server.command(BOB, "library"), "1 video")


@pytest.mark.parametrize("worker", [LIGHT], indirect=True)
async def test_rooms_and_watched_channels(bot: Bot, server: Server, site: Site) -> None:
    """A private channel's link is found there only; a watched channel's follows its message; admins decide."""
    clip(site.folder / "red.mp4", "red")
    clip(site.folder / "blue.mp4", "blue")
    secret = await server.command(ADA, "index", link=f"{site.url}/red.mp4", channel=SECRET)
    await server.answered(secret, "Added")
    await server.answered(await server.command(ADA, "find", words="red", channel=SECRET), "red")
    await server.answered(await server.command(BOB, "find", words="red"), "Nothing found")

    message = await server.write(BOB, f"new: {site.url}/blue.mp4")
    await server.until(lambda: server.reactions)
    await server.answered(await server.command(ADA, "find", words="blue"), "added by Bob")
    await server.delete(message)
    while "blue" in texts(await server.answered(await server.command(ADA, "library"))):
        pass

    await server.answered(await server.command(ADA, "settings", name="submitters", value="admins"), "Only admins")
    await server.answered(await server.command(EVE, "settings", name="submitters", value="admins"), "Changed")
    await server.answered(await server.command(ADA, "index", link=f"{site.url}/blue.mp4"), "Only admins may add")
    await server.answered(await server.command(ADA, "retrain"), "Only admins")
    await server.answered(await server.command(EVE, "retrain"), "more are needed")
    await server.answered(await server.command(EVE, "model"), "in use")
    await server.answered(await server.command(EVE, "model", action="rollback"), "no other model")


@pytest.mark.parametrize("worker", [(*LIGHT, "gate")], indirect=True)
async def test_the_worker_goes_and_comes_back(
    bot: Bot, server: Server, worker: Process, clean_redis: str, tmp_path: Path, site: Site
) -> None:
    """A link whose worker is killed is finished by the next one, and the same message says so."""
    clip(site.folder / "red.mp4", "red")
    with (tmp_path / "gate").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        asked = await server.command(ADA, "index", link=f"{site.url}/red.mp4")
        passing = await server.answered(asked, "learning what happens")
        worker.end(signal.SIGKILL)
    async with Redis.from_url(clean_redis) as redis:
        # As half a minute does: nobody holds the video and its job.
        await redis.delete(*await redis.keys("reelseek:lease:run:*"), *await redis.keys("reelseek:lease:job:*"))
    with working(LIGHT, clean_redis, tmp_path):
        done = await server.until(lambda: asked.shown[-1] if "Added" in texts(asked.shown[-1]) else None)
    assert done["id"] == passing["id"]
    assert len({each["id"] for each in asked.shown}) == 1
