"""What is let go of with time, and what stays."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from PIL import Image

from indexer.ingest.reembed import reembed_missing
from indexer.search.search import find
from indexer.store.blobs import BlobStore
from indexer.store.library import Library
from indexer.store.payloads import moment_point
from indexer.store.retention import forget_votes, thin
from indexer.store.spaces import SpaceStore, VoteRecord
from indexer.vectors.vector_store import Filter, VectorStore
from tests.support.indexer_fakes import SIZE, FakeEncoder, a_video, some_moments, submit, video_id

A, B = "discord:1", "slack:2"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""When `submit` says that it happened, and minutes after it."""


def share(library: Library, blobs: BlobStore, name: str) -> list[str]:
    """A video of one moment of three frames, the second of which is its thumbnail. Their keys."""
    submit(library, A, name)
    video = a_video(name)
    keys = [f"videos/{video.id}/{number}.jpg" for number in (7, 0, 9)]
    for key in keys:
        file = io.BytesIO()
        Image.new("RGB", (16, 16), "red").save(file, "JPEG")
        blobs.put(key, file.getvalue())
    assert library.put_moments(video, some_moments(video, name, frames=tuple(keys)), "fake")
    return keys


def left(blobs: BlobStore) -> set[str]:
    return set(blobs.all_keys())


def test_old_frames_go_and_thumbnails_stay(library: Library, blobs: BlobStore, points: VectorStore) -> None:
    """Of what nobody submitted lately one frame a moment is left; done twice, nothing more goes."""
    keys = share(library, blobs, "goal")
    assert thin(points, blobs, NOON) == 0
    assert left(blobs) == set(keys)
    assert [thin(points, blobs, NOON + timedelta(seconds=1)) for _ in range(2)] == [1, 0]
    assert left(blobs) == {keys[1]}
    [moment] = library.kept(video_id("goal"), but="")
    assert moment.payload["frames"] == [keys[1]]


def test_a_video_that_was_submitted_again_is_kept_whole(
    library: Library, blobs: BlobStore, points: VectorStore
) -> None:
    """The last submission counts, whichever space's it is."""
    keys = share(library, blobs, "goal")
    submit(library, B, "goal", minute=5)
    assert thin(points, blobs, NOON + timedelta(minutes=1)) == 0
    assert left(blobs) == set(keys)


def test_a_frame_that_moments_share_stays(library: Library, blobs: BlobStore, points: VectorStore) -> None:
    """Where a still stays a later moment shows the same frame; another generation may show another one."""
    submit(library, A, "slides")
    video = a_video("slides")
    first, still, other = (f"videos/{video.id}/{number}.jpg" for number in range(3))
    one, two = some_moments(video, "one", "two")
    moments = [
        replace(one, thumbnail=first, frames=(first, still, other)),
        replace(two, thumbnail=still, frames=(still,)),
    ]
    for key in (first, still, other):
        blobs.put(key, b"a frame")
    assert library.put_moments(video, moments, "fake")
    library.open("later", SIZE, SIZE)
    kept = [replace(one, thumbnail=other, frames=(first, still, other))]
    points.upsert("moments_later", [moment_point(each, video, "later", None) for each in kept])
    assert thin(points, blobs, NOON + timedelta(seconds=1)) == 1
    assert left(blobs) == {first, still, other}
    frames = {(each.payload["start_s"], *each.payload["frames"]) for each in library.kept(video.id, but="later")}
    assert frames == {(0.0, first), (5.0, still)}


def test_who_was_stopped_in_the_middle_ends_it_later(library: Library, blobs: BlobStore, points: VectorStore) -> None:
    """A frame that is gone already is no obstacle."""
    keys = share(library, blobs, "goal")
    blobs.delete(keys[0])
    assert thin(points, blobs, NOON + timedelta(seconds=1)) == 1
    assert left(blobs) == {keys[1]}


def test_a_later_generation_still_has_the_video(library: Library, blobs: BlobStore, points: VectorStore) -> None:
    """From the thumbnail it is embedded anew, and found by its looks; without any picture by its words."""
    for name in ("goal", "dog"):
        keys = share(library, blobs, name)
    thin(points, blobs, NOON + timedelta(seconds=1))
    blobs.delete(keys[1])
    later = FakeEncoder("later")
    reembed_missing(library, blobs, later, lambda done, of: None)
    library.switch("later")
    assert {hit.title for hit in find(library, later, A, ["goal", "dog"]).hits} == {"goal", "dog"}
    vectors = {
        stored.payload["title"]: set(stored.dense)
        for each in points.scroll("moments_later", Filter())
        for stored in points.retrieve("moments_later", [each.id], dense=True)
    }
    assert vectors == {"goal": {"frame", "motion"}, "dog": set()}


def test_old_votes_go_with_their_words(library: Library, points: VectorStore) -> None:
    """Those of the time since stay."""
    spaces = SpaceStore(points)
    for hour in (12, 13):
        spaces.vote(
            VoteRecord(
                A, "ann", (f"asked at {hour}",), video_id("goal"), 0.0, 5.0, "up", f"2026-01-01T{hour}:00:00+00:00"
            )
        )
    assert forget_votes(points, NOON + timedelta(minutes=30)) == 1
    assert [vote.queries for vote in spaces.votes()] == [("asked at 13",)]
