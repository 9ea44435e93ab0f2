"""Safe decoding of untrusted pictures: query attachments, and frames from the decoder's child process."""

import io
import struct
from threading import Lock
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from indexer.errors import CorruptFileError, NotAPictureError
from indexer.types import MAX_LONG_SIDE_PX, MAX_READING_SIDE_PX, MAX_SHORT_SIDE_PX, Picture

PICTURE_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
"""Formats of pictures that sites serve and people send, by Pillow's names."""
QUERY_SIDE_PX: Final = 448
"""Maximum side of the picture that is passed on. No preset uses more."""

MAX_PIXELS: Final = 4096**2
"""Maximum number of pixels to unpack, at up to 16 bytes each. A larger JPEG is scaled down while it is
unpacked.
"""
MAX_JPEG_PIXELS: Final = 70_000_000
"""Maximum number of pixels of a JPEG before it is scaled. A progressive one is buffered whole, up to 8 bytes
each.
"""
MAX_JPEG_SCANS: Final = 32
"""Maximum number of scans. A progressive JPEG has about ten; each costs a few bytes and a pass over the
picture.
"""
MAX_FRAME_BYTES: Final = 3 * MAX_SHORT_SIDE_PX * MAX_LONG_SIDE_PX

_START_OF_SCAN: Final = b"\xff\xda"
UNREADABLE: Final = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    RuntimeError,
    struct.error,
    Image.DecompressionBombError,
)
"""Exceptions of Pillow for a damaged picture. Found by decoding thousands of them."""

_decode_lock = Lock()
"""Searches share a worker, and decoding one picture may take some hundred megabytes."""


def read_query_picture(data: bytes) -> tuple[Picture, bytes]:
    """Decode a picture that a user sent, and scale it down to `QUERY_SIDE_PX`.

    Returns the picture (height, width, 3) and the same picture as a small JPEG. Raises `NotAPictureError`.
    Decodes in this process, one picture at a time, in at most 600 MB.
    """
    try:
        with _decode_lock, Image.open(io.BytesIO(data), formats=PICTURE_FORMATS) as image:
            small = _shrink(image, data.count(_START_OF_SCAN))
    except UNREADABLE as error:
        raise NotAPictureError(str(error)) from error
    file = io.BytesIO()
    small.save(file, "JPEG", quality=90)
    return np.asarray(small), file.getvalue()


def _shrink(image: Image.Image, scans: int) -> Image.Image:
    """Scale a picture down and turn it upright.

    Raises `NotAPictureError` if its header exceeds a limit, before any pixel is unpacked.
    """
    original_size = image.size
    image.draft("RGB", (2 * QUERY_SIDE_PX, 2 * QUERY_SIDE_PX))
    if _count_pixels(original_size) > MAX_JPEG_PIXELS or _count_pixels(image.size) > MAX_PIXELS:
        raise NotAPictureError(f"{original_size[0]}×{original_size[1]} pixels")
    if image.format in ("JPEG", "MPO") and scans > MAX_JPEG_SCANS:
        raise NotAPictureError(f"a JPEG of {scans} scans")
    return scale_down(image, (QUERY_SIDE_PX, QUERY_SIDE_PX))


def scale_down(image: Image.Image, max_size: tuple[int, int]) -> Image.Image:
    """Return an untrusted picture as RGB, upright, on white, and not larger than `max_size`.

    The caller has checked its size. A picture that is small enough keeps its size.
    """
    image = ImageOps.exif_transpose(_make_scalable(image))
    image.thumbnail(max_size)
    return flatten(image)


def flatten(image: Image.Image) -> Image.Image:
    """Return a picture as RGB. Transparent parts become white, as on a page."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("RGB")


def _make_scalable(image: Image.Image) -> Image.Image:
    """Return a picture in a mode whose pixels can be averaged. A copy at full size is made only if needed."""
    if image.mode.startswith("I"):  # 16-bit grey: a conversion by Pillow would clip it at 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("RGB", "L") and not image.has_transparency_data:
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def read_frame(data: bytes) -> Picture:
    """Decode a frame that `indexer.decode.decode_worker` wrote, as (height, width, 3).

    A hostile video may have taken over that child process, so the file is untrusted. Raises
    `CorruptFileError` for a file that the decoder would not write: another format, larger, or with more
    scans.
    """
    return _read_frame(data, MAX_SHORT_SIDE_PX, MAX_LONG_SIDE_PX)


def read_large_frame(data: bytes) -> Picture:
    """Decode a frame for reading, as `read_frame` does. Raises `CorruptFileError`."""
    return _read_frame(data, MAX_READING_SIDE_PX, MAX_READING_SIDE_PX)


def _read_frame(data: bytes, max_short_px: int, max_long_px: int) -> Picture:
    scans = data.count(_START_OF_SCAN)
    if len(data) > MAX_FRAME_BYTES or scans > MAX_JPEG_SCANS:
        raise CorruptFileError(f"a frame of {len(data)} bytes and {scans} scans")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            if min(image.size) > max_short_px or max(image.size) > max_long_px:
                raise CorruptFileError(f"a frame of {image.width}×{image.height} pixels")
            return np.asarray(image.convert("RGB"))
    except UNREADABLE as error:
        raise CorruptFileError(str(error)) from error


def _count_pixels(size: tuple[int, int]) -> int:
    return size[0] * size[1]
