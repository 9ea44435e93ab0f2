"""Still and animated pictures as video: JPEG, PNG, APNG, GIF, WebP and AVIF, with the duration of each frame.

Pillow reads them, because FFmpeg composes the frames of an animation neither in WebP nor on white.
"""

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import IO, Final

import numpy as np
from av import VideoFrame
from PIL import Image, UnidentifiedImageError

from indexer.decode.hdr import ColourCode, map_to_sdr
from indexer.decode.source import TimedFrame, check_pixels
from indexer.errors import CorruptFileError, TooManyPixelsError
from indexer.images import PICTURE_FORMATS, UNREADABLE, scale_down
from indexer.types import MAX_LONG_SIDE_PX, Caption

_MIN_FRAME_MS: Final = 10
_DEFAULT_FRAME_MS: Final = 100
"""Browsers show a frame with a duration of at most 10 ms for 100 ms."""
_STILL_S: Final = 0.04
_HEADER_BYTES: Final = 64 * 1024
"""Beginning of a file in which its colours are declared."""
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_WEBP_FLAGS_AT: Final = 20
_WEBP_ANIMATION, _WEBP_ALPHA = 0x02, 0x10
"""Flags of the chunk VP8X (RFC 9649)."""


class PictureFile:
    """Implementation of `indexer.decode.source.FrameSource` for pictures."""

    length_s: float | None = None
    pixel_shape: Fraction | None = None
    has_sound = False
    speech: tuple[Caption, ...] = ()
    chapters: tuple[Caption, ...] = ()

    def __init__(self, image: Image.Image, max_pixels: int, code: ColourCode | None) -> None:
        self._image, self._max_pixels, self._code = image, max_pixels, code
        self.duration_s = 0.0

    def frames(self) -> Iterator[TimedFrame]:
        """Yield the frames of an animation, or a still picture. A truncated file ends at its first unreadable frame."""
        at_ms = 0.0
        for index in range(_count_frames(self._image)):
            try:
                self._image.seek(index)
                check_pixels(*self._image.size, self._max_pixels)
                picture = scale_down(self._image, (MAX_LONG_SIDE_PX, MAX_LONG_SIDE_PX))
            except Image.DecompressionBombError as error:
                raise TooManyPixelsError(str(error)) from error
            except UNREADABLE as error:
                print(f"the animation ends early: {error}")
                return
            if index == 0 and getattr(self._image, "default_image", False):
                continue  # what is shown where animations are not supported
            start_s, at_ms = at_ms / 1000, at_ms + _read_duration_ms(self._image)
            self.duration_s = at_ms / 1000 if _is_animated(self._image) else _STILL_S
            pixels = np.asarray(picture)
            if self._code is not None and self._code.is_wide:
                pixels = map_to_sdr(pixels.astype(np.uint16) * 257, self._code)
            yield TimedFrame(VideoFrame.from_ndarray(pixels, "rgb24"), start_s)


def open_picture(file: IO[bytes], max_pixels: int) -> PictureFile | None:
    """Open a picture, or return None if the file is not a picture.

    Raises `TooManyPixelsError` by the header, before pixels are unpacked, and `CorruptFileError`.
    """
    code = read_colour_code(file)
    try:
        image = Image.open(_declare_alpha(file), formats=PICTURE_FORMATS)
    except UnidentifiedImageError:
        file.seek(0)
        return None
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(str(error)) from error
    except UNREADABLE as error:
        raise CorruptFileError(str(error)) from error
    check_pixels(*image.size, max_pixels)
    return PictureFile(image, max_pixels, code)


def read_colour_code(file: IO[bytes]) -> ColourCode | None:
    """Return the colours that the header of a PNG or AVIF declares, which Pillow does not tell, or None."""
    header = file.read(_HEADER_BYTES)
    file.seek(0)
    if header.startswith(_PNG_SIGNATURE):
        at = header.partition(b"IDAT")[0].find(b"cICP")
        return ColourCode(*header[at + 4 : at + 6]) if at >= 0 else None
    at = header.find(b"colrnclx") if header[4:8] == b"ftyp" else -1
    return ColourCode(*struct.unpack_from(">HH", header, at + 8)) if 0 <= at <= len(header) - 12 else None


def _declare_alpha(file: IO[bytes]) -> IO[bytes]:
    """Return an animated WebP with the flag that it has alpha, else the same file.

    Parts of the canvas that no frame covers are transparent, but encoders set the flag for the frames alone.
    """
    header = file.read(_WEBP_FLAGS_AT + 1)
    file.seek(0)
    is_animated = header[:4] == b"RIFF" and header[8:16] == b"WEBPVP8X" and header[-1] & _WEBP_ANIMATION
    if not is_animated:
        return file
    content = bytearray(file.read())
    content[_WEBP_FLAGS_AT] |= _WEBP_ALPHA
    return io.BytesIO(content)


def _is_animated(image: Image.Image) -> bool:
    return image.format != "MPO" and bool(getattr(image, "is_animated", False))


def _count_frames(image: Image.Image) -> int:
    with suppress(*UNREADABLE):
        return int(getattr(image, "n_frames", 1)) if _is_animated(image) else 1
    return 1


def _read_duration_ms(image: Image.Image) -> float:
    duration_ms = float(image.info.get("duration") or 0)
    return duration_ms if duration_ms > _MIN_FRAME_MS else _DEFAULT_FRAME_MS
