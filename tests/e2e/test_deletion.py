"""Deletion of a person's or a space's data, searched for in everything that Qdrant, Redis and the blob store hold."""

import asyncio
import json
import re
import threading
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from bots.chat.requests import ChatRequest
from bots.chat.service import ChatService
from bots.chat.stores import open_chat_stores
from bots.commands.replies import IndexingProgress, LinkOutcome, Reply, Results
from indexer.link.canonical import canonicalize
from indexer.vectors.vector_store import Filter
from tests.support.indexer.clips import serve_clip
from tests.support.servers.processes import Process, run_worker
from tests.support.servers.site import Site
from tests.support.worker.fake_encoder_worker import FAKE_ENCODER_WORKER, open_fake_encoder_services
from worker.client.queue_client import connect_client
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.services import Services
from worker.settings import Settings
from worker.user_data import hash_user

ANN = Caller(space="discord:701", user_id="P-ann", display_name="Annika")
BOB = Caller(space="slack:T702", user_id="P-bob", display_name="Bobby", private_channel="R55", is_admin=True)
CAT = Caller(space="slack:T703", user_id="P-cat", display_name="Catrin")


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
    """Open the stores in this process, to inspect them; the worker is another process."""
    with closing(open_fake_encoder_services(settings, threading.Event())) as services:
        yield services
        for collection in services.vectors.collections():
            services.vectors.drop(collection)


@pytest.fixture
def worker(services: Services, settings: Settings, tmp_path: Path, clean_redis: str) -> Iterator[Process]:
    extra = {"REELSEEK_QDRANT_URL": str(settings.qdrant_url), "REELSEEK_DATA_DIR": str(settings.data_dir)}
    with run_worker(FAKE_ENCODER_WORKER, clean_redis, tmp_path, **extra) as process:
        yield process


@dataclass
class RecordingResponder:
    replies: list[Reply] = field(default_factory=list)

    async def show(self, request: ChatRequest, reply: Reply) -> None:
        self.replies.append(reply)


@dataclass
class Person:
    """A person in a chat, who submits `link`."""

    caller: Caller
    chat: ChatService
    link: str

    @property
    def query(self) -> str:
        return f"zebra {self.caller.user_id}"

    async def ask(self, command: str, **args: Any) -> Reply:
        return await self.ask_as_of(time.time(), command, **args)

    async def ask_as_of(self, asked_at: float, command: str, **args: Any) -> Reply:
        """Return the last reply to a request of the given time, as a bot serves that takes over from another."""
        responder, platform = RecordingResponder(), self.caller.space.partition(":")[0]
        request = ChatRequest(platform, command, args, self.caller, "en", {"channel": "5"}, asked_at=asked_at)
        await self.chat.serve(request, responder)
        return responder.replies[-1] if responder.replies else IndexingProgress((), is_final=True)

    async def use_everything(self) -> None:
        """Do everything that stores data of this person."""
        assert isinstance(await self.ask("index", links=[self.link], message_id="m1"), IndexingProgress)
        found = await self.ask("find", words=self.query)
        assert isinstance(found, Results)
        assert [card.link for card in found.cards] == [self.link]
        for action in ("up", "share", "like", "inside"):
            await self.ask("press", token=found.token, action=action)
        await self.ask("library", search="P-")
        await self.chat.settings(self.caller)
        notes = self.chat.stores.notes
        await notes.set_note(self.caller.space, "link:#1", self.link)
        await notes.set_note(self.caller.space, "person", str(self.caller.display_name), user_id=self.caller.user_id)

    def list_identifiers(self) -> list[str]:
        """Return texts that must not be found anywhere after the deletion."""
        user_id, name = self.caller.user_id, str(self.caller.display_name)
        return [user_id, hash_user(user_id), name, self.link.rpartition("/")[2], canonicalize(self.link).video_id]


@asynccontextmanager
async def open_people(settings: Settings, redis_url: str, links: list[str]) -> AsyncIterator[list[Person]]:
    # Rate limits of one second: their keys must expire during the test.
    async with (
        connect_client(settings) as client,
        open_chat_stores(redis_url, "1000/second", "1000/second") as stores,
    ):
        chat = ChatService(client, stores)
        yield [Person(caller, chat, link) for caller, link in zip((ANN, BOB, CAT), links, strict=True)]


# Everything that is stored, by a name of the place.


def read_everything(services: Services, redis_url: str) -> dict[str, str]:
    return {**read_qdrant(services), **read_redis(redis_url), **read_files(services.settings.data_dir)}


def read_qdrant(services: Services) -> dict[str, str]:
    return {
        f"qdrant {collection} {point.id}": json.dumps(dict(point.payload), ensure_ascii=False)
        for collection in services.vectors.collections()
        for point in services.vectors.scroll(collection, Filter())
    }


def read_redis(url: str) -> dict[str, str]:
    with redis.Redis.from_url(url) as connection:
        return {f"redis {key.decode()}": decode(read_value(connection, key)) for key in connection.scan_iter()}


def read_value(connection: redis.Redis, key: bytes) -> bytes:
    match connection.type(key):
        case b"string":
            return cast(bytes, connection.get(key) or b"")
        case b"list":
            return _join(connection.lrange(key, 0, -1))
        case b"hash":
            return _join(part for pair in connection.hgetall(key).items() for part in pair)
        case b"set":
            return _join(connection.smembers(key))
        case b"zset":
            return _join(connection.zrange(key, 0, -1))
        case kind:
            return f"unknown: {kind!r}".encode()


def _join(parts: Iterable[Any]) -> bytes:
    return b"\n".join(parts)


def decode(value: bytes) -> str:
    """Return the value as text, together with the decoded bodies of Celery's messages."""
    bodies = [b64decode(body) for body in re.findall(rb'"body": ?\\?"([A-Za-z0-9+/=]+)', value)]
    return b"\n".join((value, *bodies)).decode(errors="replace")


def read_files(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {f"file {path.relative_to(folder)}": path.read_bytes().decode(errors="replace") for path in files}


def find_identifiers(stored: dict[str, str], identifiers: list[str]) -> list[str]:
    return [
        f"{name}: {each}" for name, value in stored.items() for each in identifiers if each in name or each in value
    ]


async def wait_until_gone(services: Services, redis_url: str, identifiers: list[str], timeout_s: float = 10) -> None:
    """Wait for rate limits to expire and for messages to be acknowledged; fail if anything else is left."""
    deadline_s = time.monotonic() + timeout_s
    while left := find_identifiers(await asyncio.to_thread(read_everything, services, redis_url), identifiers):
        assert time.monotonic() < deadline_s, left


async def test_deletion_leaves_nothing_behind(
    worker: Process, services: Services, settings: Settings, clean_redis: str, site: Site
) -> None:
    """`/forget mine` deletes a person's data, removal of the bot a space's; data of a third person stays as it was."""
    links = [
        serve_clip(site, f"of-{caller.user_id}.mp4", colour, seconds=1, size=(64, 64))
        for caller, colour in ((ANN, "red"), (BOB, "blue"), (CAT, "green"))
    ]
    async with open_people(settings, clean_redis, links) as (ann, bob, cat):
        await asyncio.gather(*(person.use_everything() for person in (ann, bob, cat)))
        stored = read_everything(services, clean_redis)
        for person in (ann, bob, cat):
            places = {found.partition(" ")[0] for found in find_identifiers(stored, person.list_identifiers())}
            assert places == {"qdrant", "redis", "file"}, "the test must be able to find something"

        before = time.time()
        await ann.ask("forget", only_own=True)
        await wait_until_gone(services, clean_redis, ann.list_identifiers())
        late = await ann.ask_as_of(before, "index", links=[ann.link], message_id="m1")
        assert isinstance(late, IndexingProgress)
        assert [line.code for line in late.lines if isinstance(line, LinkOutcome)] == [ErrorCode.NOT_IN_LIBRARY]
        await wait_until_gone(services, clean_redis, ann.list_identifiers())

        await bob.ask("leave")
        services.make_space_removal().purge_departed_spaces()
        await wait_until_gone(services, clean_redis, [*bob.list_identifiers(), "T702"])

        again = await cat.ask("find", words=cat.query)
        assert isinstance(again, Results)
        assert [card.link for card in again.cards] == [cat.link]
        assert find_identifiers(read_redis(clean_redis), cat.list_identifiers())
