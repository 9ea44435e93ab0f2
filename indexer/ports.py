"""What the indexer needs of others. `worker.services` hands the real parts in."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeAlias

from indexer.types import Clip, DecodeResult, FetchResult, Picture, Vector

StageProgressCallback: TypeAlias = Callable[[str, float], None]
"""Called with the stage ("fetch", "decode", "embed", "store") and the share done of it, 0 to 1."""

StageTimer: TypeAlias = Callable[[str], AbstractContextManager[None]]
"""Measures what is done inside, as one stage ("encode", "nearest", "fuse", "gather") of a search."""


class TextVectors(Protocol):
    """One text in the spaces of the stored vectors; `indexer.types.QueryVectors` is one."""

    @property
    def frame(self) -> Vector: ...

    @property
    def motion(self) -> Vector | None: ...


class Encoder(Protocol):
    """Turns words and pictures into unit vectors of one generation."""

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


class Fetcher(Protocol):
    """Gets a link's words and its smallest serving file. Raises `LinkRefused` and `FetchFailed`."""

    def fetch(self, link: str, folder: Path, progress: StageProgressCallback) -> FetchResult: ...


class Decoder(Protocol):
    """Samples a file's pictures into `folder`. Raises `DecodeFailed`."""

    def decode(self, media: Path, folder: Path, progress: StageProgressCallback) -> DecodeResult: ...
