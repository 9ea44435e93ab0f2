"""Parts the indexer needs of others, small and deterministic."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.ports import Encoder
from indexer.video import Clip, Picture, QueryVectors, Vector

SIZE = 8


def vector_of(seed: str, size: int = SIZE) -> Vector:
    """A unit vector that depends on the seed alone."""
    numbers = np.random.default_rng(list(hashlib.sha256(seed.encode()).digest())).normal(size=size)
    return (numbers / np.linalg.norm(numbers)).astype(np.float32)


def meaning(text: str) -> Vector:
    """The mean direction of a text's words: texts with a word in common are alike."""
    total = np.sum([vector_of(word) for word in re.findall(r"\w+", text.casefold()) or [""]], axis=0)
    return (total / np.linalg.norm(total)).astype(np.float32)


@dataclass(frozen=True)
class FakeEncoder:
    """Words mean the sum of their words; a picture means its mean colour's hash. `motion` sees the reverse."""

    generation: str = "fake"
    frame_size: int = SIZE
    motion_size: int | None = SIZE

    def texts(self, texts: Sequence[str]) -> list[QueryVectors]:
        return [QueryVectors(meaning(text), -meaning(text) if self.motion_size else None) for text in texts]

    def frames(self, pictures: Sequence[Picture]) -> Vector:
        colours = [picture.mean(axis=(0, 1)).round(-1).tolist() for picture in pictures]
        return np.stack([vector_of(str(colour)) for colour in colours])

    def clips(self, clips: Sequence[Clip]) -> Vector:
        return np.stack([-self.frames(clip.pictures).mean(axis=0) for clip in clips])


def _is_an_encoder(fake: FakeEncoder) -> Encoder:
    return fake
