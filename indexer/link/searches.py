"""Searches on YouTube in yt-dlp's form, used as lists of videos: `ytsearch10:funny cats`."""

import re
from typing import Final

_SEARCH: Final = re.compile(r"\s*(ytsearch(?:date)?)(\d+|all)?:\s*(\S.*)", re.IGNORECASE | re.DOTALL)


def is_search(text: str) -> bool:
    """Return whether a text is a search and not a link."""
    return _SEARCH.fullmatch(text) is not None


def limit_search(text: str, max_links: int) -> str | None:
    """Return a search that finds at most `max_links` videos, or None if the text is not a search.

    A search without a number, and one for `all`, finds `max_links` videos.
    """
    found = _SEARCH.fullmatch(text)
    if found is None:
        return None
    kind, wanted, words = found.groups()
    count = min(int(wanted), max_links) if wanted and wanted.isdecimal() else max_links
    return f"{kind.lower()}{max(count, 1)}:{' '.join(words.split())}"
