"""Publishing and removing videos while a write fails, a worker is killed or another worker writes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.errors import StoreUnavailableError
from indexer.store.stores import open_stores
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.vector_store import Filter, VectorStore
from tests.support.indexer.fakes import (
    FAKE,
    InterruptedVectorStore,
    findable_moments,
    finish_removals,
    index_video,
    make_moments,
    make_video,
    moment_ids,
    open_library,
    raise_store_unavailable,
    submit_video,
    video_id,
)

A, B = "discord:1", "slack:2"
GOAL = make_video("goal")

# Publishing a hundred moments writes this often: waiting, unpublished, two batches, published, indexed.
WRITES = range(1, 7)
TEXTS = tuple(map(str, range(100)))


@pytest.fixture
def edge_store(store_folder: Path) -> Iterator[VectorStore]:
    """Open the store in this process, which is enough to test the order of the writes."""
    vector_store = EdgeVectorStore(store_folder)
    yield vector_store
    vector_store.close()


@pytest.mark.parametrize("nth", WRITES)
def test_publishing_after_a_failed_write_publishes_each_moment_once(edge_store: VectorStore, nth: int) -> None:
    """Whichever write fails, no search finds only a part of the video, and the video still waits for its job."""
    stores, moments = open_library(edge_store), make_moments(GOAL, *TEXTS)
    submit_video(stores, A, "goal")
    failing = open_stores(InterruptedVectorStore(edge_store, nth, raise_store_unavailable))
    with pytest.raises(StoreUnavailableError):
        failing.publisher.publish_moments(GOAL, moments, FAKE)
    assert findable_moments(stores, A) == ([] if nth < len(WRITES) else moment_ids("goal", 100))
    assert len(stores.videos.list_waiting()) == 1
    assert stores.publisher.publish_moments(GOAL, moments, FAKE)
    assert findable_moments(stores, A) == moment_ids("goal", 100)
    assert edge_store.count("moments", Filter()) == 100


@pytest.mark.parametrize("nth", WRITES)
def test_failed_write_while_republishing_keeps_or_requeues_the_video(edge_store: VectorStore, nth: int) -> None:
    """A video that was indexed before is found completely, or it waits for its job again."""
    stores, moments = open_library(edge_store), make_moments(GOAL, *TEXTS)
    index_video(stores, A, "goal", *TEXTS)
    failing = open_stores(InterruptedVectorStore(edge_store, nth, raise_store_unavailable))
    with pytest.raises(StoreUnavailableError):
        failing.publisher.publish_moments(GOAL, moments, FAKE)
    found = findable_moments(stores, A)
    assert found == moment_ids("goal", 100) or (found == [] and stores.videos.list_waiting())


@pytest.mark.parametrize("nth", WRITES)
def test_submission_while_publishing_lets_both_spaces_find_the_video(edge_store: VectorStore, nth: int) -> None:
    """It does not matter between which writes the second space submits the video."""
    stores, moments = open_library(edge_store), make_moments(GOAL, *TEXTS)
    submit_video(stores, A, "goal")
    interrupted = open_stores(InterruptedVectorStore(edge_store, nth, lambda: submit_video(stores, B, "goal")))
    assert interrupted.publisher.publish_moments(GOAL, moments, FAKE)
    assert findable_moments(stores, A) == findable_moments(stores, B) == moment_ids("goal", 100)


@pytest.mark.parametrize("nth", WRITES)
def test_removal_while_publishing_leaves_nothing_of_the_video(edge_store: VectorStore, nth: int) -> None:
    """`publish_moments` returns False unless everything was stored before the removal."""
    stores, moments = open_library(edge_store), make_moments(GOAL, *TEXTS)
    submit_video(stores, A, "goal")

    def remove() -> None:
        finish_removals(stores, stores.removals.remove_video(A, GOAL.id))

    interrupted = open_stores(InterruptedVectorStore(edge_store, nth, remove))
    assert interrupted.publisher.publish_moments(GOAL, moments, FAKE) is (nth == len(WRITES))
    assert findable_moments(stores, A) == []
    assert edge_store.count("moments", Filter()) == edge_store.count("records", Filter()) == 0


@pytest.mark.parametrize("nth", range(1, 7))
def test_submission_while_removing_does_not_lose_the_video(edge_store: VectorStore, nth: int) -> None:
    """The space that submits it finds it or it waits for a job, and its blobs are not to be deleted."""
    stores = open_library(edge_store)
    index_video(stores, A, "goal")
    interrupted = open_stores(InterruptedVectorStore(edge_store, nth, lambda: submit_video(stores, B, "goal")))
    assert finish_removals(interrupted, interrupted.removals.remove_video(A, video_id("goal"))) == []
    assert findable_moments(stores, A) == []
    assert findable_moments(stores, B) == moment_ids("goal") or stores.videos.list_waiting()


INDEXER = """
import sys
from pathlib import Path
from indexer.vectors.edge import EdgeVectorStore
from tests.support.indexer.fakes import index_video, open_library
stores = open_library(EdgeVectorStore(Path(sys.argv[1])))
for n in range(1_000):
    index_video(stores, "discord:1", f"video {n}", *map(str, range(130)))
    print(n, flush=True)
"""


def test_killed_worker_leaves_only_completely_published_videos(store_folder: Path) -> None:
    """After SIGKILL each video is found completely or not at all; publishing again stores no point twice."""
    worker = subprocess.Popen([sys.executable, "-c", INDEXER, str(store_folder)], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    done = [int(next(worker.stdout)) for _ in range(3)]
    worker.kill()
    worker.communicate()
    vector_store = EdgeVectorStore(store_folder)
    stores = open_library(vector_store)
    found = set(_list_published_ids(vector_store))
    for n in range(50):
        ids = moment_ids(f"video {n}", 130)
        assert found.issuperset(ids) or (found.isdisjoint(ids) and n not in done)
    for record in stores.videos.list_waiting():
        video = make_video(record.link.rpartition("/")[2])
        stores.publisher.publish_moments(video, make_moments(video, *map(str, range(130))), FAKE)
    expected = 130 * stores.submissions.count(A).videos
    assert vector_store.count("moments", Filter()) == len(_list_published_ids(vector_store)) == expected
    vector_store.close()


def _list_published_ids(vector_store: VectorStore) -> list[str]:
    return [stored.id for stored in vector_store.scroll("moments", Filter({"spaces": A}), ())]
