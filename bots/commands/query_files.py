"""The picture or the clip of a search, as every frontend passes it to `find`."""

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

log = structlog.get_logger()


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
