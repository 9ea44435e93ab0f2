"""The clip of a query: frames of an untrusted video file, decoded in a sandboxed child process."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Final

from indexer.errors import DecodeError, NotAClipError, TooLongError, store_error
from indexer.images import read_frame
from indexer.ports import Decoder
from indexer.types import Picture

MAX_CLIP_S: Final = 60.0
MAX_CLIP_FRAMES: Final = 8
DECODE_TIMEOUT_S: Final = 20.0

_decode_lock = Lock()
"""Searches share a worker, and a child process that decodes may take some hundred megabytes."""


def read_query_clip(decoder: Decoder, data: bytes) -> list[bytes]:
    """Return up to `MAX_CLIP_FRAMES` evenly spaced frames of a video file that a user sent, as JPEG files.

    Raises `NotAClipError` if the file cannot be decoded or is too long, and `DiskFullError`.
    """
    with _decode_lock, TemporaryDirectory() as name:
        media, folder = Path(name) / "clip", Path(name) / "frames"
        try:
            media.write_bytes(data)
            folder.mkdir()
            frames = decoder.decode(media, folder, lambda stage, share: None).frames
            step = max(1, -(-len(frames) // MAX_CLIP_FRAMES))
            return [frame.path.read_bytes() for frame in frames[step // 2 :: step]]
        except (DecodeError, TooLongError) as error:
            raise NotAClipError(str(error)) from error
        except OSError as error:
            raise store_error(error) from error


def read_clip_frames(files: Sequence[bytes]) -> list[Picture]:
    """Return the pictures of frames that `read_query_clip` returned. Raises `NotAClipError` for any other file."""
    try:
        return [read_frame(file) for file in files]
    except DecodeError as error:
        raise NotAClipError(str(error)) from error
