"""What an earlier version wrote down is still known."""

from dataclasses import asdict

from indexer.library import Library
from indexer.points import PointIn, Points
from indexer.records import RECORDS, Submission, VideoRecord
from tests.indexer.conftest import OpenPoints
from tests.indexer.fakes import a_video

A = "discord:1"


def of_schema_1(points: Points, name: str) -> None:
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
            PointIn(video.id, {"kind": "video", "schema": 1, **asdict(record)}),
            PointIn(submission.id, {"kind": "submission", "schema": 1, **old}),
        ],
    )


def test_records_of_schema_1_are_the_whole_space_s(open_points: OpenPoints) -> None:
    """They are listed, counted and can be taken out as before; and again when the library is opened once more."""
    of_schema_1(open_points(), "goal")
    for _ in range(2):
        library = Library(open_points())
        (entry,), total = library.entries(A, limit=10)
        assert (entry.video.title, entry.submission.person, total) == ("goal", "ann", 1)
        assert library.counts(A).videos == 1
    assert library.forget(A, a_video("goal").id, person="ann").links == (a_video("goal").link,)
    assert library.entries(A, limit=10) == ([], 0)
