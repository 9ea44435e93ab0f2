"""Captions: text of subtitle files with its times, bounded in bytes and number, and the choice between languages."""

import html
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import pysubs2
from babel.core import get_global
from pysubs2.exceptions import Pysubs2Error

from indexer.types import Caption

MAX_SUBTITLE_BYTES: Final = 8 * 1024**2
MAX_CAPTIONS: Final = 20_000
MAX_CAPTION_CHARS: Final = 1000

LANGUAGES: Final = ("en", "ko", "zh")
"""Languages of queries, in the order in which their tracks are chosen."""

_ALIASES: Final = {
    **dict.fromkeys(("yue", "wuu", "nan", "hak", "chs", "cht", "zhs", "zht", "cn", "tw", "sc", "tc", "chinese"), "zh"),
    **dict.fromkeys(("中文", "简体", "繁体", "繁體", "简体中文", "繁体中文", "繁體中文", "简中", "繁中", "中字"), "zh"),
    **dict.fromkeys(("gb", "gb2312", "big5", "中英", "双语", "雙語", "chseng", "jpsc", "jptc", "scjp", "tcjp"), "zh"),
    **dict.fromkeys(("kr", "korean", "한국어", "한글"), "ko"),
    **dict.fromkeys(("english", "us", "uk", "英文", "英语", "英語"), "en"),
}
"""Names that files use in addition to the codes."""
_WORD_TIME: Final = re.compile(r"<(?:\d+:)?\d+:\d+\.\d+><c>")
"""Time of a single word, which only machine-made captions have."""
_INLINE_TAGS: Final = re.compile(r"<(?:\d+:)?\d+:\d+[.,]\d+>|</?c[^>]*>")


_LINE_ENDS: Final = re.compile(r"\r\n?")
_BEGINNINGS: Final = {"webvtt": "vtt", "[script info]": "ass", "<sami": "sami"}
"""Beginnings of formats, which are right if the name of a file says something else."""


def normalize_language(name: str | None) -> str | None:
    """Return a language's two letters (`ko` for `ko`, `kor`, `ko-KR` and `ko_KR`), or None if it is not named.

    The three-letter codes are those of ISO 639-2, also the bibliographic ones (`chi`, `ger`), from CLDR's aliases.
    """
    base = re.split(r"[-_]", (name or "").strip().lower())[0]
    if base in ("", "und", "unk", "mis", "mul", "zxx"):
        return None
    return _ALIASES.get(base) or str(get_global("language_aliases").get(base, base))


def is_language(name: str) -> bool:
    """Return whether a part of a file name names a language."""
    normalized = normalize_language(name) or ""
    return len(normalized) == 2 and normalized.isascii() and normalized.isalpha()


def choose_tracks(languages: Sequence[str | None]) -> list[int]:
    """Return the indexes of the tracks to read, of a file's tracks in the order of preference.

    These are the first in each of `LANGUAGES` and the first without a language, so that words of each are found. If
    none of them exists, it is the first track.
    """
    wanted = [languages.index(language) for language in (*LANGUAGES, None) if language in languages]
    return sorted(wanted) or list(range(min(1, len(languages))))


def parse_captions(text: str, format_: str, *, is_automatic: bool = False) -> tuple[Caption, ...]:
    """Return the captions of a subtitle file in a format of pysubs2 (`srt`, `vtt`, `ass`, …).

    `is_automatic` marks machine-made captions, which repeat each line under the next one. Raises `ValueError` if the
    text is not in this format.
    """
    is_automatic = is_automatic or _WORD_TIME.search(text) is not None
    text = _LINE_ENDS.sub("\n", text).lstrip("\ufeff\n ")
    format_ = next((name for start, name in _BEGINNINGS.items() if text[:20].lower().startswith(start)), format_)
    try:
        events = pysubs2.SSAFile.from_string(_INLINE_TAGS.sub("", text), format_=format_)
    except (Pysubs2Error, LookupError) as error:
        raise ValueError(f"no subtitles: {error}") from error
    spoken = (event for event in events if not event.is_comment and not event.is_drawing)
    timed = ((e.start / 1000, e.end / 1000, html.unescape(e.plaintext).strip()) for e in spoken)
    captions = (Caption(start_s, max(start_s, end_s), text) for start_s, end_s, text in timed)
    lines = _deduplicate_lines(captions) if is_automatic else (caption for caption in captions if caption.text)
    return tuple(
        Caption(each.start_s, each.end_s, each.text[:MAX_CAPTION_CHARS]) for each in islice(lines, MAX_CAPTIONS)
    )


def _deduplicate_lines(captions: Iterator[Caption]) -> Iterator[Caption]:
    """Yield each line of rolling captions once, with the time of its first appearance."""
    previous: list[str] = []
    for caption in captions:
        lines = [line.strip() for line in caption.text.splitlines() if line.strip()]
        new = [line for line in lines if line not in previous]
        if new:
            yield Caption(caption.start_s, caption.end_s, " ".join(new))
        previous = lines or previous
