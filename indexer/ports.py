"""Interfaces that the indexer needs from others. `worker.services` passes in the implementations."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeAlias

from indexer.stages import IndexStage, SearchStage
from indexer.types import Clip, DecodeResult, FetchResult, Picture, Vector

StageProgressCallback: TypeAlias = Callable[[IndexStage, float], None]
"""Called with the current stage and the share of it that is done, 0 to 1."""

StageTimer: TypeAlias = Callable[[SearchStage], AbstractContextManager[None]]
"""Returns a context manager that measures the time of one stage of a search."""


class TextVectors(Protocol):
    """One text as vectors, in the same vector spaces as the stored moments.

    See `indexer.types.QueryVectors`.
    """

    @property
    def frame(self) -> Vector: ...

    @property
    def motion(self) -> Vector | None: ...


class Encoder(Protocol):
    """Encoder of texts, pictures and clips as unit vectors of one generation."""

    @property
    def generation(self) -> str: ...

    @property
    def frame_size(self) -> int: ...

    @property
    def motion_size(self) -> int | None:
        """Dimensions of a motion vector, or None if this generation has no motion vectors."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Sequence[TextVectors]: ...

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        """Return frame vectors of shape (n, frame_size)."""
        ...

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        """Return motion vectors of shape (n, motion_size). Only called if `motion_size` is set."""
        ...


class Fetcher(Protocol):
    """Source of videos on the web."""

    def fetch(self, link: str, folder: Path, progress: StageProgressCallback) -> FetchResult:
        """Download a link's metadata and its smallest sufficient file.

        Raises `LinkRefusedError`, `FetchError`.
        """
        ...


class Decoder(Protocol):
    """Decoder of video files."""

    def decode(self, media: Path, folder: Path, progress: StageProgressCallback) -> DecodeResult:
        """Sample frames of a file into `folder`. Raises `DecodeError`."""
        ...
