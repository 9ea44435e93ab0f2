"""Taking a video back, whatever happens meanwhile: over a store in process and a real Redis."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from indexer.errors import StoreUnavailableError
from indexer.store.blobs import video_prefix
from indexer.store.library import Library
from indexer.store.spaces import VoteRecord
from indexer.vectors.vector_store import Filter
from model.ports import Encoder as ModelEncoder
from tests.support.indexer_fakes import Between, FakeEncoder, a_video, crash, some_moments
from worker import user_data
from worker.handlers.library import ANSWERS
from worker.handlers.spaces import RequestRefusedError, finish_leaving
from worker.model_cache import train_preset
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller, Forget, Submit, Submitted
from worker.queue.app import make_app
from worker.queue.memory_backend import MemoryResultStore
from worker.services import Services
from worker.settings import Settings
from worker.user_data import RedisUserDataKeys

ANN = Caller(space="discord:1", user_id="ann")
CAT = Caller(space="slack:2", user_id="cat")
LINK = "http://127.0.0.1/goal.mp4"
WRITES, TO_LEAVE = 6, 2
"""So often the store is written to while its last space takes a video back, and until it is out of the space."""


@pytest.fixture
def services(tmp_path: Path, clean_redis: str) -> Iterator[Services]:
    settings = Settings(data_dir=tmp_path, allow_networks=("127.0.0.0/8",))
    load: Any = lambda *_: cast(ModelEncoder, FakeEncoder())  # noqa: E731
    with closing(
        Services(settings, make_app(settings, MemoryResultStore()), threading.Event(), load, train_preset)
    ) as one:
        one.library.open("fake", 8, 8)
        one.user_data = RedisUserDataKeys(clean_redis)
        yield one


@pytest.fixture
def connection(clean_redis: str) -> Iterator["redis.Redis[bytes]"]:
    with redis.Redis.from_url(clean_redis) as one:
        yield one


def submit(services: Services, caller: Caller, at: float) -> Submitted:
    return cast(Submitted, ANSWERS[Submit.task](services, Submit(caller=caller, link=LINK, at=at)))


def forget(services: Services, caller: Caller, at: float) -> None:
    ANSWERS[Forget.task](services, Forget(caller=caller, link=LINK, at=at))


def lived_with(services: Services, connection: "redis.Redis[bytes]") -> str:
    """A video that was added, looked at and voted on; its id."""
    id = submit(services, ANN, at=1).video_id
    video = replace(a_video("goal"), id=id, link=LINK)
    services.library.put_moments(video, some_moments(video, "goal"), "fake")
    services.blobs.put(f"{video_prefix(id)}0.jpg", b"picture")
    services.spaces.vote(VoteRecord(ANN.space, "bob", ("goal",), id, 0.0, 5.0, "up", datetime.now(UTC).isoformat()))
    shown(connection, "before")
    return id


def shown(connection: "redis.Redis[bytes]", token: str) -> None:
    """As a frontend keeps results with the video in them."""
    connection.set(user_data.key(ANN.space, "bob", "shown", token), f'{{"cards": [{{"link": "{LINK}"}}]}}')


def left(services: Services, connection: "redis.Redis[bytes]", video_id: str) -> list[str]:
    """What is still stored of the video, anywhere."""
    moments = services.points.scroll("moments", Filter({"video_id": video_id}), ())
    records = [each for each in services.points.scroll("records", Filter()) if video_id in str(each)]
    kept = [key.decode() for key in connection.scan_iter() if LINK.encode() in (connection.get(key) or b"")]
    return [*(each.id for each in (*moments, *records)), *services.blobs.names(video_prefix(video_id)), *kept]


class Dying(RedisUserDataKeys):
    """The worker is killed when it comes to delete what people were shown."""

    def forget_links(self, space: str | None, links: Sequence[str]) -> None:
        crash()


@pytest.mark.parametrize("nth", range(1, WRITES + 1))
def test_a_forgetting_that_was_cut_short_is_ended(
    services: Services, connection: "redis.Redis[bytes]", nth: int
) -> None:
    """A worker that was killed once the video was out of the space leaves the rest to the next round."""
    video_id, library = lived_with(services, connection), services.library
    services.library = Library(Between(services.points, nth, crash))
    with pytest.raises(StoreUnavailableError):
        forget(services, ANN, at=2)
    services.library = library
    shown(connection, "between")
    finish_leaving(services)
    assert library.has(ANN.space, video_id) is bool(left(services, connection, video_id)) is (nth <= TO_LEAVE)


def test_what_was_shown_goes_though_the_worker_dies(
    services: Services, connection: "redis.Redis[bytes]", clean_redis: str
) -> None:
    """The record lets go of a video only when nothing else of it is left."""
    video_id = lived_with(services, connection)
    kept, services.user_data = services.user_data, Dying(clean_redis)
    with suppress(StoreUnavailableError):
        forget(services, ANN, at=2)
    services.user_data = kept
    assert user_data.key(ANN.space, "bob", "shown", "before") in left(services, connection, video_id)
    finish_leaving(services)
    assert left(services, connection, video_id) == []


def test_what_was_asked_before_it_was_forgotten_stays_away(
    services: Services, connection: "redis.Redis[bytes]"
) -> None:
    """A frontend that died may have left the link to the next, which comes too late; other spaces are not meant."""
    lived_with(services, connection)
    forget(services, ANN, at=10)
    with pytest.raises(RequestRefusedError) as refused:
        submit(services, ANN, at=9)
    assert refused.value.code is ErrorCode.NOT_IN_LIBRARY
    assert submit(services, CAT, at=9).job_id
    assert submit(services, ANN, at=11).job_id
