"""Preprocessing gives the same results as the image processors of transformers."""

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
from tests.support.model import tiny_models

PROCESSORS = {
    "clip": CLIPImageProcessorPil(),
    "chinese": ChineseCLIPImageProcessorPil(size={"height": 224, "width": 224}, do_center_crop=False),
    "siglip": SiglipImageProcessorPil(size={"height": 256, "width": 256}),
    "xclip": VideoMAEImageProcessorPil(),
}
SIZES = [(90, 120), (480, 640), (223, 225), (225, 224), (224, 224), (37, 41), (1, 1), (3, 300), (720, 1280)]
TALL = (640, 360)


def process_with_transformers(processor: Any, pictures: list[npt.NDArray[np.uint8]]) -> torch.Tensor:
    images = [Image.fromarray(picture) for picture in pictures]
    is_video = isinstance(processor, VideoMAEImageProcessorPil)
    process: Any = processor
    pixels: torch.Tensor = process([images] if is_video else images, return_tensors="pt").pixel_values
    return pixels[0] if is_video else pixels


def measure_difference(processor: Any, pictures: list[npt.NDArray[np.uint8]]) -> torch.Tensor:
    """Return the absolute difference in levels of 256."""
    preprocess = Preprocess.from_processor(processor)
    off = preprocess(pictures) - process_with_transformers(processor, pictures)
    return (off * torch.tensor(preprocess.std)[:, None, None] * 255).abs()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("family", PROCESSORS)
def test_preprocess_equals_processor_of_transformers(family: str, size: tuple[int, int]) -> None:
    """No value differs by more than 2 levels, and the mean by more than 0.02, even on noise and hard edges."""
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    off = measure_difference(PROCESSORS[family], [noise, tiny_models.picture(1, *size)])
    assert off.max() < 2.01
    assert off.mean() < 0.02


@pytest.mark.parametrize("family", PROCESSORS)
def test_preprocess_of_tall_picture_differs_slightly(family: str) -> None:
    """The mean difference is 0.3 levels at most, whatever the order of Pillow's passes."""
    off = measure_difference(PROCESSORS[family], [tiny_models.picture(1, *TALL)])
    assert off.max() < 12.01
    assert off.mean() < 0.3


def test_batch_may_contain_different_sizes() -> None:
    """Each picture is the same as alone."""
    preprocess = Preprocess.from_processor(PROCESSORS["clip"])
    pictures = [tiny_models.picture(i, 60 + 20 * i, 150) for i in range(4)]
    together = preprocess(pictures)
    assert together.shape == (4, 3, 224, 224)
    assert torch.equal(together, torch.cat([preprocess([picture]) for picture in pictures]))


def test_preprocess_accepts_any_array() -> None:
    """Read-only, mirrored and sliced arrays are accepted, and none is changed."""
    preprocess = Preprocess.from_processor(PROCESSORS["clip"])
    picture = tiny_models.picture(1)
    locked = picture.copy()
    locked.flags.writeable = False
    assert torch.equal(preprocess([locked]), preprocess([picture]))
    assert torch.equal(preprocess([picture[:, ::-1]]), preprocess([picture[:, ::-1].copy()]))
    assert torch.equal(preprocess([picture[::2, 5:]]), preprocess([picture[::2, 5:].copy()]))
    assert np.array_equal(picture, locked)


def test_extreme_aspect_ratio_uses_little_memory() -> None:
    """A picture of 1 by 3,000,000 pixels would need 450 GB when scaled whole. Only its centre is scaled."""
    preprocess = Preprocess.from_processor(PROCESSORS["clip"])
    assert preprocess([np.zeros((1, 3_000_000, 3), np.uint8)]).shape == (1, 3, 224, 224)


def test_unsupported_processor_is_refused() -> None:
    """The processor squeezes to one size and crops to another."""
    odd = CLIPImageProcessorPil(size={"height": 256, "width": 256}, crop_size={"height": 224, "width": 224})
    with pytest.raises(ValueError, match="squeezing"):
        Preprocess.from_processor(odd)
