"""Who leaves takes everything along: looked for in all that Qdrant, Redis and the blob store hold."""

import asyncio
import json
import re
import threading
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from bots.chat.service import ChatService
from bots.chat.store import ChatRequest, open_chat_store
from bots.commands.replies import IndexingProgress, LinkOutcome, Reply, Results
from indexer.vectors.vector_store import Filter
from tests.e2e.conftest import Site
from tests.indexer.conftest import fast_folder
from tests.support.clips import clip
from tests.support.fake_encoder_worker import LIGHT, light_parts
from tests.support.processes import Process, running
from tests.support.qdrant import qdrant_url
from worker.client.queue_client import connect
from worker.handlers.spaces import forget_left, video_id
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller
from worker.services import Services
from worker.settings import Settings
from worker.user_data import mark

__all__ = ["fast_folder", "qdrant_url"]

ROOT = Path(__file__).parents[2]
LOOPBACK = '["127.0.0.1/32"]'
ANN = Caller(space="discord:701", user_id="P-ann", name="Annika")
BOB = Caller(space="slack:T702", user_id="P-bob", name="Bobby", private_channel="R55", is_admin=True)
CAT = Caller(space="slack:T703", user_id="P-cat", name="Catrin")


@pytest.fixture
def settings(tmp_path: Path, clean_redis: str, qdrant_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        redis_url=clean_redis,
        qdrant_url=qdrant_url,
        allow_networks=("127.0.0.1/32",),
        leave_grace_days=0,
    )


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """What this process looks into; another one works."""
    with closing(light_parts(settings, threading.Event())) as one:
        yield one
        for collection in one.points.collections():
            one.points.drop(collection)


@pytest.fixture
def worker(services: Services, settings: Settings, tmp_path: Path, clean_redis: str) -> Iterator[Process]:
    given = {
        "REELSEEK_REDIS_URL": clean_redis,
        "REELSEEK_QDRANT_URL": str(settings.qdrant_url),
        "REELSEEK_DATA_DIR": str(settings.data_dir),
        "REELSEEK_ALLOW_NETWORKS": LOOPBACK,
    }
    with running(LIGHT, tmp_path, **given) as process:
        process.wait_for("worker.ready")
        yield process


@dataclass
class Screen:
    seen: list[Reply] = field(default_factory=list)

    async def show(self, errand: ChatRequest, reply: Reply) -> None:
        self.seen.append(reply)


@dataclass
class Person:
    """Somebody at a chat."""

    caller: Caller
    front: ChatService
    link: str

    @property
    def query(self) -> str:
        return f"zebra {self.caller.user_id}"

    async def ask(self, command: str, **args: Any) -> Reply:
        return await self.had_asked(time.time(), command, **args)

    async def had_asked(self, at: float, command: str, **args: Any) -> Reply:
        """What was asked `at` a time and is done only now, as by a bot that takes over from another."""
        screen, platform = Screen(), self.caller.space.partition(":")[0]
        await self.front.serve(ChatRequest(platform, command, args, self.caller, "en", {"channel": "5"}, at=at), screen)
        return screen.seen[-1] if screen.seen else IndexingProgress((), over=True)

    async def live(self) -> None:
        """Everything that leaves something behind."""
        assert isinstance(await self.ask("index", links=[self.link], message="m1"), IndexingProgress)
        found = await self.ask("find", words=self.query)
        assert isinstance(found, Results)
        assert [card.link for card in found.cards] == [self.link]
        for action in ("up", "share", "like", "inside"):
            await self.ask("press", token=found.token, action=action)
        await self.ask("library", search="P-")
        await self.front.settings(self.caller)
        await self.front.chat_store.note(self.caller.space, "link:#1", self.link)
        await self.front.chat_store.note(self.caller.space, "person", self.caller.name, user_id=self.caller.user_id)

    def marks(self) -> list[str]:
        """What must be found nowhere when the person is gone."""
        own = [self.caller.user_id, mark(self.caller.user_id), self.caller.name]
        return [*own, self.link.rpartition("/")[2], video_id(self.link)]


@asynccontextmanager
async def people(settings: Settings, url: str, site: Site) -> AsyncIterator[list[Person]]:
    # Limits that lapse in a second: they are no leftover, but stay for as long as they limit.
    async with connect(settings) as client, open_chat_store(url, "1000/second", "1000/second") as kept:
        yield [
            Person(caller, ChatService(client, kept), f"{site.url}/of-{caller.user_id}.mp4")
            for caller in (ANN, BOB, CAT)
        ]


# ---- all that is stored ----


def everything(services: Services, url: str) -> dict[str, str]:
    """Each thing that is stored anywhere, by its name."""
    return {**in_qdrant(services), **in_redis(url), **in_files(services.settings.data_dir)}


def in_qdrant(services: Services) -> dict[str, str]:
    return {
        f"qdrant {collection} {point.id}": json.dumps(dict(point.payload), ensure_ascii=False)
        for collection in services.points.collections()
        for point in services.points.scroll(collection, Filter())
    }


def in_redis(url: str) -> dict[str, str]:
    with redis.Redis.from_url(url) as connection:
        return {f"redis {key.decode()}": readable(value_of(connection, key)) for key in connection.scan_iter()}


def value_of(connection: redis.Redis, key: bytes) -> bytes:
    match connection.type(key):
        case b"string":
            return cast(bytes, connection.get(key) or b"")
        case b"list":
            return b"\n".join(cast(list[bytes], connection.lrange(key, 0, -1)))
        case b"hash":
            return b"\n".join(part for pair in connection.hgetall(key).items() for part in pair)
        case b"set":
            return b"\n".join(connection.smembers(key))
        case b"zset":
            return b"\n".join(connection.zrange(key, 0, -1))
        case kind:
            return f"unknown: {kind!r}".encode()


def readable(value: bytes) -> str:
    """Celery packs the bodies of its messages."""
    bodies = [b64decode(body) for body in re.findall(rb'"body": ?\\?"([A-Za-z0-9+/=]+)', value)]
    return b"\n".join((value, *bodies)).decode(errors="replace")


def in_files(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {f"file {path.relative_to(folder)}": path.read_bytes().decode(errors="replace") for path in files}


def holding(stored: dict[str, str], marks: list[str]) -> list[str]:
    return [f"{name}: {mark}" for name, value in stored.items() for mark in marks if mark in name or mark in value]


async def gone(services: Services, url: str, marks: list[str], within_s: float = 10) -> None:
    """Limits and messages that are just being settled go by themselves; anything else is a leftover."""
    until_s = time.monotonic() + within_s
    while left := holding(await asyncio.to_thread(everything, services, url), marks):
        assert time.monotonic() < until_s, left


async def test_who_leaves_takes_everything_along(
    worker: Process, services: Services, settings: Settings, clean_redis: str, site: Site
) -> None:
    """`/forget mine` a person's, the removal of the bot a whole space's; a third one's stays as it was."""
    async with people(settings, clean_redis, site) as (ann, bob, cat):
        for each, colour in ((ann, "red"), (bob, "blue"), (cat, "green")):
            clip(site.folder / each.link.rpartition("/")[2], colour, seconds=1, size=(64, 64))
        await asyncio.gather(*(each.live() for each in (ann, bob, cat)))
        stored = everything(services, clean_redis)
        for each in (ann, bob, cat):
            kinds = {found.partition(" ")[0] for found in holding(stored, each.marks())}
            assert kinds == {"qdrant", "redis", "file"}, "the test must be able to find something"

        before = time.time()
        await ann.ask("forget", mine=True)
        await gone(services, clean_redis, ann.marks())
        late = await ann.had_asked(before, "index", links=[ann.link], message="m1")
        assert isinstance(late, IndexingProgress)
        assert [line.code for line in late.lines if isinstance(line, LinkOutcome)] == [ErrorCode.NOT_IN_LIBRARY]
        await gone(services, clean_redis, ann.marks())

        await bob.ask("leave")
        forget_left(services)
        await gone(services, clean_redis, [*bob.marks(), "T702"])

        again = await cat.ask("find", words=cat.query)
        assert isinstance(again, Results)
        assert [card.link for card in again.cards] == [cat.link]
        assert holding(in_redis(clean_redis), cat.marks())
