"""Choice of a separate sound track for pictures without sound, as many sites offer them.

The sound is a second file: nothing here needs FFmpeg's programs, which would join the two.
"""

from collections.abc import Mapping
from typing import Any, Final

_BITRATE_KBIT: Final = 64
"""Wanted bit rate: enough for speech and sounds."""
_UNKNOWN_KBIT: Final = 128.0
_NONE: Final = "none"


def choose_sound_track(info: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Choose a sound track for the format of a video that yt-dlp chose, or None if that has sound or there is no track.

    The language that the site prefers comes first, then the bit rate nearest to 64 kbit/s.
    """
    if info.get("acodec") != _NONE:
        return None
    tracks = [
        track
        for track in info.get("formats") or ()
        if track.get("vcodec") == _NONE != track.get("acodec") and track.get("url") and not track.get("has_drm")
    ]
    return min(tracks, key=_rank, default=None)


def _rank(track: Mapping[str, Any]) -> tuple[int, float]:
    bitrate = track.get("abr") or track.get("tbr") or _UNKNOWN_KBIT
    return -(track.get("language_preference") or 0), abs(bitrate - _BITRATE_KBIT)
