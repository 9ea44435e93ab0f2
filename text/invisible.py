"""Characters that are not seen."""

import re
from typing import Final

from text.emoji_names import find_emoji

_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u20e3\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""Unicode's default ignorable code points, control characters, fillers, and the box around a digit."""


def remove_invisible(text: str) -> str:
    """Remove characters that are not seen, except those that belong to an emoji."""
    if not _INVISIBLE.search(text):
        return text
    parts, position = [], 0
    for start, end in find_emoji(text):
        parts += [_INVISIBLE.sub("", text[position:start]), text[start:end]]
        position = end
    return "".join([*parts, _INVISIBLE.sub("", text[position:])])
