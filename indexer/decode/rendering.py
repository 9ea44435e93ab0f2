"""Rendering of decoded frames as players show them: pixel shape, HDR, transparency, rotation, size."""

import struct
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Final, cast

import numpy as np
from av import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from PIL import Image

from indexer.decode.hdr import ColourCode, map_to_sdr
from indexer.images import flatten
from indexer.types import MAX_LONG_SIDE_PX, MAX_SHORT_SIDE_PX

JPEG_QUALITY: Final = 90

_ONE: Final = 1 << 16
"""1 in FFmpeg's display matrices: fixed-point numbers."""
_TURNS: Final = {
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
"""By the upper left part of a display matrix, row by row. Pillow counts degrees counterclockwise."""
_MAX_PIXEL_STRETCH: Final = 16
"""Maximum ratio of a pixel's sides. A larger one is an error in the file."""


def has_alpha(frame: VideoFrame) -> bool:
    """Return whether a frame may have transparent pixels."""
    return frame.format.has_palette or any(component.is_alpha for component in frame.format.components)


def compute_shown_size(
    width: int, height: int, pixel_shape: Fraction | None, max_short_px: int, max_long_px: int
) -> tuple[int, int]:
    """Return the size at which a picture is kept: stretched to its pixels' shape, and scaled down, never up.

    `pixel_shape` is the width of a pixel divided by its height. The last two are the maxima of both sides.
    """
    stretch = float(pixel_shape or 1)
    if not 1 / _MAX_PIXEL_STRETCH <= stretch <= _MAX_PIXEL_STRETCH:
        stretch = 1.0
    sides = width * max(stretch, 1.0), height / min(stretch, 1.0)
    scale = min(1.0, max_short_px / min(sides), max_long_px / max(sides))
    shown_width, shown_height = (max(1, round(side * scale)) for side in sides)
    return shown_width, shown_height


class FrameRenderer:
    """Renderer of frames as small upright pictures, and as JPEG files."""

    def __init__(self, max_short_px: int = MAX_SHORT_SIDE_PX, max_long_px: int = MAX_LONG_SIDE_PX) -> None:
        self._reformatter = VideoReformatter()
        self._max_short_px, self._max_long_px = max_short_px, max_long_px

    def write(self, frame: VideoFrame, pixel_shape: Fraction | None, path: Path) -> None:
        self.render(frame, pixel_shape).save(path, "JPEG", quality=JPEG_QUALITY)

    def render(self, frame: VideoFrame, pixel_shape: Fraction | None) -> Image.Image:
        """Return a frame as an RGB picture: HDR as SDR, transparent parts on white."""
        width, height = compute_shown_size(
            frame.width, frame.height, pixel_shape, self._max_short_px, self._max_long_px
        )
        code = ColourCode(int(frame.color_primaries), int(frame.color_trc))
        if code.is_wide:
            matrix = Colorspace.ITU709 if frame.colorspace == Colorspace.ITU709 else Colorspace.BT2020
            small = self._reformatter.reformat(
                frame, width, height, "rgb48le", src_colorspace=matrix, interpolation="AREA"
            )
            picture = Image.fromarray(map_to_sdr(np.asarray(small.to_ndarray(), np.uint16), code))
        else:
            format_ = "rgba" if has_alpha(frame) else "rgb24"
            small = self._reformatter.reformat(frame, width, height, format_, interpolation="AREA")
            picture = flatten(Image.fromarray(small.to_ndarray()))
        turn = _find_turn(frame)
        return picture if turn is None else picture.transpose(turn)


def _find_turn(frame: VideoFrame) -> Image.Transpose | None:
    """Return how a frame is turned and mirrored to be shown, by its display matrix; other angles are ignored."""
    side_data = cast("Mapping[str, bytes]", frame.side_data)
    if "DISPLAYMATRIX" not in side_data:
        return None
    a, b, _, c, d, *_ = struct.unpack_from("<9i", side_data["DISPLAYMATRIX"])
    return _TURNS.get((round(a / _ONE), round(b / _ONE), round(c / _ONE), round(d / _ONE)))
