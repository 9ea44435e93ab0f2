"""Tests of re-embedding the library for another generation."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from indexer.blobs import BlobStore
from indexer.generation_id import GenerationId
from indexer.ingest.embedding import mean_vector
from indexer.store.stores import Stores
from indexer.vectors.frame_codes import decode_span_frames
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

SPACE = "discord:1"
NEXT = GenerationId("next")
ENCODER = FakeEncoder(str(NEXT))


def encode_picture(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(file, "JPEG")
    return file.getvalue()


def index_with_frames(stores: Stores, blobs: BlobStore, name: str, colours: tuple[str, ...] = ("red", "blue")) -> None:
    """Index a video of one moment with a stored frame of each colour."""
    submit_video(stores, SPACE, name)
    video = make_video(name)
    keys = [f"videos/{video.id}/{number}.jpg" for number in range(len(colours))]
    for key, colour in zip(keys, colours, strict=True):
        blobs.put(key, encode_picture(colour))
    [moment] = make_moments(video, name, frames=tuple(keys))
    assert stores.publisher.publish_moments(video, [moment], FAKE)


def test_switch_to_reembedded_generation_finds_same_videos(
    stores: Stores, blobs: BlobStore, vector_store: VectorStore
) -> None:
    """The same videos are found, by the vectors that the new generation gives to the stored frames."""
    for name in ("goal", "dog"):
        index_with_frames(stores, blobs, name)
    reports: list[tuple[int, int]] = []
    reembed_library(stores, blobs, ENCODER, lambda done, total: reports.append((done, total)))
    assert reports == [(0, 2), (1, 2), (2, 2)]
    assert stores.generations.get_live() == FAKE
    stores.generations.switch_to(NEXT)
    unsure = replace(ENCODER, logit_scale=3.0)
    assert len(search_library(stores, SPACE, "unknown", encoder=unsure).hits) == 2
    [moment] = vector_store.scroll(NEXT.collection_name, Filter({"video_id": video_id("goal")}))
    [stored] = vector_store.retrieve(NEXT.collection_name, [moment.id], with_vectors=True)
    pictures = [np.asarray(Image.open(io.BytesIO(encode_picture(colour)))) for colour in ("red", "blue")]
    np.testing.assert_allclose(stored.dense["frame"], mean_vector(ENCODER.encode_frames(pictures)), atol=1e-5)
    assert stored.payload["generation"] == str(NEXT)


@pytest.mark.parametrize("encoder", [FakeEncoder(), ENCODER], ids=["same generation", "next generation"])
def test_reembed_gives_frames_to_moments_of_an_earlier_version(
    stores: Stores, blobs: BlobStore, encoder: FakeEncoder
) -> None:
    """Their vectors by the generation's own encoder, with which spans are refined."""
    index_with_frames(stores, blobs, "goal")
    assert stores.reembedding.videos_without_span_frames(FAKE) == [video_id("goal")]
    reembed_library(stores, blobs, encoder)
    generation = GenerationId(encoder.generation)
    assert stores.reembedding.videos_without_span_frames(generation) == []
    [moment] = stores.reembedding.read_moments(generation, video_id("goal"))
    frames = decode_span_frames(moment.payload)
    assert frames is not None
    assert (frames.at_s, frames.cuts_s, frames.near) == ((0.0, 0.001), (), ())
    pictures = [np.asarray(Image.open(io.BytesIO(encode_picture(colour)))) for colour in ("red", "blue")]
    np.testing.assert_allclose(frames.vectors, encoder.encode_frames(pictures), atol=0.01)


def test_reembed_after_interruption_continues_with_missing_videos(stores: Stores, blobs: BlobStore) -> None:
    """Videos that are done are not repeated."""
    for name in ("goal", "dog", "cat"):
        index_with_frames(stores, blobs, name)

    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        reembed_library(stores, blobs, ENCODER, interrupt)
    assert len(stores.reembedding.videos_missing_from(NEXT)) == 1
    reembed_library(stores, blobs, ENCODER)
    assert stores.reembedding.videos_missing_from(NEXT) == []


def test_reembed_video_without_frames_keeps_its_words(stores: Stores, blobs: BlobStore) -> None:
    """A video whose frames were deleted is still found by its words."""
    index_with_frames(stores, blobs, "goal")
    blobs.delete_prefix(f"videos/{video_id('goal')}/")
    reembed_library(stores, blobs, ENCODER)
    stores.generations.switch_to(NEXT)
    assert [hit.title for hit in search_library(stores, SPACE, "goal", encoder=ENCODER).hits] == ["goal"]


@pytest.mark.parametrize("broken", [b"", encode_picture("red")[:400]], ids=["empty", "truncated"])
def test_reembed_skips_unreadable_frame(stores: Stores, blobs: BlobStore, broken: bytes) -> None:
    """A power cut may leave a file without its content. The other frames are embedded."""
    index_with_frames(stores, blobs, "goal")
    index_with_frames(stores, blobs, "dog")
    blobs.put(f"videos/{video_id('goal')}/0.jpg", broken)
    reembed_library(stores, blobs, ENCODER)
    assert stores.reembedding.videos_missing_from(NEXT) == []
    [moment] = stores.moments.of_video(video_id("goal"), other_than=FAKE)
    [stored] = stores.moments.get(NEXT, SPACE, [moment.id], with_vectors=True)
    blue = np.asarray(Image.open(io.BytesIO(encode_picture("blue"))))
    np.testing.assert_allclose(stored.dense["frame"], ENCODER.encode_frames([blue])[0], atol=1e-5)
