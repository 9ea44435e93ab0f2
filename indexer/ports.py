"""Interfaces that the indexer needs from others. `worker.services` passes in the implementations."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeAlias

from indexer.stages import IndexStage, SearchStage
from indexer.types import Clip, DecodeResult, FetchResult, Picture, SoundSamples, Vector

StageProgressCallback: TypeAlias = Callable[[IndexStage, float], None]
"""Called with the current stage and the share of it that is done, 0 to 1."""

ShareCallback: TypeAlias = Callable[[float], None]
"""Called with the share of the work that is done, 0 to 1. An error that it raises ends the work."""

StageTimer: TypeAlias = Callable[[SearchStage], AbstractContextManager[None]]
"""Returns a context manager that measures the time of one stage of a search."""


class TextVectors(Protocol):
    """One text as vectors, in the same vector spaces as the stored moments.

    See `indexer.types.QueryVectors`.
    """

    @property
    def frame(self) -> Vector: ...

    @property
    def meaning(self) -> Vector: ...

    @property
    def motion(self) -> Vector | None: ...


class VectorSizes(Protocol):
    """Dimensions of the vectors of one generation."""

    @property
    def frame_size(self) -> int: ...

    @property
    def motion_size(self) -> int | None:
        """Dimensions of a motion vector, or None if this generation has no motion vectors."""
        ...

    @property
    def meaning_size(self) -> int:
        """Dimensions of the vectors of texts and of sounds."""
        ...


class Encoder(VectorSizes, Protocol):
    """Encoder of texts, pictures and clips as unit vectors of one generation."""

    @property
    def generation(self) -> str: ...

    @property
    def logit_scale(self) -> float:
        """What cosines of texts and pictures were multiplied by in training, to be the logits of a softmax."""
        ...

    @property
    def unrelated_cosine(self) -> float | None:
        """The usual cosine of a text and a picture that have nothing to do with each other; None: not known."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Sequence[TextVectors]:
        """Return the vectors of queries."""
        ...

    def encode_sentences(self, texts: Sequence[str]) -> Vector:
        """Return vectors of the texts' meanings (n, meaning_size), to compare with `TextVectors.meaning`."""
        ...

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

    def decode(
        self, media: Path, folder: Path, progress: StageProgressCallback, sound: Path | None = None
    ) -> DecodeResult:
        """Sample frames and the sound of `media` into `folder`. If it has no sound, the file `sound` may have it.

        Raises `DecodeError`.
        """
        ...


class SpokenWord(Protocol):
    """One word of speech with the second at which it starts. Its text includes the space before it, if any."""

    @property
    def start_s(self) -> float: ...

    @property
    def text(self) -> str: ...


class SpokenLine(Protocol):
    """One line of speech. The texts of its words joined are its text."""

    @property
    def start_s(self) -> float: ...

    @property
    def end_s(self) -> float: ...

    @property
    def text(self) -> str: ...

    @property
    def words(self) -> Sequence[SpokenWord]: ...


class HeardSound(Protocol):
    """A class of sounds of AudioSet by its display name, its score (0 to 1) and the range in which it is heard."""

    @property
    def name(self) -> str: ...

    @property
    def score(self) -> float: ...

    @property
    def start_s(self) -> float: ...

    @property
    def end_s(self) -> float: ...


class ShownLine(Protocol):
    """One line of text in a picture."""

    @property
    def text(self) -> str: ...

    @property
    def confidence(self) -> float:
        """From 0 to 1."""
        ...

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom edge, as shares of the picture's width and height."""
        ...


class SpeechRecognizer(Protocol):
    """Recognizer of speech."""

    def transcribe(self, samples: SoundSamples, on_progress: ShareCallback) -> Sequence[SpokenLine]:
        """Return the lines of speech in time order. Empty if there is no speech."""
        ...


class SoundTagger(Protocol):
    """Recognizer of sounds."""

    def tag(self, samples: SoundSamples, on_progress: ShareCallback) -> Sequence[HeardSound]:
        """Return what is heard, in time order. Silence gives nothing."""
        ...


class TextReader(Protocol):
    """Recognizer of text in pictures."""

    def read(self, picture: Picture) -> Sequence[ShownLine]:
        """Return the lines of text in reading order."""
        ...
