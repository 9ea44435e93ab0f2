"""Our preprocessing gives what the image processors of transformers give."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from transformers import (
    ChineseCLIPImageProcessorPil,
    CLIPImageProcessorPil,
    SiglipImageProcessorPil,
    VideoMAEImageProcessorPil,
)

from model.encoders.preprocess import Preprocess
from tests.support import tiny_models

PROCESSORS = {
    "clip": CLIPImageProcessorPil(),
    "chinese": ChineseCLIPImageProcessorPil(size={"height": 224, "width": 224}, do_center_crop=False),
    "siglip": SiglipImageProcessorPil(size={"height": 256, "width": 256}),
    "xclip": VideoMAEImageProcessorPil(),
}
SIZES = [(90, 120), (480, 640), (223, 225), (225, 224), (224, 224), (37, 41), (1, 1), (3, 300), (720, 1280)]
TALL = (640, 360)


def theirs(processor: Any, pictures: list[npt.NDArray[np.uint8]]) -> torch.Tensor:
    images = [Image.fromarray(picture) for picture in pictures]
    if isinstance(processor, VideoMAEImageProcessorPil):
        pixels: torch.Tensor = processor([images], return_tensors="pt").pixel_values[0]
    else:
        pixels = processor(images, return_tensors="pt").pixel_values
    return pixels


def difference(processor: Any, pictures: list[npt.NDArray[np.uint8]]) -> torch.Tensor:
    """In levels of 256."""
    preprocess = Preprocess.like(processor)
    off = preprocess(pictures) - theirs(processor, pictures)
    return (off * torch.tensor(preprocess.std)[:, None, None] * 255).abs()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("family", PROCESSORS)
def test_equals_the_processor(family: str, size: tuple[int, int]) -> None:
    """No value is more than 2 levels off, and the average not more than 0.02, even on noise and hard edges."""
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    off = difference(PROCESSORS[family], [noise, tiny_models.picture(1, *size)])
    assert off.max() < 2.01
    assert off.mean() < 0.02


@pytest.mark.parametrize("family", PROCESSORS)
def test_tall_pictures(family: str) -> None:
    """A tall picture is off by 0.3 levels on average at most, whichever order of passes Pillow takes."""
    off = difference(PROCESSORS[family], [tiny_models.picture(1, *TALL)])
    assert off.max() < 12.01
    assert off.mean() < 0.3


def test_sizes_may_differ_within_a_batch() -> None:
    """Pictures of several sizes become one batch, each as it would be alone."""
    preprocess = Preprocess.like(PROCESSORS["clip"])
    pictures = [tiny_models.picture(i, 60 + 20 * i, 150) for i in range(4)]
    together = preprocess(pictures)
    assert together.shape == (4, 3, 224, 224)
    assert torch.equal(together, torch.cat([preprocess([picture]) for picture in pictures]))


def test_takes_any_array() -> None:
    """Read-only, mirrored and sliced arrays are taken, and none is changed."""
    preprocess = Preprocess.like(PROCESSORS["clip"])
    picture = tiny_models.picture(1)
    locked = picture.copy()
    locked.flags.writeable = False
    assert torch.equal(preprocess([locked]), preprocess([picture]))
    assert torch.equal(preprocess([picture[:, ::-1]]), preprocess([picture[:, ::-1].copy()]))
    assert torch.equal(preprocess([picture[::2, 5:]]), preprocess([picture[::2, 5:].copy()]))
    assert np.array_equal(picture, locked)


def test_a_thread_of_pixels_stays_small() -> None:
    """A picture of 1 by 3,000,000 pixels would be 450 GB when scaled whole; only its middle is."""
    preprocess = Preprocess.like(PROCESSORS["clip"])
    assert preprocess([np.zeros((1, 3_000_000, 3), np.uint8)]).shape == (1, 3, 224, 224)


def test_refuses_what_it_would_get_wrong() -> None:
    """A processor that squeezes to one size and cuts another is refused when it is read, not served wrongly."""
    odd = CLIPImageProcessorPil(size={"height": 256, "width": 256}, crop_size={"height": 224, "width": 224})
    with pytest.raises(ValueError, match="squeezed"):
        Preprocess.like(odd)
