"""What is said in a video: which of a site's subtitle tracks to take, and its text as captions."""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pysubs2
from pysubs2.exceptions import Pysubs2Error

from indexer.types import Caption

MAX_SPEECH_BYTES = 8 * 1024**2
MAX_CAPTIONS = 20_000
MAX_CAPTION_CHARS = 1000

_FORMATS = ("srt", "vtt")
_LANGUAGES = ("en", "ko", "zh")
_NO_SPEECH = frozenset({"live_chat", "danmaku", "rechat", "comments"})
_INLINE = re.compile(r"<(?:\d+:)?\d+:\d+[.,]\d+>|</?c[^>]*>")


@dataclass(frozen=True)
class SubtitleTrack:
    """One file of subtitles, as yt-dlp describes it. `automatic`: written by a machine, line rolling after line."""

    source: Mapping[str, Any]
    automatic: bool


def choose_track(info: Mapping[str, Any]) -> SubtitleTrack | None:
    """What people wrote before what a machine heard; the video's own language before English, Korean, Chinese."""
    own = (info.get("language") or "").split("-")[0]
    wanted = [own, *_LANGUAGES] if own else [*_LANGUAGES]
    for kind, automatic in (("subtitles", False), ("automatic_captions", True)):
        tracks = {name: formats for name, formats in (info.get(kind) or {}).items() if name not in _NO_SPEECH}
        for name in sorted(tracks, key=lambda name: _rank(name, wanted)):
            if _rank(name, wanted)[0] >= len(wanted) and automatic:
                break  # in a language no one asked for, a translation of a guess
            for extension in _FORMATS:
                for source in tracks[name]:
                    if source.get("ext") == extension and source.get("url"):
                        return SubtitleTrack(source, automatic)
    return None


def _rank(name: str, wanted: list[str]) -> tuple[int, int]:
    """`-orig` marks what was heard, among its own translations."""
    language = name.split("-")[0]
    heard = name.endswith("-orig")
    if heard and language not in wanted:
        return 0, 0
    return (wanted.index(language) if language in wanted else len(wanted)), 0 if heard else len(name)


def parse_captions(text: str, track: SubtitleTrack) -> tuple[Caption, ...]:
    """The captions of a subtitle file. Raises `ValueError` for a text that is none."""
    try:
        events = pysubs2.SSAFile.from_string(_INLINE.sub("", text), format_=track.source["ext"])
    except (Pysubs2Error, LookupError) as error:
        raise ValueError(f"no subtitles: {error}") from error
    said = (Caption(e.start / 1000, e.end / 1000, html.unescape(e.plaintext).strip()) for e in events)
    texts = _unrolled(said) if track.automatic else (caption for caption in said if caption.text)
    return tuple(
        Caption(each.start_s, each.end_s, each.text[:MAX_CAPTION_CHARS]) for each in islice(texts, MAX_CAPTIONS)
    )


def _unrolled(rolling: Iterator[Caption]) -> Iterator[Caption]:
    """Machine captions show a line again under the next one; each line is kept where it first stood."""
    before: list[str] = []
    for caption in rolling:
        lines = [line.strip() for line in caption.text.splitlines() if line.strip()]
        new = [line for line in lines if line not in before]
        if new:
            yield Caption(caption.start_s, caption.end_s, " ".join(new))
        before = lines or before
