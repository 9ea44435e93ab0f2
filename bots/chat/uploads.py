"""Uploaded files: which are videos or pictures, and those to search with as every frontend passes them to `find`."""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

import structlog

from bots.commands.definition import ParameterType
from worker.ops.logs import current_correlation_id
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.search import MAX_PICTURE_BYTES

UNREADABLE: Final[Mapping[ParameterType, ErrorCode]] = {
    ParameterType.PICTURE: ErrorCode.NOT_A_PICTURE,
    ParameterType.CLIP: ErrorCode.NOT_A_CLIP,
}
"""The types of parameters that are files, with the code that says which files are accepted."""
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

log = structlog.get_logger()


def is_video_file(name: str, media_type: str | None) -> bool:
    """Return whether an uploaded file is a video or an animated picture, by its media type or else by its name."""
    if _PROGRAM_NAME.search(name):
        return False
    return bool(_VIDEO_TYPE.match(media_type or "") or _VIDEO_NAME.search(name))


def find_query_file_type(name: str, media_type: str | None) -> ParameterType | None:
    """Return the type of parameter that an uploaded file fits, clip or picture; None if it is neither."""
    if is_video_file(name, media_type):
        return ParameterType.CLIP
    is_picture = _PICTURE_TYPE.match(media_type or "") or _PICTURE_NAME.search(name)
    return ParameterType.PICTURE if is_picture else None


def encode_query_file(content: bytes, type: ParameterType) -> str:
    """Return a file in base64. Raises `CallFailedError` if it is empty or too large."""
    check_file_size(len(content), type)
    return b64encode(content).decode()


def check_file_size(byte_count: int, type: ParameterType) -> None:
    """Raise `CallFailedError` if a picture or a clip is empty or too large."""
    if not 0 < byte_count <= MAX_PICTURE_BYTES:
        correlation_id = current_correlation_id()
        log.warning("query_file.refused", correlation_id=correlation_id, type=type, bytes=byte_count)
        raise CallFailedError(UNREADABLE[type], correlation_id)
