"""The payload keys of a moment's frames: their times, and their vectors as 8-bit codes in base64.

A code is the vector divided by its greatest component. Decoded vectors have a cosine of over 0.999 to the encoded ones.
"""

from base64 import b64decode, b64encode
from typing import Any, Final

import numpy as np

from indexer.types import SpanFrames, Vector
from indexer.vectors.vector_store import Payload

SPAN_KEYS: Final = ("frames_at_s", "frame_codes", "cuts_s", "near")
"""Payload keys of moments that this version indexed or re-embedded."""

_MAX_CODE: Final = 127
_MIN_NORM: Final = 1e-12


def encode_span_frames(frames: SpanFrames) -> dict[str, Any]:
    """Return the payload keys `SPAN_KEYS` of a moment."""
    greatest = np.abs(frames.vectors).max(axis=1, keepdims=True, initial=_MIN_NORM)
    codes = np.rint(_MAX_CODE * frames.vectors / greatest).astype(np.int8)
    values = (list(frames.at_s), b64encode(codes.tobytes()).decode(), list(frames.cuts_s), list(frames.near))
    return dict(zip(SPAN_KEYS, values, strict=True))


def decode_span_frames(payload: Payload) -> SpanFrames | None:
    """Return the frames in a moment's payload. None: it has no pictures, or an earlier version indexed it."""
    at_s = payload.get("frames_at_s")
    if not at_s:
        return None
    codes = np.frombuffer(b64decode(payload["frame_codes"]), np.int8).reshape(len(at_s), -1)
    vectors: Vector = codes.astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _MIN_NORM)
    return SpanFrames(tuple(at_s), vectors, tuple(payload["cuts_s"]), tuple(payload["near"]))
