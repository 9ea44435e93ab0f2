"""Recognizers that need no model: of loud seconds, and of the colours of pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from indexer.enrich.recognition import Recognizers
from indexer.ports import ShareCallback
from indexer.types import SAMPLE_RATE_HZ, Picture, SoundSamples


@dataclass(frozen=True)
class FakeSpokenWord:
    start_s: float
    text: str


@dataclass(frozen=True)
class FakeSpokenLine:
    start_s: float
    end_s: float
    words: Sequence[FakeSpokenWord]

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words)


@dataclass(frozen=True)
class FakeSound:
    name: str
    score: float
    start_s: float
    end_s: float


@dataclass(frozen=True)
class FakeWrittenLine:
    text: str
    confidence: float = 0.9
    box: tuple[float, float, float, float] = (0.1, 0.8, 0.9, 0.9)


@dataclass(frozen=True)
class FakeSpeechRecognizer:
    """Hears one line in each loud second of a sound."""

    words: tuple[str, str] = ("knead", " the dough")

    def transcribe(self, samples: SoundSamples, on_progress: ShareCallback) -> list[FakeSpokenLine]:
        on_progress(0.5)
        return [
            FakeSpokenLine(
                at_s, at_s + 1, (FakeSpokenWord(at_s, self.words[0]), FakeSpokenWord(at_s + 0.5, self.words[1]))
            )
            for at_s in find_loud_seconds(samples)
        ]


@dataclass(frozen=True)
class FakeSoundTagger:
    """Hears applause in each loud second of a sound."""

    def tag(self, samples: SoundSamples, on_progress: ShareCallback) -> list[FakeSound]:
        on_progress(0.5)
        return [FakeSound("Applause", 0.8, at_s, at_s + 1) for at_s in find_loud_seconds(samples)]


@dataclass(frozen=True)
class FakeTextReader:
    """Reads a text in pictures with more red than blue, and nothing in others."""

    texts: Mapping[bool, Sequence[str]] = field(default_factory=lambda: {True: ("SALE TODAY",), False: ()})

    def read(self, picture: Picture) -> list[FakeWrittenLine]:
        red, _, blue = picture.mean(axis=(0, 1))
        return [FakeWrittenLine(text) for text in self.texts[bool(red > blue)]]


def find_loud_seconds(samples: SoundSamples) -> list[float]:
    """Return the starts of the seconds of a sound that are not silent."""
    seconds = [samples[start : start + SAMPLE_RATE_HZ] for start in range(0, len(samples), SAMPLE_RATE_HZ)]
    return [float(at_s) for at_s, second in enumerate(seconds) if np.abs(second).max(initial=0) > 0.1]


def make_fake_recognizers() -> Recognizers:
    return Recognizers(FakeSpeechRecognizer, FakeSoundTagger, FakeTextReader)
