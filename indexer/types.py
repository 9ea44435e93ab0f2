"""The words of the glossary as values: a video, what was fetched of it, its frames and its moments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float32]
"""One unit vector (d,) or a batch of them (n, d)."""

Picture: TypeAlias = npt.NDArray[np.uint8]
"""One RGB picture (height, width, 3)."""

SHORT_SIDE: Final = 288
LONGEST_SIDE: Final = 4 * SHORT_SIDE
"""Of a frame in pixels, at most."""


@dataclass(frozen=True)
class Caption:
    """A stretch of speech or a chapter, in seconds of the video."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Video:
    """One canonical link and what its site says of it."""

    id: str
    link: str
    title: str
    description: str = ""
    duration_s: float | None = None
    published: str | None = None
    """ISO date."""


@dataclass(frozen=True)
class FetchResult:
    """What a link gave. Without `media` only the words and the thumbnail could be had, for the reason `missing`."""

    video: Video
    media: Path | None
    thumbnail: Path | None = None
    speech: tuple[Caption, ...] = ()
    chapters: tuple[Caption, ...] = ()
    missing: str | None = None
    """The code of the failure (`blocked`, `private`) behind an absent `media`."""


@dataclass(frozen=True)
class SampledFrame:
    """One picture kept of a video, as a JPEG file."""

    at_s: float
    path: Path


@dataclass(frozen=True)
class DecodeResult:
    """The pictures of a video, in order of time, and where its shots begin (without 0)."""

    duration_s: float
    frames: tuple[SampledFrame, ...]
    cuts_s: tuple[float, ...] = ()


@dataclass(frozen=True)
class Moment:
    """A stretch of one video: the unit that is embedded, stored and found."""

    id: str
    video_id: str
    start_s: float
    end_s: float
    thumbnail: str | None
    """Key in the blob store."""
    words: str
    """Title, description and speech of this stretch."""
    frame: Vector | None
    motion: Vector | None = None
    frames: tuple[str, ...] = ()
    """Keys of its pictures in the blob store, in order: vectors can be made anew from them."""
    said: Mapping[str, str] = field(default_factory=dict)
    """Its words by where they are from: `description`, `chapter`, `speech`."""


@dataclass(frozen=True)
class QueryVectors:
    """One query in the spaces of the stored vectors."""

    frame: Vector
    motion: Vector | None = None


@dataclass(frozen=True)
class Clip:
    """The pictures of one moment with the frame vectors (n, d) already made of them."""

    pictures: tuple[Picture, ...]
    frame_vectors: Vector = field(repr=False)
