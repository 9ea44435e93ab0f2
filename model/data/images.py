"""Picture files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from model.errors import PairsUnreadableError
from model.ports import Picture


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """Open a picture file. Raises `PairsUnreadableError` if it cannot be decoded."""
    try:
        with Image.open(path) as image:
            yield image
    except (OSError, Image.DecompressionBombError) as error:
        raise PairsUnreadableError("{file} is not a picture that can be read", file=path) from error


def read_picture(path: Path) -> Picture:
    """Read a picture as RGB. Raises `PairsUnreadableError`."""
    with open_image(path) as image:
        return np.asarray(image.convert("RGB"))
