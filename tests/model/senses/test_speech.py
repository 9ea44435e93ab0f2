"""Whisper on its real part: what a sample says, and that noise and silence say nothing."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import av
import numpy as np
import pytest
from faster_whisper import WhisperModel

from model.errors import ArtifactsMissingError
from model.packages import default_artifacts_dir
from model.senses import speech
from model.senses.loader import load_speech_recognizer
from model.senses.parts import WHISPER
from model.senses.speech import SAMPLE_RATE_HZ, TranscribedLine, TranscribedWord, WhisperRecognizer

pytestmark = pytest.mark.integration

SILENCE = np.zeros(SAMPLE_RATE_HZ, np.float32)


@pytest.fixture(scope="module")
def recognizer() -> WhisperRecognizer:
    if not WHISPER.is_complete(default_artifacts_dir()):
        pytest.skip("Whisper was not fetched")
    return load_speech_recognizer("base", default_artifacts_dir())


def ignore(share: float) -> None:
    pass


def read_talk() -> np.ndarray:
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE_HZ)
    with av.open(str(default_artifacts_dir() / "samples" / "talk.mp4")) as container:
        frames = [block for frame in container.decode(audio=0) for block in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.float32) / 32767


def test_speech_becomes_lines_with_times_of_words(recognizer: WhisperRecognizer) -> None:
    """The sample says: Ever tried. Ever failed. No matter. Try again. Fail again. Fail better. The pause counts."""
    shares: list[float] = []
    pause = np.zeros(4 * SAMPLE_RATE_HZ, np.float32)
    lines = recognizer.transcribe(np.concatenate([pause, read_talk()]), shares.append)
    text = " ".join(line.text for line in lines).lower()
    assert "fail again" in text
    assert "fail better" in text
    assert all(3.5 <= word.start_s <= line.end_s <= 14.5 for line in lines for word in line.words)
    assert all(line.text == "".join(word.text for word in line.words) for line in lines)
    assert shares == sorted(shares)
    assert shares[0] == 0.0


@dataclass(frozen=True)
class FakeWhisper:
    """A model that takes everything for one language and cannot transcribe."""

    language: str = "en"
    probability: float = 1.0

    def detect_language(self, audio: np.ndarray) -> tuple[str, float, list[tuple[str, float]]]:
        return self.language, self.probability, []


def make_recognizer(model: FakeWhisper) -> WhisperRecognizer:
    return WhisperRecognizer(cast(WhisperModel, model))


def test_silence_and_noise_say_nothing() -> None:
    """The voice activity detector stops them before Whisper."""
    recognizer = make_recognizer(FakeWhisper())
    noise = (0.05 * np.random.default_rng(0).standard_normal(8 * SAMPLE_RATE_HZ)).astype(np.float32)
    for samples in (np.zeros(0, np.float32), np.zeros(600 * SAMPLE_RATE_HZ, np.float32), noise):
        assert recognizer.transcribe(samples, ignore) == []


@pytest.mark.parametrize(
    ("language", "probability", "expected"), [("ko", 0.9, "ko"), ("ko", 0.2, None), ("nn", 0.9, None)]
)
def test_unclear_or_unknown_language_says_nothing(language: str, probability: float, expected: str | None) -> None:
    assert make_recognizer(FakeWhisper(language, probability))._detect_language(SILENCE) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"avg_logprob": -1.4},
        {"compression_ratio": 2.9},
        {"no_speech_prob": 0.9},
        {"text": "thank you thank you thank you thank you thank you thank you "},
    ],
)
def test_implausible_segment_is_dropped(changes: dict[str, Any]) -> None:
    good = {"avg_logprob": -0.3, "compression_ratio": 1.2, "no_speech_prob": 0.1, "text": "well said"}
    assert speech._is_plausible(SimpleNamespace(**good))
    assert not speech._is_plausible(SimpleNamespace(**good | changes))


def test_repeated_lines_are_cut() -> None:
    lines = [TranscribedLine(i, i + 1, (TranscribedWord(i, "Bye."),)) for i in range(6)] + [
        TranscribedLine(9, 10, (TranscribedWord(9, "A"),))
    ]
    assert [line.text for line in speech._drop_repeats(lines)] == ["Bye.", "Bye.", "A"]


def test_missing_part_names_the_command(tmp_path: Any) -> None:
    with pytest.raises(ArtifactsMissingError, match=r"whisper-base.*model\.starter\.artifacts --into"):
        load_speech_recognizer("base", tmp_path)
