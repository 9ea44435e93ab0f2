"""Traditional Chinese characters as simplified ones, by OpenCC's dictionaries."""

from functools import cache
from typing import Final

import opencc

_HAN: Final = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x32400))
"""Unicode's blocks of Chinese characters."""


def simplify_characters(text: str) -> str:
    """Replace each traditional character by its simplified form.

    Both forms of a text become equal, and no position changes, because the words around a character do not count.
    Characters that have no traditional form stay as they are.
    """
    return text if text.isascii() else text.translate(_map_to_simplified())


@cache
def _map_to_simplified() -> dict[int, str]:
    """Return the simplified form of each traditional character. Lines keep OpenCC from reading words."""
    characters = [chr(code) for start, end in _HAN for code in range(start, end)]
    simplified = opencc.OpenCC("t2s").convert("\n".join(characters)).split("\n")
    return {ord(old): new for old, new in zip(characters, simplified, strict=True) if old != new}
