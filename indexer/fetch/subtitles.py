"""Subtitles of a video: chooses one of a site's tracks and parses it into captions."""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pysubs2
from pysubs2.exceptions import Pysubs2Error

from indexer.types import Caption

MAX_SUBTITLE_BYTES = 8 * 1024**2
MAX_CAPTIONS = 20_000
MAX_CAPTION_CHARS = 1000

_FORMATS = ("srt", "vtt")
_LANGUAGES = ("en", "ko", "zh")
_NOT_SPEECH = frozenset({"live_chat", "danmaku", "rechat", "comments"})
_INLINE_TAGS = re.compile(r"<(?:\d+:)?\d+:\d+[.,]\d+>|</?c[^>]*>")


@dataclass(frozen=True)
class SubtitleTrack:
    """One subtitle file. `source` is yt-dlp's description of it.

    `is_automatic` marks machine-made captions, which repeat each line under the next one.
    """

    source: Mapping[str, Any]
    is_automatic: bool


def choose_track(info: Mapping[str, Any]) -> SubtitleTrack | None:
    """Choose a track of a video that yt-dlp described, or None.

    Subtitles that people wrote come before machine-made ones. Then the video's own language comes first, and
    English, Korean and Chinese after it.
    """
    own = (info.get("language") or "").split("-")[0]
    languages = [own, *_LANGUAGES] if own else [*_LANGUAGES]
    for kind, is_automatic in (("subtitles", False), ("automatic_captions", True)):
        tracks = {name: formats for name, formats in (info.get(kind) or {}).items() if name not in _NOT_SPEECH}
        for name in sorted(tracks, key=lambda name: _rank(name, languages)):
            if _rank(name, languages)[0] >= len(languages) and is_automatic:
                break  # a machine translation of machine-made captions, into a language that is not supported
            for extension in _FORMATS:
                for source in tracks[name]:
                    if source.get("ext") == extension and source.get("url"):
                        return SubtitleTrack(source, is_automatic)
    return None


def _rank(name: str, languages: list[str]) -> tuple[int, int]:
    """Return the sort key of a track. The suffix `-orig` marks the spoken language among its translations."""
    language = name.split("-")[0]
    is_original = name.endswith("-orig")
    if is_original and language not in languages:
        return 0, 0
    position = languages.index(language) if language in languages else len(languages)
    return position, 0 if is_original else len(name)


def parse_captions(text: str, track: SubtitleTrack) -> tuple[Caption, ...]:
    """Return the captions of a subtitle file.

    Raises `ValueError` if the text is not in the track's format.
    """
    try:
        events = pysubs2.SSAFile.from_string(_INLINE_TAGS.sub("", text), format_=track.source["ext"])
    except (Pysubs2Error, LookupError) as error:
        raise ValueError(f"no subtitles: {error}") from error
    captions = (Caption(e.start / 1000, e.end / 1000, html.unescape(e.plaintext).strip()) for e in events)
    lines = _deduplicate_lines(captions) if track.is_automatic else (caption for caption in captions if caption.text)
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
