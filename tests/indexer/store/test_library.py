"""What the record promises to those who share videos."""

import pytest

from indexer.errors import GenerationMismatchError
from indexer.store.library import Library
from indexer.store.moments import Near
from indexer.store.records import RemovedVideo
from indexer.vectors.vector_store import Filter, VectorStore
from tests.indexer.conftest import OpenPoints
from tests.support.indexer_fakes import (
    SIZE,
    a_video,
    findable,
    gone,
    ids_of,
    meaning,
    opened,
    share,
    some_moments,
    submit,
    video_id,
)

A, B = "discord:1", "slack:2"


def anew(library: Library, name: str, generation: str) -> None:
    """Another generation's vectors of a video."""
    kept = library.kept(video_id(name), but=generation)
    library.put_anew(video_id(name), generation, [(each, {"frame": meaning("x")}) for each in kept])


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
    assert (total, entry.submission.user_id, entry.submission.at) == (1, "ann", "2026-01-01T12:01:00+00:00")
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


def test_a_second_space_finds_a_video_without_a_second_job(library: Library, points: VectorStore) -> None:
    """Two spaces share one set of points."""
    share(library, A, "goal", "kick", "cheer")
    assert submit(library, B, "goal").status == "indexed"
    assert findable(library, A) == findable(library, B) == ids_of("goal", 2)
    assert points.count("moments", Filter()) == 2


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


def test_storing_again_replaces_what_was_there(library: Library, points: VectorStore) -> None:
    """Moments that the new cut no longer has are gone, and none is stored twice."""
    share(library, A, "goal", "one", "two", "three")
    share(library, A, "goal", "one", "two")
    assert findable(library, A) == ids_of("goal", 2)
    assert points.count("moments", Filter()) == 2


# ---- taking back ----


def test_forgetting_in_one_space_keeps_the_other_one_s(library: Library) -> None:
    """The points stay for whoever else shared the video, and nothing of it is given up."""
    share(library, A, "goal")
    submit(library, B, "goal")
    forgotten = library.forget(A, video_id("goal"))
    assert forgotten == RemovedVideo((a_video("goal").link,), (video_id("goal"),))
    assert gone(library, forgotten) == library.leaving() == []
    assert findable(library, A) == []
    assert findable(library, B) == ids_of("goal")


def test_the_last_space_takes_everything_along(library: Library, points: VectorStore) -> None:
    """It is found no more at once; let go of, it leaves no point and no record."""
    share(library, A, "goal", "kick", "cheer")
    forgotten = library.forget(A, video_id("goal"))
    assert findable(library, A) == []
    assert [each.video_id for each in library.leaving()] == [video_id("goal")]
    assert gone(library, forgotten) == [video_id("goal")]
    assert points.count("moments", Filter()) == points.count("records", Filter()) == 0
    assert library.forget(A, video_id("goal")) == RemovedVideo()


def test_a_space_cannot_forget_what_another_one_shared(library: Library) -> None:
    """Forgetting a video that is not in one's space changes nothing."""
    share(library, A, "goal")
    assert library.forget(B, video_id("goal")) == RemovedVideo()
    assert findable(library, A) == ids_of("goal")


def test_a_person_takes_back_their_own(library: Library) -> None:
    """What others shared in the space, and what the person shared elsewhere, stays."""
    for space, name, user_id in ((A, "x", "ann"), (A, "y", "bob"), (A, "z", "ann"), (B, "z", "ann")):
        submit(library, space, name, user_id)
        library.put_moments(a_video(name), some_moments(a_video(name), name), "fake")
    forgotten = library.forget_mine(A, "ann")
    assert sorted(forgotten.links) == [a_video("x").link, a_video("z").link]
    assert gone(library, forgotten) == [video_id("x")]
    assert findable(library, A) == ids_of("y")
    assert findable(library, B) == ids_of("z")


# ---- generations ----


def test_the_first_generation_is_searched_and_others_wait(library: Library) -> None:
    """A new generation is built beside the one that is searched, and takes over in one step."""
    share(library, A, "goal")
    library.open("next", SIZE, SIZE)
    assert library.generation() == "fake"
    assert library.missing("next") == [video_id("goal")]
    anew(library, "goal", "next")
    assert library.missing("next") == []
    with pytest.raises(GenerationMismatchError):
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
    with pytest.raises(GenerationMismatchError):
        library.put_moments(a_video("goal"), some_moments(a_video("goal"), "x"), "fake")
    assert [each.video_id for each in library.waiting()] == [video_id("goal")]


def test_what_was_forgotten_is_not_embedded_anew(library: Library, points: VectorStore) -> None:
    """A video taken back while another generation embeds it stays away."""
    share(library, A, "goal")
    library.open("next", SIZE, SIZE)
    kept = library.kept(video_id("goal"), but="next")
    library.forget(A, video_id("goal"))
    library.put_anew(video_id("goal"), "next", [(each, {"frame": meaning("x")}) for each in kept])
    assert points.count("moments_next", Filter()) == 0


def test_only_two_generations_are_kept(library: Library, points: VectorStore) -> None:
    """The one that is searched and the one before; older ones are deleted."""
    for name in ("next", "third"):
        library.open(name, SIZE, SIZE)
        library.switch(name)
    library.drop_old()
    assert points.collections() == ("moments_next", "moments_third", "records")


def test_what_a_space_forgets_is_gone_from_every_generation(library: Library, points: VectorStore) -> None:
    """One that is not searched now is no hiding place."""
    library.open("next", SIZE, SIZE)
    share(library, A, "goal")
    anew(library, "goal", "next")
    gone(library, library.forget(A, video_id("goal")))
    assert points.count("moments_fake", Filter()) == points.count("moments_next", Filter()) == 0


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
