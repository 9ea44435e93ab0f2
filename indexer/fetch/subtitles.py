"""Choice of one of the subtitle tracks that a site offers for a video."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexer.captions import LANGUAGES, normalize_language

_FORMATS = ("srt", "vtt")
_NOT_SPEECH = frozenset({"live_chat", "danmaku", "rechat", "comments"})


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
    own = normalize_language(info.get("language"))
    languages = [own, *LANGUAGES] if own else [*LANGUAGES]
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
    language = normalize_language(name.removesuffix("-orig")) or ""
    is_original = name.endswith("-orig")
    if is_original and language not in languages:
        return 0, 0
    position = languages.index(language) if language in languages else len(languages)
    return position, 0 if is_original else len(name)
