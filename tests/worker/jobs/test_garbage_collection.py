"""Garbage collection of what killed jobs left behind."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from indexer.blobs import video_prefix
from indexer.errors import StoreUnavailableError
from indexer.store.records import NewSubmission
from indexer.store.removals import LATE_WRITES_S
from indexer.store.stores import open_stores
from indexer.vectors.vector_store import Filter
from tests.support.indexer.fakes import InterruptedVectorStore, make_moments, make_video, raise_store_unavailable
from tests.support.worker.services import FAKE, create_fake_generation, open_services
from worker.jobs.work_dirs import video_work_dir
from worker.services import Services
from worker.settings import Settings

SPACE = "discord:1"
INTERRUPTED, COMPLETE = make_video("goal"), make_video("kept")
TEXTS = tuple(map(str, range(100)))
BATCH = 64
"""Moments that are stored before the job is killed."""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Two videos with a blob and a work folder; one of them is indexed."""
    with open_services(Settings(data_dir=tmp_path)) as opened:
        create_fake_generation(opened)
        for video in (INTERRUPTED, COMPLETE):
            opened.stores.submissions.submit(
                NewSubmission(video.id, video.link, video.link, SPACE, "ann", datetime.now(UTC))
            )
            opened.blobs.put(f"{video_prefix(video.id)}0.jpg", b"x")
            video_work_dir(tmp_path, video.id).mkdir(parents=True)
        opened.stores.publisher.publish_moments(COMPLETE, make_moments(COMPLETE, "kept"), FAKE)
        yield opened


def remove_interrupted(services: Services) -> None:
    removed = services.stores.removals.remove_video(SPACE, INTERRUPTED.id)
    for video_id in removed.video_ids:
        services.stores.removals.finish_removal(video_id)


def kill_job_of_removed_video(services: Services) -> None:
    """Remove the video before a batch of its moments is stored, and kill the worker before the next batch."""
    removed_meanwhile = InterruptedVectorStore(services.vectors, 3, lambda: remove_interrupted(services))
    stores = open_stores(InterruptedVectorStore(removed_meanwhile, 4, raise_store_unavailable))
    with pytest.raises(StoreUnavailableError):
        stores.publisher.publish_moments(INTERRUPTED, make_moments(INTERRUPTED, *TEXTS), FAKE)
    assert count_moments(services, INTERRUPTED.id) == BATCH


def count_moments(services: Services, video_id: str) -> int:
    return services.vectors.count(FAKE.collection_name, Filter({"video_id": video_id}))


def list_stored_data(services: Services, video_id: str) -> tuple[int, list[str], bool]:
    """Return the number of moments, the blobs, and whether there is a work folder."""
    blobs = services.blobs.list_names(video_prefix(video_id))
    has_work_dir = video_work_dir(services.settings.data_dir, video_id).is_dir()
    return count_moments(services, video_id), blobs, has_work_dir


def test_remains_of_removed_video_are_deleted(services: Services) -> None:
    """Unpublished moments, blobs and files are deleted; those of a video that a space wants are kept."""
    kill_job_of_removed_video(services)
    services.make_garbage_collector().collect()
    assert list_stored_data(services, INTERRUPTED.id) == (0, [], False)
    assert list_stored_data(services, COMPLETE.id) == (1, ["0.jpg"], False)


def test_data_of_running_job_are_kept(services: Services) -> None:
    """Even if its video was removed: the job itself deletes what it stored."""
    kill_job_of_removed_video(services)
    with services.leases.hold(INTERRUPTED.id, "a job") as is_held:
        assert is_held
        services.make_garbage_collector().collect()
    assert list_stored_data(services, INTERRUPTED.id) == (BATCH, ["0.jpg"], True)


def test_data_of_waiting_video_are_kept(services: Services) -> None:
    """Its job is queued again, and begins by clearing them."""
    stores = open_stores(InterruptedVectorStore(services.vectors, 4, raise_store_unavailable))
    with pytest.raises(StoreUnavailableError):
        stores.publisher.publish_moments(INTERRUPTED, make_moments(INTERRUPTED, *TEXTS), FAKE)
    services.make_garbage_collector().collect()
    assert list_stored_data(services, INTERRUPTED.id) == (BATCH, ["0.jpg"], True)


def test_stores_are_searched_once_an_hour(services: Services) -> None:
    """They can be large, so one worker of all searches them. Work folders are checked each time."""
    services.make_garbage_collector().collect()
    kill_job_of_removed_video(services)
    services.make_garbage_collector().collect()
    assert list_stored_data(services, INTERRUPTED.id) == (BATCH, ["0.jpg"], False)


def test_names_that_are_no_video_ids_are_kept(services: Services) -> None:
    other = services.settings.data_dir / "work" / "retrain"
    other.mkdir()
    services.blobs.put("videos/readme", b"x")
    services.make_garbage_collector().collect()
    assert other.is_dir()
    assert services.blobs.get("videos/readme") == b"x"


def test_job_can_be_queued_right_after_collection(services: Services) -> None:
    """The collection releases its lease, so that a new submission need not wait until it expires."""
    remove_interrupted(services)
    services.make_garbage_collector().collect()
    assert all(services.leases.try_queue(video.id) for video in (INTERRUPTED, COMPLETE))


def test_submission_that_was_never_acknowledged_is_deleted(services: Services) -> None:
    """Its worker was killed between the two writes of a submission, long ago."""
    goal, dog = make_video("old"), make_video("new")
    now = datetime.now(UTC)
    for video, at in ((goal, now - timedelta(seconds=LATE_WRITES_S + 1)), (dog, now)):
        killed = open_stores(InterruptedVectorStore(services.vectors, 2, raise_store_unavailable))
        with pytest.raises(StoreUnavailableError):
            killed.submissions.submit(NewSubmission(video.id, video.link, video.link, SPACE, "ann", at))
    services.make_garbage_collector().collect()
    assert not services.stores.submissions.has(SPACE, goal.id)
    assert services.stores.submissions.has(SPACE, dog.id)
