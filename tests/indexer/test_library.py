"""What the record promises to those who share videos, whoever else writes at the same moment."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.blobs import video_prefix
from indexer.edge import EdgePoints
from indexer.errors import GenerationMismatch, StoreUnavailable
from indexer.library import Library
from indexer.moment_store import Near
from indexer.points import Points, Where
from indexer.records import Forgotten
from tests.indexer.conftest import OpenPoints
from tests.indexer.fakes import SIZE, a_video, meaning, moment_id, share, some_moments, submit, video_id

A, B = "discord:1", "slack:2"


@pytest.fixture
def library(points: Points) -> Library:
    return opened(points)


@pytest.fixture
def edge_points(store_folder: Path) -> Iterator[Points]:
    """Enough where a test is about the order of the library's own steps."""
    points = EdgePoints(store_folder)
    yield points
    points.close()


def opened(points: Points) -> Library:
    library = Library(points)
    library.open("fake", SIZE, SIZE)
    return library


def findable(library: Library, space: str) -> list[str]:
    """Ids of all moments that a search in this space reaches, sorted."""
    near = Near("frame", meaning("anything"), 1000)
    return sorted(scored.id for scored in library.nearest("fake", space, [near])[0])


def anew(library: Library, name: str, generation: str) -> None:
    """Another generation's vectors of a video."""
    kept = library.kept(video_id(name), but=generation)
    library.put_anew(video_id(name), generation, [(each, {"frame": meaning("x")}) for each in kept])


def ids_of(name: str, count: int = 1) -> list[str]:
    return sorted(moment_id(a_video(name), number) for number in range(count))


# ---- submissions and jobs ----


def test_a_new_link_waits_for_its_job(open_points: OpenPoints) -> None:
    """A submission is on record before any work is done, so a worker that starts later can do it."""
    record = submit(opened(open_points()), A, "goal")
    assert (record.status, record.link) == ("waiting", a_video("goal").link)
    library = opened(open_points())
    assert library.waiting() == [record]
    assert library.waiting()[0].fetch_url == "https://videos.example/goal?fetch"
    assert library.has(A, video_id("goal"))
    assert not library.has(B, video_id("goal"))


def test_the_same_link_twice_is_one_submission(library: Library) -> None:
    """The first who shared it stays its submitter."""
    submit(library, A, "goal", "ann", minute=1)
    submit(library, A, "goal", "bob", minute=2)
    (entry,), total = library.entries(A, limit=10)
    assert (total, entry.submission.person, entry.submission.at) == (1, "ann", "2026-01-01T12:01:00+00:00")
    assert len(library.waiting()) == 1


def test_stored_moments_are_found(library: Library) -> None:
    """Once its moments are in, a video waits no more, and its record tells what the library page shows."""
    share(library, A, "goal", "kick", "cheer")
    record = library.video(video_id("goal"))
    assert record is not None
    assert (record.status, record.moments, record.duration_s) == ("indexed", 2, 60.0)
    assert record.thumbnail == f"videos/{video_id('goal')}/0.jpg"
    assert library.waiting() == []
    assert findable(library, A) == ids_of("goal", 2)


def test_a_video_of_which_only_words_could_be_had_says_why(library: Library) -> None:
    """The code stays on the record, and the moment is marked."""
    submit(library, A, "goal")
    video = a_video("goal")
    assert library.put_moments(video, some_moments(video, "", pictures=False), "fake", code="blocked")
    record = library.video(video.id)
    assert record is not None
    assert (record.status, record.code, record.thumbnail) == ("words_only", "blocked", None)
    (moment,) = library.moments("fake", A, ids_of("goal"))
    assert moment.payload["words_only"] is True


def test_a_second_space_finds_a_video_without_a_second_job(library: Library, points: Points) -> None:
    """Two spaces share one set of points."""
    share(library, A, "goal", "kick", "cheer")
    assert submit(library, B, "goal").status == "indexed"
    assert findable(library, A) == findable(library, B) == ids_of("goal", 2)
    assert points.count("moments", Where()) == 2


def test_a_failed_video_keeps_its_code_and_can_be_tried_again(library: Library) -> None:
    """The library page shows the failure; sharing the link again makes a new job."""
    submit(library, A, "goal")
    library.fail(video_id("goal"), "not_found")
    (entry,), _ = library.entries(A, limit=10)
    assert (entry.video.status, entry.video.code) == ("failed", "not_found")
    assert library.waiting() == []
    record = submit(library, A, "goal")
    assert (record.status, record.code) == ("waiting", None)
    assert len(library.waiting()) == 1


def test_a_late_failure_spoils_nothing(library: Library) -> None:
    """A copy of a job that fails after another one succeeded leaves the video as it is."""
    share(library, A, "goal")
    library.fail(video_id("goal"), "timed_out")
    assert findable(library, A) == ids_of("goal")


def test_storing_again_replaces_what_was_there(library: Library, points: Points) -> None:
    """Moments that the new cut no longer has are gone, and none is stored twice."""
    share(library, A, "goal", "one", "two", "three")
    share(library, A, "goal", "one", "two")
    assert findable(library, A) == ids_of("goal", 2)
    assert points.count("moments", Where()) == 2


# ---- taking back ----


def test_forgetting_in_one_space_keeps_the_other_one_s(library: Library) -> None:
    """The points stay for whoever else shared the video, and no blob is given up."""
    share(library, A, "goal")
    submit(library, B, "goal")
    assert library.forget(A, video_id("goal")) == Forgotten((a_video("goal").link,), ())
    assert findable(library, A) == []
    assert findable(library, B) == ids_of("goal")


def test_the_last_space_takes_everything_along(library: Library, points: Points) -> None:
    """No point, no record, and the prefix of the blobs to delete."""
    share(library, A, "goal", "kick", "cheer")
    forgotten = library.forget(A, video_id("goal"))
    assert forgotten == Forgotten((a_video("goal").link,), (video_prefix(video_id("goal")),))
    assert points.count("moments", Where()) == points.count("records", Where()) == 0
    assert library.forget(A, video_id("goal")) == Forgotten()


def test_a_space_cannot_forget_what_another_one_shared(library: Library) -> None:
    """Forgetting a video that is not in one's space changes nothing."""
    share(library, A, "goal")
    assert library.forget(B, video_id("goal")) == Forgotten()
    assert findable(library, A) == ids_of("goal")


def test_a_person_takes_back_their_own(library: Library) -> None:
    """What others shared in the space, and what the person shared elsewhere, stays."""
    for space, name, person in ((A, "x", "ann"), (A, "y", "bob"), (A, "z", "ann"), (B, "z", "ann")):
        submit(library, space, name, person)
        library.put_moments(a_video(name), some_moments(a_video(name), name), "fake")
    forgotten = library.forget_mine(A, "ann")
    assert sorted(forgotten.links) == [a_video("x").link, a_video("z").link]
    assert forgotten.blob_prefixes == (video_prefix(video_id("x")),)
    assert findable(library, A) == ids_of("y")
    assert findable(library, B) == ids_of("z")


# ---- at the same moment ----


class Between:
    """A store that lets something happen before one of its writes."""

    def __init__(self, points: Points, nth: int, happen: Callable[[], object]) -> None:
        self._points, self._left, self._happen = points, nth, happen

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._points, name)
        return self._counted(method) if name in ("upsert", "set_payload", "delete") else method

    def _counted(self, method: Callable[..., object]) -> Callable[..., object]:
        def call(*args: Any) -> object:
            self._left -= 1
            if self._left == 0:
                self._happen()
            return method(*args)

        return call


def crash() -> None:
    raise StoreUnavailable("pulled the plug")


# Storing a hundred moments writes this often: waiting, closed, two batches, opened, indexed.
WRITES = range(1, 7)
TEXTS = tuple(map(str, range(100)))


@pytest.mark.parametrize("nth", WRITES)
def test_a_crash_while_storing_leaves_nothing_half_found(edge_points: Points, nth: int) -> None:
    """Whichever write fails, no part of the video is found alone; the job is made again and stores nothing twice."""
    library, moments = opened(edge_points), some_moments(a_video("goal"), *TEXTS)
    submit(library, A, "goal")
    with pytest.raises(StoreUnavailable):
        Library(Between(edge_points, nth, crash)).put_moments(a_video("goal"), moments, "fake")
    assert findable(library, A) == ([] if nth < len(WRITES) else ids_of("goal", 100))
    assert len(library.waiting()) == 1
    assert library.put_moments(a_video("goal"), moments, "fake")
    assert findable(library, A) == ids_of("goal", 100)
    assert edge_points.count("moments", Where()) == 100


@pytest.mark.parametrize("nth", WRITES)
def test_a_crash_while_storing_again_does_not_lose_the_video(edge_points: Points, nth: int) -> None:
    """A video that was indexed before is found whole, or waits for its job again."""
    library, moments = opened(edge_points), some_moments(a_video("goal"), *TEXTS)
    share(library, A, "goal", *TEXTS)
    with pytest.raises(StoreUnavailable):
        Library(Between(edge_points, nth, crash)).put_moments(a_video("goal"), moments, "fake")
    found = findable(library, A)
    assert found == ids_of("goal", 100) or (found == [] and library.waiting())


@pytest.mark.parametrize("nth", WRITES)
def test_a_submission_that_comes_in_while_a_video_is_stored_counts(edge_points: Points, nth: int) -> None:
    """Whenever the second space shares the video, both find all of it in the end."""
    library, moments = opened(edge_points), some_moments(a_video("goal"), *TEXTS)
    submit(library, A, "goal")
    between = Between(edge_points, nth, lambda: submit(library, B, "goal"))
    assert Library(between).put_moments(a_video("goal"), moments, "fake")
    assert findable(library, A) == findable(library, B) == ids_of("goal", 100)


@pytest.mark.parametrize("nth", WRITES)
def test_a_video_that_is_forgotten_while_it_is_stored_stays_forgotten(edge_points: Points, nth: int) -> None:
    """Nothing of it is kept, and whoever stores it is told so unless all was stored by then."""
    library, moments = opened(edge_points), some_moments(a_video("goal"), *TEXTS)
    submit(library, A, "goal")
    between = Between(edge_points, nth, lambda: library.forget(A, video_id("goal")))
    wanted = Library(between).put_moments(a_video("goal"), moments, "fake")
    assert wanted is (nth == len(WRITES))
    assert findable(library, A) == []
    assert edge_points.count("moments", Where()) == edge_points.count("records", Where()) == 0


@pytest.mark.parametrize("nth", range(1, 4))
def test_a_video_that_is_shared_while_it_is_forgotten_is_not_lost(edge_points: Points, nth: int) -> None:
    """The space that shares it finds it, or it waits for a job; its blobs are then not given up."""
    library = opened(edge_points)
    share(library, A, "goal")
    between = Between(edge_points, nth, lambda: submit(library, B, "goal"))
    forgotten = Library(between).forget(A, video_id("goal"))
    assert forgotten.blob_prefixes == ()
    assert findable(library, A) == []
    assert findable(library, B) == ids_of("goal") or library.waiting()


INDEXER = """
import sys
from pathlib import Path
from indexer.edge import EdgePoints
from indexer.library import Library
from tests.indexer.fakes import SIZE, share
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
    points = EdgePoints(store_folder)
    library = opened(points)
    reached = set(findable_all(points))
    for n in range(50):
        ids = ids_of(f"video {n}", 130)
        assert reached.issuperset(ids) or (reached.isdisjoint(ids) and n not in done)
    for record in library.waiting():
        video = a_video(record.link.rpartition("/")[2])
        library.put_moments(video, some_moments(video, *map(str, range(130))), "fake")
    assert points.count("moments", Where()) == len(findable_all(points)) == 130 * library.counts(A).videos
    points.close()


def findable_all(points: Points) -> list[str]:
    return [stored.id for stored in points.scroll("moments", Where({"spaces": A}), ())]


# ---- generations ----


def test_the_first_generation_is_searched_and_others_wait(library: Library) -> None:
    """A new generation is built beside the one that is searched, and takes over in one step."""
    share(library, A, "goal")
    library.open("next", SIZE, SIZE)
    assert library.generation() == "fake"
    assert library.missing("next") == [video_id("goal")]
    anew(library, "goal", "next")
    assert library.missing("next") == []
    with pytest.raises(GenerationMismatch):
        library.nearest("next", A, [Near("frame", meaning("x"), 10)])
    library.switch("next")
    assert (library.generation(), library.before()) == ("next", "fake")
    assert findable(library, A) == ids_of("goal")
    assert len(library.nearest("next", A, [Near("frame", meaning("x"), 10)])[0]) == 1


def test_a_job_of_the_generation_before_is_done_again(library: Library) -> None:
    """A video that was embedded while the generation changed still waits."""
    submit(library, A, "goal")
    library.open("next", SIZE, SIZE)
    library.switch("next")
    with pytest.raises(GenerationMismatch):
        library.put_moments(a_video("goal"), some_moments(a_video("goal"), "x"), "fake")
    assert [each.video_id for each in library.waiting()] == [video_id("goal")]


def test_what_was_forgotten_is_not_embedded_anew(library: Library, points: Points) -> None:
    """A video taken back while another generation embeds it stays away."""
    share(library, A, "goal")
    library.open("next", SIZE, SIZE)
    kept = library.kept(video_id("goal"), but="next")
    library.forget(A, video_id("goal"))
    library.put_anew(video_id("goal"), "next", [(each, {"frame": meaning("x")}) for each in kept])
    assert points.count("moments_next", Where()) == 0


def test_only_two_generations_are_kept(library: Library, points: Points) -> None:
    """The one that is searched and the one before; older ones are deleted."""
    for name in ("next", "third"):
        library.open(name, SIZE, SIZE)
        library.switch(name)
    library.drop_old()
    assert points.collections() == ("moments_next", "moments_third", "records")


def test_what_a_space_forgets_is_gone_from_every_generation(library: Library, points: Points) -> None:
    """One that is not searched now is no hiding place."""
    library.open("next", SIZE, SIZE)
    share(library, A, "goal")
    anew(library, "goal", "next")
    library.forget(A, video_id("goal"))
    assert points.count("moments_fake", Where()) == points.count("moments_next", Where()) == 0


# ---- what a space sees ----


def test_the_library_page_is_newest_first_in_pages(library: Library) -> None:
    """Pages follow each other without gaps, and the total is that of the whole space."""
    for minute in range(7):
        submit(library, A, f"video {minute}", minute=minute)
    submit(library, B, "other")
    pages = [library.entries(A, limit=3, offset=offset) for offset in (0, 3, 6)]
    names = [entry.video.link.rpartition("/")[2] for entries, _ in pages for entry in entries]
    assert names == [f"video {minute}" for minute in range(6, -1, -1)]
    assert {total for _, total in pages} == {7}


def test_the_library_page_can_be_searched(library: Library) -> None:
    """Titles and links that contain the text, in any case; the total counts only these."""
    share(library, A, "one", title="Kick-off in Seoul")
    share(library, A, "two", title="서울의 밤")
    for search, expected in (("seoul", "one"), ("서울", "two"), ("EXAMPLE/TWO", "two")):
        (entry,), total = library.entries(A, limit=10, search=search)
        assert (entry.video.video_id, total) == (video_id(expected), 1)
    assert library.entries(A, limit=10, search="nothing") == ([], 0)


def test_counts_are_those_of_the_space(library: Library) -> None:
    """Videos of other spaces are not counted, waiting ones are told apart."""
    share(library, A, "one", "x", "y")
    share(library, B, "two", "x")
    submit(library, A, "three")
    counts = library.counts(A)
    assert (counts.videos, counts.moments, counts.waiting) == (2, 2, 1)


def test_a_moment_s_id_opens_no_other_space(library: Library) -> None:
    """Whoever guesses an id learns nothing of a moment that is not theirs."""
    share(library, A, "goal")
    assert library.moments("fake", B, ids_of("goal"), vectors=True) == []
    (moment,) = library.moments("fake", A, ids_of("goal"), vectors=True)
    assert moment.dense["frame"].shape == (SIZE,)


# ---- walls ----


@pytest.fixture(scope="module")
def shared_library(fast_folder: Path) -> Any:
    points = EdgePoints(fast_folder / "walls")
    yield opened(points)
    points.close()


SPACES, NAMES, PEOPLE = ("discord:a", "discord:b", "slack:c"), ("x", "y", "z"), ("ann", "bob")
STEP = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from(SPACES), st.sampled_from(NAMES), st.sampled_from(PEOPLE)),
    st.tuples(st.just("store"), st.sampled_from(NAMES), st.integers(1, 3)),
    st.tuples(st.just("fail"), st.sampled_from(NAMES)),
    st.tuples(st.just("forget"), st.sampled_from(SPACES), st.sampled_from(NAMES)),
    st.tuples(st.just("forget_mine"), st.sampled_from(SPACES), st.sampled_from(PEOPLE)),
)


class Model:
    """The same promises in the plainest Python."""

    def __init__(self) -> None:
        self.submitted: dict[tuple[str, str], str] = {}
        self.stored: dict[str, int] = {}

    def step(self, kind: str, *args: Any) -> None:
        getattr(self, kind)(*args)
        for name in list(self.stored):
            if not any(name == submitted for _, submitted in self.submitted):
                del self.stored[name]

    def submit(self, space: str, name: str, person: str) -> None:
        self.submitted.setdefault((space, name), person)

    def store(self, name: str, count: int) -> None:
        self.stored[name] = count

    def fail(self, name: str) -> None:
        pass

    def forget(self, space: str, name: str) -> None:
        self.submitted.pop((space, name), None)

    def forget_mine(self, space: str, person: str) -> None:
        self.submitted = {key: by for key, by in self.submitted.items() if (key[0], by) != (space, person)}

    def findable(self, space: str, prefix: str) -> list[str]:
        names = [name for of, name in self.submitted if of == space and name in self.stored]
        return sorted(id for name in names for id in ids_of(prefix + name, self.stored[name]))


class Real:
    """The library, with names and spaces that no other run has."""

    def __init__(self, library: Library, run: str) -> None:
        self.library, self.run = library, run

    def step(self, kind: str, *args: Any) -> None:
        getattr(self, kind)(*args)

    def submit(self, space: str, name: str, person: str) -> None:
        submit(self.library, space + self.run, self.run + name, person)

    def store(self, name: str, count: int) -> None:
        video = a_video(self.run + name)
        self.library.put_moments(video, some_moments(video, *map(str, range(count))), "fake")

    def fail(self, name: str) -> None:
        self.library.fail(video_id(self.run + name), "not_found")

    def forget(self, space: str, name: str) -> None:
        self.library.forget(space + self.run, video_id(self.run + name))

    def forget_mine(self, space: str, person: str) -> None:
        self.library.forget_mine(space + self.run, person)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEP, max_size=20))
def test_a_space_finds_what_it_shared_and_nothing_else(shared_library: Library, steps: Sequence[Any]) -> None:
    """Whatever people do in whatever order, each space finds exactly the stored videos that it shares now."""
    run = uuid.uuid4().hex
    model, real = Model(), Real(shared_library, run)
    for step in steps:
        model.step(*step)
        real.step(*step)
        for space in SPACES:
            assert findable(shared_library, space + run) == model.findable(space, run)
            entries, total = shared_library.entries(space + run, limit=10)
            shared = {(video_id(run + name), by) for (of, name), by in model.submitted.items() if of == space}
            assert {(entry.video.video_id, entry.submission.person) for entry in entries} == shared
            assert total == len(shared)
