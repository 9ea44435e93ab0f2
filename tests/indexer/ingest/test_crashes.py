"""What the record keeps to when a write fails, a worker dies or somebody else writes at the same moment."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.errors import StoreUnavailableError
from indexer.store.library import Library
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.vector_store import Filter, VectorStore
from tests.support.indexer_fakes import (
    Between,
    a_video,
    crash,
    findable,
    gone,
    ids_of,
    opened,
    share,
    some_moments,
    submit,
    video_id,
)

A, B = "discord:1", "slack:2"


@pytest.fixture
def edge_points(store_folder: Path) -> Iterator[VectorStore]:
    """Enough where a test is about the order of the library's own steps."""
    points = EdgeVectorStore(store_folder)
    yield points
    points.close()


# Storing a hundred moments writes this often: waiting, closed, two batches, opened, indexed.
WRITES = range(1, 7)
TEXTS = tuple(map(str, range(100)))


@pytest.mark.parametrize("nth", WRITES)
def test_a_crash_while_storing_leaves_nothing_half_found(edge_points: VectorStore, nth: int) -> None:
    """Whichever write fails, no part of the video is found alone; the job is made again and stores nothing twice."""
    library, moments = opened(edge_points), some_moments(a_video("goal"), *TEXTS)
    submit(library, A, "goal")
    with pytest.raises(StoreUnavailableError):
        Library(Between(edge_points, nth, crash)).put_moments(a_video("goal"), moments, "fake")
    assert findable(library, A) == ([] if nth < len(WRITES) else ids_of("goal", 100))
    assert len(library.waiting()) == 1
    assert library.put_moments(a_video("goal"), moments, "fake")
    assert findable(library, A) == ids_of("goal", 100)
    assert edge_points.count("moments", Filter()) == 100


@pytest.mark.parametrize("nth", WRITES)
def test_a_crash_while_storing_again_does_not_lose_the_video(edge_points: VectorStore, nth: int) -> None:
    """A video that was indexed before is found whole, or waits for its job again."""
    library, moments = opened(edge_points), some_moments(a_video("goal"), *TEXTS)
    share(library, A, "goal", *TEXTS)
    with pytest.raises(StoreUnavailableError):
        Library(Between(edge_points, nth, crash)).put_moments(a_video("goal"), moments, "fake")
    found = findable(library, A)
    assert found == ids_of("goal", 100) or (found == [] and library.waiting())


@pytest.mark.parametrize("nth", WRITES)
def test_a_submission_that_comes_in_while_a_video_is_stored_counts(edge_points: VectorStore, nth: int) -> None:
    """Whenever the second space shares the video, both find all of it in the end."""
    library, moments = opened(edge_points), some_moments(a_video("goal"), *TEXTS)
    submit(library, A, "goal")
    between = Between(edge_points, nth, lambda: submit(library, B, "goal"))
    assert Library(between).put_moments(a_video("goal"), moments, "fake")
    assert findable(library, A) == findable(library, B) == ids_of("goal", 100)


@pytest.mark.parametrize("nth", WRITES)
def test_a_video_that_is_forgotten_while_it_is_stored_stays_forgotten(edge_points: VectorStore, nth: int) -> None:
    """Nothing of it is kept, and whoever stores it is told so unless all was stored by then."""
    library, moments = opened(edge_points), some_moments(a_video("goal"), *TEXTS)
    submit(library, A, "goal")
    between = Between(edge_points, nth, lambda: gone(library, library.forget(A, video_id("goal"))))
    wanted = Library(between).put_moments(a_video("goal"), moments, "fake")
    assert wanted is (nth == len(WRITES))
    assert findable(library, A) == []
    assert edge_points.count("moments", Filter()) == edge_points.count("records", Filter()) == 0


@pytest.mark.parametrize("nth", range(1, 7))
def test_a_video_that_is_shared_while_it_is_forgotten_is_not_lost(edge_points: VectorStore, nth: int) -> None:
    """The space that shares it finds it, or it waits for a job; nothing of it is then given up."""
    library = opened(edge_points)
    share(library, A, "goal")
    between = Between(edge_points, nth, lambda: submit(library, B, "goal"))
    forgetting = Library(between)
    assert gone(forgetting, forgetting.forget(A, video_id("goal"))) == []
    assert findable(library, A) == []
    assert findable(library, B) == ids_of("goal") or library.waiting()


INDEXER = """
import sys
from pathlib import Path
from indexer.vectors.edge import EdgePoints
from indexer.store.library import Library
from tests.support.indexer_fakes import SIZE, share
library = Library(EdgePoints(Path(sys.argv[1])))
library.open("fake", SIZE, SIZE)
for n in range(1_000):
    share(library, "discord:1", f"video {n}", *map(str, range(130)))
    print(n, flush=True)
"""


def test_a_worker_killed_while_storing_leaves_whole_videos_only(store_folder: Path) -> None:
    """After kill -9 each video is found whole or not at all; done again, there is no point twice."""
    worker = subprocess.Popen([sys.executable, "-c", INDEXER, str(store_folder)], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    done = [int(next(worker.stdout)) for _ in range(3)]
    worker.kill()
    worker.communicate()
    points = EdgeVectorStore(store_folder)
    library = opened(points)
    reached = set(findable_all(points))
    for n in range(50):
        ids = ids_of(f"video {n}", 130)
        assert reached.issuperset(ids) or (reached.isdisjoint(ids) and n not in done)
    for record in library.waiting():
        video = a_video(record.link.rpartition("/")[2])
        library.put_moments(video, some_moments(video, *map(str, range(130))), "fake")
    assert points.count("moments", Filter()) == len(findable_all(points)) == 130 * library.counts(A).videos
    points.close()


def findable_all(points: VectorStore) -> list[str]:
    return [stored.id for stored in points.scroll("moments", Filter({"spaces": A}), ())]
