"""Subtitle files next to a local video, as players find them: `film.srt`, `film.ko.srt`, `film.mkv.chi.forced.ass`."""

import re
import unicodedata
from pathlib import Path
from typing import Final, NamedTuple

import charset_normalizer

from indexer.captions import MAX_SUBTITLE_BYTES, choose_tracks, is_language, normalize_language, parse_captions
from indexer.types import Caption

_FORMATS: Final = {".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ssa", ".smi": "sami"}
_PARTIAL: Final = frozenset({"forced", "commentary", "comments"})
_MARKS: Final = _PARTIAL | {"sdh", "cc", "hi", "default", "full", "auto"}
_MAX_MARKS: Final = 4
_DETECTED_BYTES: Final = 64 * 1024
"""Beginning of a file from which its encoding is detected."""
_SEPARATORS: Final = re.compile(r"[\s.&+()\[\]]+")
"""What stands between the marks of a name: `film.en(sdh).srt`, `film [ko].srt`, `film.chs&eng.srt`."""
_ENCODINGS: Final = {"ko": ["cp949"], "zh": ["gb18030", "big5"], None: ["cp949", "gb18030", "big5", "cp932", "cp1252"]}
"""Encodings to try for text that is not Unicode, by its language."""


class Sidecar(NamedTuple):
    """A subtitle file. `language` is None if its name has none."""

    language: str | None
    is_partial: bool
    path: Path


def read_sidecars(media: Path, max_bytes: int = MAX_SUBTITLE_BYTES) -> dict[str | None, tuple[Caption, ...]]:
    """Return the captions of the subtitle files next to a video, by their language. Reads `max_bytes` of each file."""
    sidecars = find_sidecars(media)
    tracks = {}
    for index in choose_tracks([each.language for each in sidecars]):
        sidecar = sidecars[index]
        try:
            with sidecar.path.open("rb") as file:
                text = decode_text(file.read(max_bytes), sidecar.language)
            tracks[sidecar.language] = parse_captions(text, _FORMATS[sidecar.path.suffix.lower()])
        except (OSError, ValueError) as error:
            print(f"unreadable subtitles {sidecar.path.name}: {error}")
    return tracks


def find_sidecars(media: Path) -> list[Sidecar]:
    """Return the subtitle files next to a video, complete ones first."""
    found = []
    for path in sorted(media.parent.iterdir(), key=lambda path: path.name):
        marks = _read_marks(path, media) if path.suffix.lower() in _FORMATS else None
        if marks is None:
            continue
        languages = [mark for mark in marks if mark not in _MARKS and not mark.isdigit()]
        if len(marks) <= _MAX_MARKS and all(map(is_language, languages)):
            language = normalize_language(languages[0]) if languages else None
            found.append(Sidecar(language, not _PARTIAL.isdisjoint(marks), path))
    return sorted(found, key=lambda sidecar: sidecar.is_partial)


def _read_marks(path: Path, media: Path) -> list[str] | None:
    """Return what the name of a subtitle file says besides that of its video, or None if that is another video's."""
    stem = _normalize(path.stem)
    for name in (_normalize(media.name), _normalize(media.stem)):
        rest = stem.removeprefix(name)
        if stem.startswith(name) and (not rest or rest.startswith((".", "[", "(", " [", " ("))):
            return [mark for mark in _SEPARATORS.split(rest) if mark]
    return None


def _normalize(name: str) -> str:
    """Return a file name as it is compared. Some systems write Hangul and accents in parts (NFD)."""
    return unicodedata.normalize("NFC", name).casefold()


def decode_text(data: bytes, language: str | None) -> str:
    """Decode a subtitle file: Unicode if it is valid, else the likeliest encoding of its language."""
    for encoding in ("utf-16", "utf-8-sig") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    encodings = _ENCODINGS.get(language, _ENCODINGS[None])
    best = charset_normalizer.from_bytes(data[:_DETECTED_BYTES], cp_isolation=encodings).best()
    return data.decode(best.encoding if best else "utf-8", errors="replace")
