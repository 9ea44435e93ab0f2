"""Loading of the recognizers of speech, text and sounds. Each has its own thread limit: jobs run at the same time."""

import os
from pathlib import Path
from typing import Final

from model.senses.parts import OCR, WHISPER, YAMNET
from model.senses.screen_text import ScreenTextReader, TextNetworks
from model.senses.sounds import YamnetTagger
from model.senses.speech import WhisperRecognizer

BASE: Final = "base"
"""The speech model that is fetched with the other parts. Other names are those of a hub."""


def load_speech_recognizer(model: str, artifacts_dir: Path) -> WhisperRecognizer:
    """Load the speech model `base`, or one of faster-whisper's from a hub. Raises `ArtifactsMissingError`."""
    threads = max(1, (os.cpu_count() or 1) // 2)
    if model == BASE:
        return WhisperRecognizer.load(str(WHISPER.find(artifacts_dir)), threads)
    return WhisperRecognizer.load(model, threads, download_root=str(artifacts_dir / "hub"))


def load_sound_tagger(artifacts_dir: Path) -> YamnetTagger:
    """Load the recognizer of sounds. Raises `ArtifactsMissingError`."""
    return YamnetTagger.load(YAMNET.find(artifacts_dir))


def load_text_reader(artifacts_dir: Path) -> ScreenTextReader:
    """Load the reader of text. Raises `ArtifactsMissingError`."""
    return ScreenTextReader(TextNetworks.load(OCR.find(artifacts_dir)))
