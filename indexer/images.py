"""Pictures that strangers may have made: what somebody searches with, and frames out of the decoding child."""

import io
from threading import Lock
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from indexer.errors import CorruptFileError, NotAPictureError
from indexer.types import LONGEST_SIDE, SHORT_SIDE, Picture

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
SIDE: Final = 448
"""Of the picture that is gone on with: as much as any preset looks at."""

MAX_PIXELS: Final = 4096**2
"""That are unpacked. A JPEG is made smaller on the way, so one of a phone may have more. 16 bytes each at most."""
MAX_WHOLE_PIXELS: Final = 70_000_000
"""Of a JPEG before that: a progressive one is kept whole nevertheless, with up to 8 bytes for each."""
MAX_SCANS: Final = 32
"""Of a JPEG: a progressive one has about ten. Each takes a few bytes of the file, and time for the whole picture."""
MAX_FRAME_BYTES: Final = 3 * SHORT_SIDE * LONGEST_SIDE

_START_OF_SCAN: Final = b"\xff\xda"
_UNREADABLE: Final = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)

_one_at_a_time = Lock()
"""Searches share a worker, and each picture may take some hundred megabytes."""


def read_query_picture(data: bytes) -> tuple[Picture, bytes]:
    """The picture (height, width, 3), and the same as a small JPEG. Raises `NotAPictureError`.

    It is decoded in this process: one at a time, and in 600 MB at most.
    """
    try:
        with _one_at_a_time, Image.open(io.BytesIO(data), formats=FORMATS) as image:
            small = _small(image, data.count(_START_OF_SCAN))
    except _UNREADABLE as error:
        raise NotAPictureError(str(error)) from error
    file = io.BytesIO()
    small.save(file, "JPEG", quality=90)
    return np.asarray(small), file.getvalue()


def _small(image: Image.Image, scans: int) -> Image.Image:
    """Raises `NotAPictureError` by the header, before anything is unpacked."""
    whole = image.size
    image.draft("RGB", (2 * SIDE, 2 * SIDE))
    if _pixels(whole) > MAX_WHOLE_PIXELS or _pixels(image.size) > MAX_PIXELS:
        raise NotAPictureError(f"{whole[0]}×{whole[1]} pixels")
    if image.format in ("JPEG", "MPO") and scans > MAX_SCANS:
        raise NotAPictureError(f"a JPEG of {scans} scans")
    # A palette or a single bit can't be averaged. What is RGB already would be copied in its full size.
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    rgb.thumbnail((SIDE, SIDE))
    return ImageOps.exif_transpose(rgb)


def read_frame(data: bytes) -> Picture:
    """A frame that the decoding child wrote. Raises `CorruptFileError` for anything that `indexer.decode.decode_worker` would not write:
    whoever takes that child over by a file may write what he likes.
    """
    scans = data.count(_START_OF_SCAN)
    if len(data) > MAX_FRAME_BYTES or scans > MAX_SCANS:
        raise CorruptFileError(f"a frame of {len(data)} bytes and {scans} scans")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            if min(image.size) > SHORT_SIDE or max(image.size) > LONGEST_SIDE:
                raise CorruptFileError(f"a frame of {image.width}×{image.height} pixels")
            return np.asarray(image.convert("RGB"))
    except _UNREADABLE as error:
        raise CorruptFileError(str(error)) from error


def _pixels(size: tuple[int, int]) -> int:
    return size[0] * size[1]
