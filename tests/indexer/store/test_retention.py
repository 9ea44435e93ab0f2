"""Retention: deletion of old frames and votes."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from PIL import Image

from indexer.blobs import BlobStore
from indexer.generation_id import GenerationId
from indexer.store.publishing import moment_point
from indexer.store.records import VoteRecord
from indexer.store.retention import delete_old_frames, delete_old_votes
from indexer.store.stores import Stores
from indexer.vectors.vector_store import Filter, VectorStore
from tests.support.indexer.fakes import (
    FAKE,
    FakeEncoder,
    make_moments,
    make_video,
    reembed_library,
    search_library,
    submit_video,
    video_id,
)

A, B = "discord:1", "slack:2"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""Time of submissions by `submit_video`, plus their minutes."""
LATER = NOON + timedelta(seconds=1)
LATER_GENERATION = GenerationId("later")


def index_video(stores: Stores, blobs: BlobStore, name: str) -> list[str]:
    """Index a video of one moment with three frames, the second of which is its thumbnail. Returns their keys."""
    submit_video(stores, A, name)
    video = make_video(name)
    keys = [f"videos/{video.id}/{number}.jpg" for number in (7, 0, 9)]
    for key in keys:
        file = io.BytesIO()
        Image.new("RGB", (16, 16), "red").save(file, "JPEG")
        blobs.put(key, file.getvalue())
    assert stores.publisher.publish_moments(video, make_moments(video, name, frames=tuple(keys)), FAKE)
    return keys


def test_old_frames_are_deleted_and_thumbnails_kept(
    stores: Stores, blobs: BlobStore, vector_store: VectorStore
) -> None:
    """Each moment keeps one frame; a second call deletes nothing more."""
    keys = index_video(stores, blobs, "goal")
    assert delete_old_frames(vector_store, blobs, NOON) == 0
    assert set(blobs.all_keys()) == set(keys)
    assert [delete_old_frames(vector_store, blobs, LATER) for _ in range(2)] == [1, 0]
    assert set(blobs.all_keys()) == {keys[1]}
    [moment] = stores.moments.of_video(video_id("goal"))
    assert moment.payload["frames"] == [keys[1]]


def test_frames_of_a_resubmitted_video_are_kept(stores: Stores, blobs: BlobStore, vector_store: VectorStore) -> None:
    """The last submission counts, by whichever space."""
    keys = index_video(stores, blobs, "goal")
    submit_video(stores, B, "goal", minute=5)
    assert delete_old_frames(vector_store, blobs, NOON + timedelta(minutes=1)) == 0
    assert set(blobs.all_keys()) == set(keys)


def test_frame_that_is_another_moment_s_thumbnail_is_kept(
    stores: Stores, blobs: BlobStore, vector_store: VectorStore
) -> None:
    """Moments of a still picture share a frame, and another generation may have chosen another thumbnail."""
    submit_video(stores, A, "slides")
    video = make_video("slides")
    first, still, other = (f"videos/{video.id}/{number}.jpg" for number in range(3))
    one, two = make_moments(video, "one", "two")
    moments = [
        replace(one, thumbnail=first, frames=(first, still, other)),
        replace(two, thumbnail=still, frames=(still,)),
    ]
    for key in (first, still, other):
        blobs.put(key, b"a frame")
    assert stores.publisher.publish_moments(video, moments, FAKE)
    stores.generations.create(LATER_GENERATION, FakeEncoder())
    reembedded = replace(one, thumbnail=other, frames=(first, still, other))
    vector_store.upsert(
        LATER_GENERATION.collection_name, [moment_point(reembedded, video, LATER_GENERATION, words_only_code=None)]
    )
    assert delete_old_frames(vector_store, blobs, LATER) == 1
    assert set(blobs.all_keys()) == {first, still, other}
    stored = stores.moments.of_video(video.id, other_than=LATER_GENERATION)
    frames = {(each.payload["start_s"], *each.payload["frames"]) for each in stored}
    assert frames == {(0.0, first), (5.0, still)}


def test_interrupted_deletion_can_be_repeated(stores: Stores, blobs: BlobStore, vector_store: VectorStore) -> None:
    """A missing frame raises no error."""
    keys = index_video(stores, blobs, "goal")
    blobs.delete(keys[0])
    assert delete_old_frames(vector_store, blobs, LATER) == 1
    assert set(blobs.all_keys()) == {keys[1]}


def test_later_generation_reembeds_from_the_thumbnail(
    stores: Stores, blobs: BlobStore, vector_store: VectorStore
) -> None:
    """The video is found by its looks, and a video without any picture is found by its words."""
    for name in ("goal", "dog"):
        keys = index_video(stores, blobs, name)
    delete_old_frames(vector_store, blobs, LATER)
    blobs.delete(keys[1])
    later = FakeEncoder(str(LATER_GENERATION))
    reembed_library(stores, blobs, later)
    stores.generations.switch_to(LATER_GENERATION)
    assert {hit.title for hit in search_library(stores, A, "goal", "dog", encoder=later).hits} == {"goal", "dog"}
    collection = LATER_GENERATION.collection_name
    vectors = {
        stored.payload["title"]: set(stored.dense)
        for each in vector_store.scroll(collection, Filter())
        for stored in vector_store.retrieve(collection, [each.id], with_vectors=True)
    }
    assert vectors == {"goal": {"frame", "motion", "meaning"}, "dog": {"meaning"}}


def test_old_votes_are_deleted_with_their_queries(stores: Stores, vector_store: VectorStore) -> None:
    """Newer votes are kept."""
    for hour in (12, 13):
        at = f"2026-01-01T{hour}:00:00+00:00"
        stores.spaces.put_vote(VoteRecord(A, "ann", (f"asked at {hour}",), video_id("goal"), 0.0, 5.0, "up", at))
    assert delete_old_votes(vector_store, NOON + timedelta(minutes=30)) == 1
    assert [vote.queries for vote in stores.spaces.list_votes()] == [("asked at 13",)]
