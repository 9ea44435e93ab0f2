"""Input and output types of a model, and the interface of an encoder.

`indexer.ports` declares the same interface on purpose: the two packages do not import each other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float32]
"""One unit vector (d,) or a batch of them (n, d)."""

Picture: TypeAlias = npt.NDArray[np.uint8]
"""One RGB picture (height, width, 3)."""

FetchProgress: TypeAlias = Callable[[int, int], None]
"""Called while files are downloaded, with the bytes that are here and with all. May raise to stop the download."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class TextVectors:
    """Vectors of one text in the spaces of the stored vectors."""

    frame: Vector
    meaning: Vector
    motion: Vector | None = None


class Clip(Protocol):
    """The pictures of one moment and their frame vectors (n, d)."""

    @property
    def pictures(self) -> Sequence[Picture]: ...

    @property
    def frame_vectors(self) -> Vector: ...


class MeaningEncoder(Protocol):
    """Encodes sentences as unit vectors that are near if the sentences mean the same, in any language."""

    @property
    def meaning_size(self) -> int: ...

    def encode_sentences(self, texts: Sequence[str]) -> Vector:
        """Encode texts as vectors (n, meaning_size)."""
        ...


class Encoder(MeaningEncoder, Protocol):
    """Encodes texts and pictures as unit vectors of one generation. All methods are thread-safe."""

    @property
    def generation(self) -> str: ...

    @property
    def frame_size(self) -> int: ...

    @property
    def motion_size(self) -> int | None:
        """Size of the motion vectors, or None if the generation has no motion vectors."""
        ...

    @property
    def logit_scale(self) -> float:
        """What cosines of texts and pictures were multiplied by in training, to be the logits of a softmax."""
        ...

    @property
    def unrelated_cosine(self) -> float | None:
        """The usual cosine of a text and a picture that have nothing to do with each other; None: not known."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Sequence[TextVectors]: ...

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        """Encode pictures as vectors (n, frame_size)."""
        ...

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        """Encode clips as vectors (n, motion_size). Must only be called if `motion_size` is not None."""
        ...


def sample_evenly(items: Sequence[Item], count: int) -> list[Item]:
    """Return `count` evenly spaced items in order, first and last included.

    Items repeat if there are too few.
    """
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]
