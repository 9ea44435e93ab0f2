"""One spelling for texts that are compared. Nothing that a person reads is folded."""

import re
import unicodedata
from typing import Final

from text.chinese import simplify_characters
from text.invisible import remove_invisible

_ACCENTS: Final = re.compile("[\u0300-\u036f]+")
"""Marks above and below Latin, Greek and Cyrillic letters. Marks of other scripts distinguish words."""

_PLAIN_LETTERS: Final = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ŧ": "t", "þ": "th"}
)
"""Letters that Unicode does not decompose."""


_PUNCTUATION: Final = str.maketrans(
    {**dict.fromkeys("‘’‚‛ʼ′`´", "'"), **dict.fromkeys("“”„‟″", '"'), **dict.fromkeys("‐‑‒–—−", "-")}
)
"""Marks that keyboards and word processors write in different ways."""

_THOUSANDS: Final = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
"""A number with commas, of which each is followed by three digits."""


def fold(text: str) -> str:
    """Return a text as it is compared: one width, case and script, without accents and characters that are not seen.

    1,000 is 1000. Other separators of digits stay, because languages and lists use them differently (1.000; 3,5).

    Quotation marks and dashes of any form are equal. Unicode's compatibility form (NFKC) joins the parts of Hangul and
    makes full-width letters and half-width kana equal to the usual ones. Traditional Chinese becomes simplified.
    """
    if text.isascii():
        return " ".join(_join_thousands(text).lower().replace("`", "'").split())
    text = unicodedata.normalize("NFKC", remove_invisible(text).translate(_PUNCTUATION)).casefold()
    text = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", text)))
    return " ".join(simplify_characters(_join_thousands(text).translate(_PLAIN_LETTERS)).split())


def _join_thousands(text: str) -> str:
    return _THOUSANDS.sub(lambda number: number[0].replace(",", ""), text)
