"""Speech by Whisper (arXiv:2212.04356), run by faster-whisper.

Whisper invents sentences for music and noise, and repeats itself in loops. So it only gets what a voice activity
detector (Silero, part of faster-whisper) takes for speech, and its text is dropped if it is not sure of the language
or of the words, or if it repeats itself.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.vad import SpeechTimestampsMap, VadOptions, get_speech_timestamps

from model.errors import ArtifactsMissingError

Array: TypeAlias = npt.NDArray[np.float32]

SAMPLE_RATE_HZ: Final = 16_000
LANGUAGES: Final = frozenset(["ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh"])
"""The languages that the sentence encoder knows. Whisper takes noise for one of the others now and then."""

_MIN_LANGUAGE_PROBABILITY: Final = 0.4
_MIN_LOUDNESS: Final = 0.001
"""Peak below which nothing is spoken (-60 dB of full scale)."""
_MIN_LOG_PROBABILITY: Final = -1.0
_MAX_NO_SPEECH: Final = 0.6
_MAX_COMPRESSION: Final = 2.4
_MAX_REPEATS: Final = 2
"""Successive segments with the same words. More are a loop."""
_MAX_TOKENS: Final = 224
_VOICE: Final = VadOptions(min_speech_duration_ms=250, min_silence_duration_ms=1000, max_speech_duration_s=30.0)
_LOOP: Final = re.compile(r"(.{1,40}?)\1{4,}", re.DOTALL)
"""A text that repeats a part of it five times."""


@dataclass(frozen=True)
class TranscribedWord:
    """A word and the second at which it begins. Its text includes the space before it."""

    start_s: float
    text: str


@dataclass(frozen=True)
class TranscribedLine:
    """A line of speech. The texts of its words joined are its text."""

    start_s: float
    end_s: float
    words: tuple[TranscribedWord, ...]

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words)


class WhisperRecognizer:
    """Recognizer of speech on the CPU."""

    def __init__(self, model: WhisperModel) -> None:
        self._model = model

    @classmethod
    def load(cls, model: str, threads: int, **options: Any) -> Self:
        """Load a model from a folder, or by its name from a hub. Raises `ArtifactsMissingError`."""
        try:
            return cls(WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=threads, **options))
        except (OSError, ValueError, RuntimeError) as error:
            raise ArtifactsMissingError(
                "the speech model {model} could not be loaded ({error})", model=model, error=error
            ) from error

    def transcribe(self, samples: Array, on_progress: Callable[[float], None]) -> list[TranscribedLine]:
        """Return the lines of speech in samples (n,) at 16 kHz, in time order.

        Music and silence give none, and silence costs next to nothing.
        """
        on_progress(0.0)
        if not len(samples) or float(np.abs(samples).max()) < _MIN_LOUDNESS:
            return []
        voiced = get_speech_timestamps(samples, _VOICE)
        if not voiced:
            return []
        speech = np.concatenate([samples[each["start"] : each["end"]] for each in voiced])
        language = self._detect_language(speech)
        if language is None:
            return []
        clock = SpeechTimestampsMap(voiced, SAMPLE_RATE_HZ)
        lines = []
        for segment in self._transcribe(speech, language):
            on_progress(min(1.0, segment.end * SAMPLE_RATE_HZ / len(speech)))
            if _is_plausible(segment):
                lines.append(_make_line(segment, clock))
        return _drop_repeats([line for line in lines if line.words])

    def _detect_language(self, speech: Array) -> str | None:
        """Return the language of the first half minute, or None if it is unclear or none of `LANGUAGES`."""
        language, probability, _ = self._model.detect_language(speech[: 30 * SAMPLE_RATE_HZ])
        is_clear = probability >= _MIN_LANGUAGE_PROBABILITY
        return language if language in LANGUAGES and is_clear else None

    def _transcribe(self, speech: Array, language: str) -> Any:
        segments, _ = self._model.transcribe(
            speech,
            language=language,
            beam_size=5,
            temperature=[0.0, 0.4],
            condition_on_previous_text=False,  # a loop would go on in the next window
            compression_ratio_threshold=_MAX_COMPRESSION,
            log_prob_threshold=_MIN_LOG_PROBABILITY,
            no_speech_threshold=_MAX_NO_SPEECH,
            word_timestamps=True,
            hallucination_silence_threshold=2.0,
            max_new_tokens=_MAX_TOKENS,
        )
        return segments


def _is_plausible(segment: Any) -> bool:
    """Return whether a segment is speech."""
    return (
        segment.avg_logprob >= _MIN_LOG_PROBABILITY
        and segment.compression_ratio <= _MAX_COMPRESSION
        and segment.no_speech_prob <= _MAX_NO_SPEECH
        and _LOOP.search(segment.text) is None
    )


def _make_line(segment: Any, clock: SpeechTimestampsMap) -> TranscribedLine:
    """Return a segment of the speech without pauses as a line with the times of the whole sound."""
    words = tuple(
        TranscribedWord(float(clock.get_original_time(word.start)), word.word if index else word.word.lstrip())
        for index, word in enumerate(segment.words or ())
    )
    return TranscribedLine(
        words[0].start_s if words else float(clock.get_original_time(segment.start)),
        float(clock.get_original_time(segment.end, is_end=True)),
        words,
    )


def _drop_repeats(lines: Sequence[TranscribedLine]) -> list[TranscribedLine]:
    """Return the lines without those that repeat the line before them too often."""
    kept: list[TranscribedLine] = []
    for _, same in groupby(lines, key=lambda line: line.text.strip().lower()):
        kept += list(same)[:_MAX_REPEATS]
    return kept
