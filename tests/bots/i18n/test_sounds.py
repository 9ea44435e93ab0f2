"""Names of sounds."""

import pytest

from bots.i18n.sounds import read_sounds, translate_sound
from bots.i18n.translate import LANGUAGES, use_locale


def test_each_sound_has_different_words_in_each_language() -> None:
    """There are as many as AudioSet's classes that are recognized."""
    sounds = read_sounds()
    assert len(sounds) == 521
    for language in LANGUAGES:
        assert len({words[language] for words in sounds.values()}) == 521
        assert all(words[language].strip() for words in sounds.values())


@pytest.mark.parametrize(
    ("locale", "words"), [("en", "applause"), ("ko-KR", "박수"), ("zh-CN", "掌声"), ("fr", "applause")]
)
def test_sound_is_named_in_the_language_of_the_reader(locale: str, words: str) -> None:
    with use_locale(locale):
        assert translate_sound("Applause") == words


def test_unknown_sound_keeps_its_name() -> None:
    assert translate_sound("Theremin solo") == "Theremin solo"
