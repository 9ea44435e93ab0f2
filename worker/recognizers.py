"""The recognizers of speech, text and sounds that the settings name. Each is loaded when the first video needs it."""

from functools import cache
from pathlib import Path

from indexer.enrich.recognition import Recognizers
from indexer.ports import SoundTagger, SpeechRecognizer, TextReader
from worker.settings import Settings


def make_recognizers(settings: Settings) -> Recognizers:
    """Return the loaders of the recognizers. A recognizer stays in memory once it is loaded."""

    # Imported when they are used: these packages take seconds to load, and only workers that enrich need them.
    @cache
    def load_speech() -> SpeechRecognizer:
        from model.senses.loader import load_speech_recognizer

        return load_speech_recognizer(settings.speech, _artifacts_dir(settings))

    @cache
    def load_sounds() -> SoundTagger:
        from model.senses.loader import load_sound_tagger

        return load_sound_tagger(_artifacts_dir(settings))

    @cache
    def load_text() -> TextReader:
        from model.senses.loader import load_text_reader

        return load_text_reader(_artifacts_dir(settings))

    return Recognizers(load_speech, load_sounds, load_text)


def _artifacts_dir(settings: Settings) -> Path:
    from model.packages import default_artifacts_dir

    return settings.parts_dir or default_artifacts_dir()
