"""Words inside a video file: subtitle tracks (SubRip, ASS, WebVTT, mov_text) and titles of chapters."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Final, Literal

import av
import pysubs2
from av.container import InputContainer
from av.stream import Disposition
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from indexer.captions import (
    MAX_CAPTION_CHARS,
    MAX_CAPTIONS,
    MAX_SUBTITLE_BYTES,
    choose_tracks,
    normalize_language,
)
from indexer.decode.timeline import Packet
from indexer.types import Caption

if TYPE_CHECKING:
    from av.container.core import Chapter  # a type of the stubs only

_TEXT_CODECS: Final = frozenset({"ass", "ssa", "subrip", "srt", "mov_text", "webvtt", "text"})
_PARTIAL: Final = Disposition.forced | Disposition.comment | Disposition.lyrics
_MAX_CHAPTERS: Final = 1000
_MAX_TITLE_CHARS: Final = 500
_DEFAULT_SHOWN_S: Final = 5.0
"""Duration of a caption that has none."""
_ASS_FIELDS: Final = 8
"""Number of fields before the text in the form in which FFmpeg returns every caption."""


def choose_subtitle_streams(container: InputContainer, taken: Collection[str | None]) -> list[SubtitleStream]:
    """Return the text tracks to read: one for each language that is not in `taken`, complete ones first."""
    streams = [
        stream
        for stream in container.streams.subtitles
        if stream.codec_context is not None and stream.codec_context.name in _TEXT_CODECS
    ]
    streams.sort(key=_rank)
    streams = [stream for stream in streams if normalize_language(stream.language) not in taken]
    return [streams[index] for index in choose_tracks([normalize_language(each.language) for each in streams])]


def _rank(stream: SubtitleStream) -> tuple[bool, bool, bool, int]:
    is_partial = bool(stream.disposition & _PARTIAL)
    has_sounds = bool(stream.disposition & Disposition.hearing_impaired)
    return is_partial, has_sounds, not stream.disposition & Disposition.default, stream.index


class CaptionReader:
    """Collector of the captions in packets of subtitle streams, up to a number and a total size."""

    def __init__(self, max_captions: int = MAX_CAPTIONS, max_bytes: int = MAX_SUBTITLE_BYTES) -> None:
        self._captions: list[Caption] = []
        self._max_captions = max_captions
        self._max_bytes = self._bytes_left = max_bytes

    @property
    def captions(self) -> tuple[Caption, ...]:
        return tuple(sorted(self._captions, key=lambda caption: caption.start_s))

    def read(self, packet: Packet) -> None:
        """Add the captions of a packet whose times are those that players show."""
        self._bytes_left -= packet.size
        if packet.pts is None or packet.time_base is None or len(self._captions) >= self._max_captions:
            return
        if not 0 <= self._bytes_left < self._max_bytes:
            return
        try:
            subtitles = packet.decode()
        except (av.error.FFmpegError, ValueError) as error:
            print(f"skipped a broken caption: {error}")
            return
        lines = (_read_text(each) for each in subtitles if isinstance(each, AssSubtitle))
        text = "\n".join(line for line in lines if line)[:MAX_CAPTION_CHARS]
        start_s = float(packet.pts * packet.time_base)
        end_s = start_s + (float(packet.duration * packet.time_base) if packet.duration else _DEFAULT_SHOWN_S)
        if text and end_s > 0:
            self._captions.append(Caption(round(max(0.0, start_s), 3), round(end_s, 3), text))


def _read_text(subtitle: AssSubtitle) -> str:
    line = subtitle.ass.decode(errors="replace")
    event = pysubs2.SSAEvent(text=line.split(",", _ASS_FIELDS)[-1])
    return "" if event.is_drawing else event.plaintext.strip()


def read_chapters(container: InputContainer, zero_s: float, duration_s: float) -> tuple[Caption, ...]:
    """Return the titles of a file's chapters, each with its range. `zero_s` is the file's time at which it starts."""
    chapters = sorted(container.chapters()[:_MAX_CHAPTERS], key=lambda each: _read_time(each, "start"))
    starts_s = [max(0.0, _read_time(chapter, "start") - zero_s) for chapter in chapters]
    following_s = [*starts_s[1:], duration_s]
    captions = []
    for chapter, start_s, next_s in zip(chapters, starts_s, following_s[: len(chapters)], strict=True):
        claimed_s = _read_time(chapter, "end") - zero_s
        end_s = claimed_s if claimed_s > start_s else next_s  # some files have no ends
        title = str(chapter["metadata"].get("title") or "").strip()[:_MAX_TITLE_CHARS]
        if title and end_s > start_s:
            captions.append(Caption(round(start_s, 3), round(end_s, 3), title))
    return tuple(captions)


def _read_time(chapter: "Chapter", name: Literal["start", "end"]) -> float:
    return float(chapter[name] * (chapter["time_base"] or 0))
