"""Interface of the files that are decoded: frames with their times, and words."""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple, Protocol

from av import VideoFrame

from indexer.errors import TooLongError, TooManyPixelsError
from indexer.types import Caption


class DecodeLimits(NamedTuple):
    """Limits of one file: pixels of a picture, and duration in seconds."""

    max_pixels: int
    max_duration_s: float


class TimedFrame(NamedTuple):
    """One decoded frame and the second at which players show it."""

    frame: VideoFrame
    at_s: float


class FrameSource(Protocol):
    """A file with pictures. `duration_s`, `has_sound`, `speech` and `chapters` are complete after the last frame."""

    @property
    def length_s(self) -> float | None:
        """Duration that the file claims, or None. It may be wrong."""
        ...

    @property
    def pixel_shape(self) -> Fraction | None:
        """Width of a pixel divided by its height. None if they are equal."""
        ...

    @property
    def duration_s(self) -> float: ...

    @property
    def has_sound(self) -> bool:
        """Whether sound was written to the file that was named for it."""
        ...

    @property
    def speech(self) -> tuple[Caption, ...]: ...

    @property
    def chapters(self) -> tuple[Caption, ...]: ...

    def frames(self) -> Iterator[TimedFrame]:
        """Yield every frame that can be decoded, in time order, the first at 0 or later."""
        ...


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Raise `TooManyPixelsError` if a picture is larger than allowed."""
    if width * height > max_pixels:
        raise TooManyPixelsError(f"{width}×{height} pixels")


def check_duration(seconds: float, max_duration_s: float) -> None:
    """Raise `TooLongError` if a video is longer than allowed."""
    if seconds > max_duration_s:
        raise TooLongError(f"{seconds:.0f} s")
