"""Which uploaded files are videos or pictures, for all chat platforms."""

import re
from typing import Final

from bots.commands.definition import ParameterType

SEARCHABLE_SUFFIXES: Final = (
    *("jpg", "jpeg", "png", "webp", "gif", "avif"),
    *("mp4", "m4v", "mov", "webm", "mkv", "avi", "mpg"),
)
"""Of the pictures and videos that forms let people choose."""
_VIDEO_NAME: Final = re.compile(
    r"\.(?:mp4|m4v|mov|webm|mkv|avi|wmv|flv|f4v|mpe?g|m2ts|mts|3gp|3g2|ogv|gif)$", re.IGNORECASE
)
_PICTURE_NAME: Final = re.compile(r"\.(?:jpe?g|png|webp|avif)$", re.IGNORECASE)
_PICTURE_TYPE: Final = re.compile(r"^image/", re.IGNORECASE)
_VIDEO_TYPE: Final = re.compile(r"^(?:video/|image/gif\b)", re.IGNORECASE)
_PROGRAM_NAME: Final = re.compile(r"\.tsx?$", re.IGNORECASE)
"""Platforms take TypeScript for an MPEG transport stream."""


def is_video_file(name: str, media_type: str | None) -> bool:
    """Return whether an uploaded file is a video or an animated picture, by its media type or else by its name."""
    if _PROGRAM_NAME.search(name):
        return False
    return bool(_VIDEO_TYPE.match(media_type or "") or _VIDEO_NAME.search(name))


def find_query_file_type(name: str, media_type: str | None) -> ParameterType | None:
    """Return as what an uploaded file can be searched with: a clip, a picture, or None if it is neither."""
    if is_video_file(name, media_type):
        return ParameterType.CLIP
    is_picture = _PICTURE_TYPE.match(media_type or "") or _PICTURE_NAME.search(name)
    return ParameterType.PICTURE if is_picture else None
