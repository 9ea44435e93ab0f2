"""What an earlier version wrote down is still known."""

from dataclasses import asdict

import pytest

from indexer.errors import NewerStoreError
from indexer.search.search import find
from indexer.store.library import Library
from indexer.store.records import RECORDS, SCHEMA, Submission, VideoRecord
from indexer.vectors.vector_store import Filter, NewPoint, VectorStore
from tests.indexer.conftest import OpenPoints
from tests.support.indexer_fakes import SIZE, FakeEncoder, a_video, some_moments, submit, video_id

A = "discord:1"


def of_schema_1(points: VectorStore, name: str) -> None:
    """A video and its submission as version 1 of the payloads had them."""
    video = a_video(name)
    record = VideoRecord(video.id, video.link, video.link, video.title, "indexed")
    submission = Submission(video.id, A, "ann", "2026-01-01T12:00:00+00:00")
    old = {key: value for key, value in asdict(submission).items() if key in ("video_id", "space", "person", "at")}
    keys = ("kind", "space", "video_id", "person", "status")
    points.ensure(RECORDS, {}, (), keys, tenant="space")
    points.upsert(
        RECORDS,
        [
            NewPoint(video.id, {"kind": "video", "schema": 1, **asdict(record)}),
            NewPoint(submission.id, {"kind": "submission", "schema": 1, **old}),
        ],
    )


def test_records_of_schema_1_are_the_whole_space_s(open_points: OpenPoints) -> None:
    """They are listed, counted and can be taken out as before; and again when the library is opened once more."""
    of_schema_1(open_points(), "goal")
    for _ in range(2):
        library = Library(open_points())
        (entry,), total = library.entries(A, limit=10)
        assert (entry.video.title, entry.submission.user_id, total) == ("goal", "ann", 1)
        assert library.counts(A).videos == 1
    assert library.forget(A, a_video("goal").id, user_id="ann").links == (a_video("goal").link,)
    assert library.entries(A, limit=10) == ([], 0)


def test_moments_of_schema_1_are_found(open_points: OpenPoints) -> None:
    """They are the same in both: a space is a scope."""
    points = open_points()
    of_schema_1(points, "goal")
    library = Library(points)
    library.open("fake", SIZE, SIZE)
    assert library.put_moments(a_video("goal"), some_moments(a_video("goal"), "goal"), "fake")
    points.set_payload("moments_fake", Filter({"video_id": video_id("goal")}), {"schema": 1})
    assert [hit.title for hit in find(Library(open_points()), FakeEncoder(), A, ["goal"]).hits] == ["goal"]


def test_a_store_of_a_later_version_is_left_alone(open_points: OpenPoints) -> None:
    """It is refused with a sentence, and nothing in it is changed."""
    library = Library(open_points())
    submit(library, A, "goal")
    points = open_points()
    points.point_alias(f"schema_{SCHEMA + 3}", RECORDS)
    before = list(points.scroll(RECORDS, Filter()))
    with pytest.raises(NewerStoreError) as refused:
        Library(points)
    assert refused.value.code == "store_newer"
    assert list(points.scroll(RECORDS, Filter())) == before
