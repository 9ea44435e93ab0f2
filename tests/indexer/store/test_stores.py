"""Submissions, publishing and removal of videos, over both vector stores."""

import unicodedata

import pytest

from indexer.errors import GenerationMismatchError
from indexer.generation_id import GenerationId
from indexer.store.records import IndexStatus, RemovedVideos
from indexer.store.stores import Stores
from indexer.vectors.vector_store import Filter, VectorQuery, VectorStore
from tests.support.indexer.fakes import (
    FAKE,
    VECTOR_SIZE,
    FakeEncoder,
    OpenVectorStore,
    embed_text,
    findable_moments,
    finish_removals,
    index_video,
    make_moments,
    make_video,
    moment_ids,
    open_library,
    submit_video,
    video_id,
)

A, B = "discord:1", "slack:2"
GOAL = make_video("goal")
NEXT = GenerationId("next")
QUERY = VectorQuery("frame", embed_text("x"), 10)


def reembed(stores: Stores, name: str, generation: GenerationId) -> None:
    """Store a video's moments with the vectors of another generation."""
    moments = stores.moments.of_video(video_id(name), other_than=generation)
    reembedded = [(each, {"frame": embed_text("x")}) for each in moments]
    stores.reembedding.put_reembedded(video_id(name), generation, reembedded)


# ---- submissions and jobs ----


def test_new_submission_waits_for_its_job(open_vector_store: OpenVectorStore) -> None:
    """It is on record before any work is done, so that a worker that starts later can do it."""
    record = submit_video(open_library(open_vector_store()), A, "goal")
    assert (record.status, record.link) == (IndexStatus.WAITING, GOAL.link)
    stores = open_library(open_vector_store())
    assert stores.videos.list_waiting() == [record]
    assert stores.videos.list_waiting()[0].fetch_url == "https://videos.example/goal?fetch"
    assert stores.submissions.has(A, GOAL.id)
    assert not stores.submissions.has(B, GOAL.id)


def test_repeated_submission_keeps_the_first_submitter(stores: Stores) -> None:
    """A second submission of the same link to the same space changes nothing."""
    submit_video(stores, A, "goal", "ann", minute=1)
    submit_video(stores, A, "goal", "bob", minute=2)
    (row,), total = stores.submissions.list_videos(A, limit=10)
    assert (total, row.submission.user_id, row.submission.at) == (1, "ann", "2026-01-01T12:01:00+00:00")
    assert len(stores.videos.list_waiting()) == 1


def test_published_moments_are_found(stores: Stores) -> None:
    """The video does not wait any more, and its record contains what the library page shows."""
    index_video(stores, A, "goal", "kick", "cheer")
    record = stores.videos.get(GOAL.id)
    assert record is not None
    assert (record.status, record.moments, record.duration_s) == (IndexStatus.INDEXED, 2, 60.0)
    assert record.thumbnail == f"videos/{GOAL.id}/0.jpg"
    assert stores.videos.list_waiting() == []
    assert findable_moments(stores, A) == moment_ids("goal", 2)


def test_words_only_video_keeps_the_error_code(stores: Stores) -> None:
    """The code is on the record, and the moment is marked."""
    submit_video(stores, A, "goal")
    moments = make_moments(GOAL, "", pictures=False)
    assert stores.publisher.publish_moments(GOAL, moments, FAKE, words_only_code="blocked")
    record = stores.videos.get(GOAL.id)
    assert record is not None
    assert (record.status, record.code, record.thumbnail) == (IndexStatus.WORDS_ONLY, "blocked", None)
    (moment,) = stores.moments.get(FAKE, A, moment_ids("goal"))
    assert moment.payload["words_only"] is True


def test_second_space_finds_a_video_without_a_second_job(stores: Stores, vector_store: VectorStore) -> None:
    """Two spaces share one set of points."""
    index_video(stores, A, "goal", "kick", "cheer")
    assert submit_video(stores, B, "goal").status == IndexStatus.INDEXED
    assert findable_moments(stores, A) == findable_moments(stores, B) == moment_ids("goal", 2)
    assert vector_store.count("moments", Filter()) == 2


def test_failed_video_keeps_its_code_and_can_be_submitted_again(stores: Stores) -> None:
    """The library page shows the failure, and another submission makes a new job."""
    submit_video(stores, A, "goal")
    stores.publisher.record_failure(GOAL.id, "not_found")
    (row,), _ = stores.submissions.list_videos(A, limit=10)
    assert (row.video.status, row.video.code) == (IndexStatus.FAILED, "not_found")
    assert stores.videos.list_waiting() == []
    record = submit_video(stores, A, "goal")
    assert (record.status, record.code) == (IndexStatus.WAITING, None)
    assert len(stores.videos.list_waiting()) == 1


def test_failure_of_an_indexed_video_is_ignored(stores: Stores) -> None:
    """A copy of a job that fails after another one succeeded leaves the video as it is."""
    index_video(stores, A, "goal")
    stores.publisher.record_failure(GOAL.id, "timed_out")
    assert findable_moments(stores, A) == moment_ids("goal")


def test_publishing_again_replaces_the_moments(stores: Stores, vector_store: VectorStore) -> None:
    """Moments that the new segmentation does not have are deleted, and none is stored twice."""
    index_video(stores, A, "goal", "one", "two", "three")
    index_video(stores, A, "goal", "one", "two")
    assert findable_moments(stores, A) == moment_ids("goal", 2)
    assert vector_store.count("moments", Filter()) == 2


# ---- removals ----


def test_removed_video_is_kept_for_other_spaces(stores: Stores) -> None:
    """Its points stay, and the caller is not asked to delete its blobs."""
    index_video(stores, A, "goal")
    submit_video(stores, B, "goal")
    removed = stores.removals.remove_video(A, GOAL.id)
    assert removed == RemovedVideos((GOAL.link,), (GOAL.id,))
    assert finish_removals(stores, removed) == []
    assert stores.removals.list_pending_removals() == []
    assert findable_moments(stores, A) == []
    assert findable_moments(stores, B) == moment_ids("goal")


def test_removal_from_the_last_space_deletes_the_video(stores: Stores, vector_store: VectorStore) -> None:
    """No search finds it from the removal on; when that is finished, no point and no record is left."""
    index_video(stores, A, "goal", "kick", "cheer")
    removed = stores.removals.remove_video(A, GOAL.id)
    assert findable_moments(stores, A) == []
    assert [each.video_id for each in stores.removals.list_pending_removals()] == [GOAL.id]
    assert finish_removals(stores, removed) == [GOAL.id]
    assert vector_store.count("moments", Filter()) == vector_store.count("records", Filter()) == 0
    assert stores.removals.remove_video(A, GOAL.id) == RemovedVideos()


def test_remove_video_of_another_space_changes_nothing(stores: Stores) -> None:
    """A space cannot remove what it does not have."""
    index_video(stores, A, "goal")
    assert stores.removals.remove_video(B, GOAL.id) == RemovedVideos()
    assert findable_moments(stores, A) == moment_ids("goal")


def test_remove_by_user_keeps_other_users_and_other_spaces(stores: Stores) -> None:
    """Only what the user submitted to this space is removed."""
    for space, name, user_id in ((A, "x", "ann"), (A, "y", "bob"), (A, "z", "ann"), (B, "z", "ann")):
        submit_video(stores, space, name, user_id)
        stores.publisher.publish_moments(make_video(name), make_moments(make_video(name), name), FAKE)
    removed = stores.removals.remove_by_user(A, "ann")
    assert sorted(removed.links) == [make_video("x").link, make_video("z").link]
    assert finish_removals(stores, removed) == [video_id("x")]
    assert findable_moments(stores, A) == moment_ids("y")
    assert findable_moments(stores, B) == moment_ids("z")


def test_removed_video_is_deleted_from_every_generation(stores: Stores, vector_store: VectorStore) -> None:
    """Generations that are not searched now are no exception."""
    stores.generations.create(NEXT, FakeEncoder())
    index_video(stores, A, "goal")
    reembed(stores, "goal", NEXT)
    finish_removals(stores, stores.removals.remove_video(A, GOAL.id))
    counts = [vector_store.count(each.collection_name, Filter()) for each in (FAKE, NEXT)]
    assert counts == [0, 0]


def test_orphaned_moments_are_found_and_deleted(stores: Stores, vector_store: VectorStore) -> None:
    """Moments without a record are left by killed jobs; those of a video on record are kept."""
    index_video(stores, A, "goal")
    assert not stores.removals.delete_orphan(GOAL.id)
    vector_store.set_payload("moments", Filter(), {"open": "no"})
    assert stores.publisher.find_unpublished_videos() == {GOAL.id}
    stores.videos.delete(GOAL.id)
    assert stores.videos.find_unknown([GOAL.id]) == {GOAL.id}
    assert stores.removals.delete_orphan(GOAL.id)
    assert vector_store.count("moments", Filter()) == 0


# ---- generations ----


def test_reembedded_generation_answers_after_the_switch(stores: Stores) -> None:
    """A new generation is filled while the old one is searched, and the switch is one step."""
    index_video(stores, A, "goal")
    stores.generations.create(NEXT, FakeEncoder())
    assert stores.generations.get_live() == FAKE
    assert stores.reembedding.videos_missing_from(NEXT) == [GOAL.id]
    reembed(stores, "goal", NEXT)
    assert stores.reembedding.videos_missing_from(NEXT) == []
    with pytest.raises(GenerationMismatchError):
        stores.moments.nearest(NEXT, A, [QUERY])
    stores.generations.switch_to(NEXT)
    assert (stores.generations.get_live(), stores.generations.get_previous()) == (NEXT, FAKE)
    assert findable_moments(stores, A) == moment_ids("goal")
    assert len(stores.moments.nearest(NEXT, A, [QUERY])[0]) == 1


def test_publishing_by_the_previous_generation_lets_the_video_wait(stores: Stores) -> None:
    """A video that was embedded while the generation changed is indexed again."""
    submit_video(stores, A, "goal")
    stores.generations.create(NEXT, FakeEncoder())
    stores.generations.switch_to(NEXT)
    with pytest.raises(GenerationMismatchError):
        stores.publisher.publish_moments(GOAL, make_moments(GOAL, "x"), FAKE)
    assert [each.video_id for each in stores.videos.list_waiting()] == [GOAL.id]


def test_reembedding_a_removed_video_stores_nothing(stores: Stores, vector_store: VectorStore) -> None:
    """A video that is removed while another generation embeds it stays removed."""
    index_video(stores, A, "goal")
    stores.generations.create(NEXT, FakeEncoder())
    moments = stores.moments.of_video(GOAL.id, other_than=NEXT)
    stores.removals.remove_video(A, GOAL.id)
    reembedded = [(each, {"frame": embed_text("x")}) for each in moments]
    stores.reembedding.put_reembedded(GOAL.id, NEXT, reembedded)
    assert vector_store.count(NEXT.collection_name, Filter()) == 0


# ---- what a space sees ----


def test_library_pages_are_newest_first_without_gaps(stores: Stores) -> None:
    """The total is that of the whole space."""
    for minute in range(7):
        submit_video(stores, A, f"video {minute}", minute=minute)
    submit_video(stores, B, "other")
    pages = [stores.submissions.list_videos(A, limit=3, offset=offset) for offset in (0, 3, 6)]
    names = [row.video.link.rpartition("/")[2] for rows, _ in pages for row in rows]
    assert names == [f"video {minute}" for minute in range(6, -1, -1)]
    assert {total for _, total in pages} == {7}


def test_library_search_matches_titles_and_links_in_any_case(stores: Stores) -> None:
    """The total counts only the matches."""
    index_video(stores, A, "one", title="Kick-off in Seoul")
    index_video(stores, A, "two", title="서울의 밤")
    for search, expected in (("seoul", "one"), ("서울", "two"), ("EXAMPLE/TWO", "two")):
        (row,), total = stores.submissions.list_videos(A, limit=10, search=search)
        assert (row.video.video_id, total) == (video_id(expected), 1)
    assert stores.submissions.list_videos(A, limit=10, search="nothing") == ([], 0)


@pytest.mark.parametrize(
    ("title", "search"),
    [
        (unicodedata.normalize("NFD", "서울의 밤"), "서울"),
        ("서울의 밤", unicodedata.normalize("NFD", "서울")),
        ("My ＤＯＧ", "dog"),
        ("My dog", "ＤＯＧ"),
        ("Café Olé", "cafe ole"),
        ("CAFE", "café"),
        ("Ångström", "ANGSTROM"),
        ("ｱﾆﾒ", "アニメ"),
        ("貓咪在睡覺", "猫咪"),
        ("台湾小吃", "臺灣"),
        ("Straße", "STRASSE"),
        ("a  dog\u3000runs", "dog runs"),
        ("so\u00adft\u200b", "soft"),
    ],
)
def test_library_search_compares_folded_titles(stores: Stores, title: str, search: str) -> None:
    """Forms of Unicode, widths, accents and scripts of Chinese make no difference."""
    index_video(stores, A, "one", title=title)
    assert stores.submissions.list_videos(A, limit=10, search=search)[1] == 1


def test_counts_leave_out_other_spaces(stores: Stores) -> None:
    """Waiting videos are counted separately, too."""
    index_video(stores, A, "one", "x", "y")
    index_video(stores, B, "two", "x")
    submit_video(stores, A, "three")
    counts = stores.submissions.count(A)
    assert (counts.videos, counts.moments, counts.waiting) == (2, 2, 1)


def test_moment_id_of_another_space_returns_nothing(stores: Stores) -> None:
    """Guessing an id reveals nothing of another space's moment."""
    index_video(stores, A, "goal")
    assert stores.moments.get(FAKE, B, moment_ids("goal"), with_vectors=True) == []
    (moment,) = stores.moments.get(FAKE, A, moment_ids("goal"), with_vectors=True)
    assert moment.dense["frame"].shape == (VECTOR_SIZE,)
