"""Embedding of moments: frame and motion vectors, several moments in one batch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from indexer.ports import Encoder
from indexer.types import Clip, Picture, Vector

BATCH_FRAMES: Final = 32
"""Minimum number of pictures in a batch. A moment is never split between batches."""


@dataclass(frozen=True)
class MomentVectors:
    """Vectors of one moment: one for each of its pictures (n, d), and its motion vector."""

    frames: Vector
    motion: Vector | None

    @property
    def frame(self) -> Vector | None:
        """The moment's frame vector, or None without pictures."""
        return mean_vector(self.frames) if len(self.frames) else None

    @property
    def most_typical(self) -> int:
        """Index of the picture that is nearest to the mean of all pictures."""
        return int(np.argmax(self.frames @ self.frames.mean(axis=0)))


def embed_moments(encoder: Encoder, moments: Iterable[Sequence[Picture]]) -> Iterator[list[MomentVectors]]:
    """Embed the pictures of moments, in order. Yields the vectors of one batch at a time.

    `moments` is consumed batch by batch, so that only a batch of pictures is in memory. A moment without
    pictures gets no vectors.
    """
    for batch in _batch_moments(moments):
        pictures = [picture for moment in batch for picture in moment]
        vectors = encoder.encode_frames(pictures) if pictures else np.empty((0, encoder.frame_size), np.float32)
        frames = np.split(vectors, np.cumsum([len(moment) for moment in batch])[:-1])
        motions: Sequence[Vector | None] = [None] * len(batch)
        if encoder.motion_size is not None:
            clips = [Clip(tuple(moment), each) for moment, each in zip(batch, frames, strict=True) if moment]
            encoded = iter(encoder.encode_clips(clips) if clips else ())
            motions = [next(encoded) if moment else None for moment in batch]
        yield [MomentVectors(each, motion) for each, motion in zip(frames, motions, strict=True)]


def mean_vector(frames: Vector) -> Vector:
    """Return the mean of frame vectors (n, d) as a unit vector (d,)."""
    mean: Vector = frames.mean(axis=0)
    return mean / np.linalg.norm(mean)


def _batch_moments(moments: Iterable[Sequence[Picture]]) -> Iterator[list[Sequence[Picture]]]:
    batch: list[Sequence[Picture]] = []
    for moment in moments:
        batch.append(moment)
        if sum(len(each) for each in batch) >= BATCH_FRAMES:
            yield batch
            batch = []
    if batch:
        yield batch
