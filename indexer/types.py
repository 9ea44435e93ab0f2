"""Value types of the indexer: videos, fetched files, frames, moments and vectors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from indexer.senses import SoundTag

Vector: TypeAlias = npt.NDArray[np.float32]
"""One unit vector (d,) or a batch of them (n, d)."""

Picture: TypeAlias = npt.NDArray[np.uint8]
"""One RGB picture (height, width, 3)."""

SoundSamples: TypeAlias = npt.NDArray[np.float32]
"""Sound as samples (n,) between -1 and 1: one channel, `SAMPLE_RATE_HZ`."""

SAMPLE_RATE_HZ: Final = 16_000

MAX_SHORT_SIDE_PX: Final = 288
"""Maximum of the short side of a frame, in pixels."""
MAX_LONG_SIDE_PX: Final = 4 * MAX_SHORT_SIDE_PX
"""Maximum of the long side of a frame, in pixels."""
MAX_READING_SIDE_PX: Final = 640
"""Maximum of both sides of a frame for reading, in pixels."""


@dataclass(frozen=True)
class TimedWord:
    """A word of a caption and the second at which it begins."""

    start_s: float
    text: str
    """With the space before it, if there is one."""


@dataclass(frozen=True)
class Caption:
    """Text with its range in the video, in seconds: a line of speech or of writing, or a chapter title."""

    start_s: float
    end_s: float
    text: str
    words: tuple[TimedWord, ...] = ()
    """Their texts joined are `text`. Empty: the times of the words are unknown."""


@dataclass(frozen=True)
class Evidence:
    """What was recognized in a video, or in one moment. None: this sense was not examined."""

    said: tuple[Caption, ...] | None = None
    shown: tuple[Caption, ...] | None = None
    heard: tuple[SoundTag, ...] | None = None


@dataclass(frozen=True)
class Video:
    """One canonical link with the metadata that its site gives."""

    id: str
    link: str
    title: str
    description: str = ""
    duration_s: float | None = None
    published: str | None = None
    """ISO date."""
    is_first_of_several: bool = False
    """Whether its post has more videos."""


@dataclass(frozen=True)
class FetchResult:
    """Metadata and files of a link.

    Without `media`, only the metadata and perhaps the thumbnail were available. `sound` is a second file with the sound
    that `media` lacks.
    """

    video: Video
    media: Path | None
    thumbnail: Path | None = None
    speech: tuple[Caption, ...] = ()
    chapters: tuple[Caption, ...] = ()
    sound: Path | None = None
    media_error_code: str | None = None
    """Error code that explains an absent `media` (`blocked`, `private`)."""


@dataclass(frozen=True)
class SampledFrame:
    """One frame of a video, kept as a JPEG file."""

    at_s: float
    path: Path


@dataclass(frozen=True)
class DecodeResult:
    """Sampled frames of a video in time order, the start of each shot but the first, and the words in the file.

    `speech` includes the subtitle files next to a local file. `sound` is a FLAC file (see `indexer.sound_file`), or
    None without sound. `reading_frames` are larger frames, each different from the one before, for reading text.
    """

    duration_s: float
    frames: tuple[SampledFrame, ...]
    cuts_s: tuple[float, ...] = ()
    speech: tuple[Caption, ...] = ()
    chapters: tuple[Caption, ...] = ()
    sound: Path | None = None
    reading_frames: tuple[SampledFrame, ...] = ()


@dataclass(frozen=True)
class SpanFrames:
    """Frames of a moment, with which a search refines where a hit begins and ends."""

    at_s: tuple[float, ...]
    vectors: Vector
    """One unit vector for each frame (n, d)."""
    cuts_s: tuple[float, ...] = ()
    """The cuts in the moment, and the one at its start if there is one."""
    near: tuple[str, ...] = ()
    """Ids of the moments before and after it into which a span may reach."""


@dataclass(frozen=True)
class Moment:
    """Range of one video: the unit that is embedded, stored and found."""

    id: str
    video_id: str
    start_s: float
    end_s: float
    thumbnail: str | None
    """Key in the blob store."""
    words: str
    """Title, description and speech of this range, for lexical search."""
    frame: Vector | None
    motion: Vector | None = None
    meaning: Vector | None = None
    """Of its words; None if it has none."""
    frames: tuple[str, ...] = ()
    """Keys of its frames in the blob store, in time order. A new generation re-embeds the moment from them.
    """
    text_by_source: Mapping[str, str] = field(default_factory=dict)
    """The same text without the title, by its source: `description`, `chapter`, `speech`."""
    span_frames: SpanFrames | None = None
    """None: it has no pictures."""


@dataclass(frozen=True)
class QueryVectors:
    """One query as vectors, in the same vector spaces as the stored moments."""

    frame: Vector
    meaning: Vector
    motion: Vector | None = None


@dataclass(frozen=True)
class Clip:
    """Pictures of one moment with their frame vectors (n, d), as input for a motion vector."""

    pictures: tuple[Picture, ...]
    frame_vectors: Vector = field(repr=False)
