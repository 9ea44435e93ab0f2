"""What a model takes and gives, and what the rest of Reelseek asks of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float32]
"""One unit vector (d,) or a batch of them (n, d)."""

Picture: TypeAlias = npt.NDArray[np.uint8]
"""One RGB picture (height, width, 3)."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class TextVectors:
    """One text in the spaces of the stored vectors."""

    frame: Vector
    motion: Vector | None = None


class Clip(Protocol):
    """The pictures of one moment with the frame vectors (n, d) already made of them."""

    @property
    def pictures(self) -> Sequence[Picture]: ...

    @property
    def frame_vectors(self) -> Vector: ...


class Encoder(Protocol):
    """Turns words and pictures into unit vectors of one generation. Safe to call from several threads."""

    @property
    def generation(self) -> str: ...

    @property
    def frame_size(self) -> int: ...

    @property
    def motion_size(self) -> int | None:
        """None: this generation has no motion vectors."""
        ...

    def texts(self, texts: Sequence[str]) -> Sequence[TextVectors]: ...

    def frames(self, pictures: Sequence[Picture]) -> Vector:
        """(n, frame_size)"""
        ...

    def clips(self, clips: Sequence[Clip]) -> Vector:
        """(n, motion_size); only called where `motion_size` is set."""
        ...


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """So many of them in order, again where there are too few."""
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]
