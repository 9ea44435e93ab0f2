"""Tests of embedding several moments in batches."""

from collections.abc import Iterator

import numpy as np

from indexer.ingest.embedding import BATCH_FRAMES, embed_moments
from indexer.types import Picture
from tests.support.indexer.fakes import FakeEncoder

ENCODER = FakeEncoder()


def make_picture(level: int) -> Picture:
    return np.full((4, 4, 3), level, np.uint8)


def test_embed_moments_gives_each_moment_its_own_vectors() -> None:
    """Each picture has a frame vector, and each moment a mean of them and a motion vector."""
    moments = [[make_picture(10), make_picture(100)], [], [make_picture(200)]]
    [[first, empty, last]] = embed_moments(ENCODER, moments)
    np.testing.assert_allclose(first.frames, ENCODER.encode_frames(moments[0]))
    assert last.frame is not None
    np.testing.assert_allclose(last.frame, ENCODER.encode_frames(moments[2])[0], atol=1e-6)
    assert last.motion is not None
    assert (len(empty.frames), empty.frame, empty.motion) == (0, None, None)


def test_embed_moments_without_motion_size_gives_no_motion_vector() -> None:
    [[vectors]] = embed_moments(FakeEncoder(motion_size=None), [[make_picture(10)]])
    assert vectors.motion is None


def test_embed_moments_reads_one_batch_at_a_time() -> None:
    """Only the pictures of one batch are in memory, and no moment is split between batches."""
    read = 0

    def read_moments() -> Iterator[list[Picture]]:
        nonlocal read
        for _ in range(BATCH_FRAMES):
            read += 1
            yield [make_picture(10)] * 3

    batches = embed_moments(ENCODER, read_moments())
    first = len(next(batches))
    assert first == read == BATCH_FRAMES // 3 + 1
    assert first + sum(len(batch) for batch in batches) == BATCH_FRAMES
