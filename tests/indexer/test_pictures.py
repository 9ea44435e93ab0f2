"""Pictures that somebody searches with come from strangers."""

import io

import numpy as np
import pytest
from PIL import Image

from indexer.errors import NotAPicture
from indexer.pictures import SIDE, read


def encoded(kind: str, size: tuple[int, int] = (640, 360), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, "red" if mode == "RGB" else 0).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_what_people_send_is_read(kind: str) -> None:
    """Each kind becomes an RGB picture that is no larger than what a model looks at."""
    picture, small = read(encoded(kind))
    assert (picture.dtype, picture.shape) == (np.uint8, (252, SIDE, 3))
    assert picture[0, 0, 0] > 200
    again, _ = read(small)
    assert again.shape == picture.shape


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture", encoded("JPEG")[:200], encoded("BMP"), encoded("PNG", (8000, 7000), "1")],
    ids=["empty", "text", "cut off", "another kind", "a bomb"],
)
def test_anything_else_is_refused(data: bytes) -> None:
    """Nothing but a plain error comes of it."""
    with pytest.raises(NotAPicture):
        read(data)
