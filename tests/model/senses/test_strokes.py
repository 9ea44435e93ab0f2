"""The test whether text can have appeared in a picture since another one."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from model.senses.strokes import Look


def make_ground(seed: int = 0, blur_px: float = 6.0) -> Image.Image:
    """Return a picture of soft spots, without strokes."""
    noise = np.random.default_rng(seed).integers(0, 256, (360, 640), np.uint8)
    soft = np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(blur_px)), np.float32)
    return Image.fromarray((128 + 4 * (soft - 128)).clip(0, 255).astype(np.uint8))


def write(picture: Image.Image, text: str, size_px: int) -> Image.Image:
    written = picture.copy()
    ImageDraw.Draw(written).text((40, 300), text, fill=255, font=ImageFont.load_default(size_px))
    return written


def look_at(picture: Image.Image) -> Look:
    return Look.take(np.asarray(picture, np.float32))


@pytest.mark.parametrize("size_px", [16, 24, 40])
def test_line_that_appears_is_noticed(size_px: int) -> None:
    before = make_ground()
    assert look_at(write(before, "See you at the harbour", size_px)).may_show_more(look_at(before))


def test_unchanged_picture_is_not_examined() -> None:
    """Also with slight noise, and if a line disappears."""
    picture = make_ground()
    noisy = np.asarray(picture, np.float32) + np.random.default_rng(1).integers(-3, 4, (360, 640))
    assert not Look.take(noisy.astype(np.float32)).may_show_more(look_at(picture))
    assert not look_at(picture).may_show_more(look_at(write(picture, "See you at the harbour", 16)))


def test_cut_is_noticed_if_the_new_picture_has_fewer_strokes() -> None:
    """A slide after leaves has text where there were more strokes before."""
    leaves = make_ground(blur_px=0.5)
    slide = write(Image.new("L", (640, 360), 20), "See you at the harbour", 24)
    assert look_at(slide).may_show_more(look_at(leaves))


@pytest.mark.parametrize("shape", [(1, 1), (2, 900), (640, 40)])
def test_picture_of_any_shape_is_looked_at(shape: tuple[int, int]) -> None:
    """A picture of another size may show more."""
    picture: npt.NDArray[np.float32] = np.zeros(shape, np.float32)
    assert not Look.take(picture).may_show_more(Look.take(picture))
    assert Look.take(picture).may_show_more(look_at(make_ground()))
