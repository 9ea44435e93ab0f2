"""What killed jobs left of forgotten videos is taken away, and nothing else is."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from indexer.errors import StoreUnavailableError
from indexer.store.blobs import video_prefix
from indexer.store.library import Library
from indexer.vectors.vector_store import Filter
from model.ports import Encoder as ModelEncoder
from tests.support.indexer_fakes import Between, FakeEncoder, a_video, crash, gone, some_moments
from worker.jobs import garbage_collection
from worker.model_cache import train_preset
from worker.queue.app import make_app
from worker.queue.memory_backend import MemoryResultStore
from worker.services import Services, work_folder
from worker.settings import Settings

SPACE = "discord:1"
GOAL, KEPT = a_video("goal"), a_video("kept")
TEXTS = tuple(map(str, range(100)))


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    settings = Settings(data_dir=tmp_path)
    load: Any = lambda *_: cast(ModelEncoder, FakeEncoder())  # noqa: E731
    with closing(
        Services(settings, make_app(settings, MemoryResultStore()), threading.Event(), load, train_preset)
    ) as one:
        one.library.open("fake", 8, 8)
        for video in (GOAL, KEPT):
            one.library.submit(video.id, video.link, video.link, SPACE, "ann", datetime.now(UTC))
            one.blobs.put(f"{video_prefix(video.id)}0.jpg", b"x")
            work_folder(settings, video.id).mkdir(parents=True)
        one.library.put_moments(KEPT, some_moments(KEPT, "kept"), "fake")
        yield one


def killed_while_forgotten(services: Services) -> None:
    """Forgotten before a batch of moments is stored; the worker dies before the next."""
    forgetting = Between(services.points, 3, lambda: gone(services.library, services.library.forget(SPACE, GOAL.id)))
    with pytest.raises(StoreUnavailableError):
        Library(Between(forgetting, 4, crash)).put_moments(GOAL, some_moments(GOAL, *TEXTS), "fake")
    assert services.points.count("moments", Filter({"video_id": GOAL.id})) == 64


def stored(services: Services, video_id: str) -> tuple[int, list[str], bool]:
    """Its moments, blobs, and whether it has a work folder."""
    moments = services.points.count("moments", Filter({"video_id": video_id}))
    return moments, services.blobs.names(video_prefix(video_id)), work_folder(services.settings, video_id).is_dir()


def test_what_is_left_of_a_forgotten_video_goes(services: Services) -> None:
    """Closed moments, pictures and files; those of a video that somebody wants stay."""
    killed_while_forgotten(services)
    garbage_collection.clear(services)
    assert stored(services, GOAL.id) == (0, [], False)
    assert stored(services, KEPT.id) == (1, ["0.jpg"], False)


def test_a_running_job_is_left_alone(services: Services) -> None:
    """Forgotten or not: the job itself takes away what it stored."""
    killed_while_forgotten(services)
    with services.leases.running(GOAL.id, "a job") as mine:
        assert mine
        garbage_collection.clear(services)
    assert stored(services, GOAL.id) == (64, ["0.jpg"], True)


def test_a_waiting_video_keeps_what_it_has(services: Services) -> None:
    """Its job is made again, and begins with what lies there."""
    with pytest.raises(StoreUnavailableError):
        Library(Between(services.points, 4, crash)).put_moments(GOAL, some_moments(GOAL, *TEXTS), "fake")
    garbage_collection.clear(services)
    assert stored(services, GOAL.id) == (64, ["0.jpg"], True)


def test_the_stores_are_looked_through_now_and_then(services: Services) -> None:
    """Folders each time, the stores once an hour by one of all workers: they may be large."""
    garbage_collection.clear(services)
    killed_while_forgotten(services)
    garbage_collection.clear(services)
    assert stored(services, GOAL.id) == (64, ["0.jpg"], False)


def test_other_folders_are_nobodys_business(services: Services) -> None:
    """What is not named by a video stays."""
    other = services.settings.data_dir / "work" / "retrain"
    other.mkdir()
    services.blobs.put("videos/readme", b"x")
    garbage_collection.clear(services)
    assert other.is_dir()
    assert services.blobs.get("videos/readme") == b"x"


def test_a_video_that_is_submitted_afterwards_gets_its_job_at_once(services: Services) -> None:
    """Nothing says any more that a job runs, neither of its folder nor of its blobs."""
    gone(services.library, services.library.forget(SPACE, GOAL.id))
    garbage_collection.clear(services)
    assert all(services.leases.queue(video.id) for video in (GOAL, KEPT))
