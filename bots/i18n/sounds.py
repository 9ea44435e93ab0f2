"""Names of sounds in the reader's language.

`sounds.tsv` has the 521 classes of AudioSet that are recognized, in the order of the recognizer, each with the words
that are shown for it. The Korean and Chinese words are our translations.
"""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from bots.i18n.translate import get_language

SOUNDS_FILE: Final = Path(__file__).parent / "sounds.tsv"


def translate_sound(name: str) -> str:
    """Return the words for a sound in the current language, or its own name if the table does not have it."""
    words = read_sounds().get(name)
    return words[get_language()] if words else name


@cache
def read_sounds() -> Mapping[str, Mapping[str, str]]:
    """Return the words for each sound by language."""
    with SOUNDS_FILE.open(encoding="utf-8", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
