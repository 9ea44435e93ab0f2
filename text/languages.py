"""The language of a text, guessed by its script."""

import re
from typing import Final, Literal, TypeAlias

Language: TypeAlias = Literal["en", "ko", "zh"]

LANGUAGES: Final[tuple[Language, ...]] = ("en", "ko", "zh")

_HANGUL: Final = re.compile("[\u1100-\u11ff\uac00-\ud7a3]")
_HAN: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA: Final = re.compile("[\u3040-\u30ff]")


def guess_language(text: str) -> Language:
    """Return Korean for a text with Hangul, Chinese for one with Chinese characters and no kana, or else English."""
    if _HANGUL.search(text):
        return "ko"
    return "zh" if _HAN.search(text) and not _KANA.search(text) else "en"
