"""A picture that somebody searches with."""

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from indexer.errors import NotAPicture
from indexer.video import Picture

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MAX_PIXELS = 50_000_000
SIDE = 448
"""Of the picture that is gone on with: as much as any preset looks at."""


def read(data: bytes) -> tuple[Picture, bytes]:
    """The picture (height, width, 3), and the same as a small JPEG. Raises `NotAPicture`."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise NotAPicture(f"{image.width} x {image.height} pixels")
            image.draft("RGB", (2 * SIDE, 2 * SIDE))
            small = ImageOps.exif_transpose(image).convert("RGB")
            small.thumbnail((SIDE, SIDE))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NotAPicture(str(error)) from error
    file = io.BytesIO()
    small.save(file, "JPEG", quality=90)
    return np.asarray(small), file.getvalue()
