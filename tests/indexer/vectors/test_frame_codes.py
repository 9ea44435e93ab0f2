"""The payload keys of a moment's frames."""

import numpy as np
import pytest

from indexer.types import SpanFrames
from indexer.vectors.frame_codes import decode_span_frames, encode_span_frames
from indexer.vectors.vector_store import Payload


def test_decoded_frames_are_nearly_the_encoded_ones() -> None:
    """One byte for each component costs less than a thousandth of the cosine."""
    vectors = np.random.default_rng(0).normal(size=(8, 512)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    frames = SpanFrames(tuple(range(8)), vectors, cuts_s=(2.5,), near=("a", "b"))
    payload = encode_span_frames(frames)
    decoded = decode_span_frames(payload)
    assert decoded is not None
    assert (decoded.at_s, decoded.cuts_s, decoded.near) == (frames.at_s, frames.cuts_s, frames.near)
    assert np.sum(decoded.vectors * vectors, axis=1).min() > 0.999
    assert len(payload["frame_codes"]) <= 8 * 512 * 4 / 3 + 4


@pytest.mark.parametrize("payload", [{}, {"frames_at_s": None}, {"frames_at_s": []}])
def test_moment_without_frames_has_none(payload: Payload) -> None:
    """Neither what an earlier version indexed nor a video without pictures."""
    assert decode_span_frames(payload) is None
