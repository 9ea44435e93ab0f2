"""Image preprocessing: the same result as a model's own image processor, but faster.

Resizing in torch (uint8, antialias) takes a fifth of the time of the processors of transformers, which use
Pillow. Each value differs from theirs by at most 2 of 256 levels, and by 0.02 on average. The exception is a
tall picture that is squeezed to a square: it differs by up to 12 and 0.3, because Pillow 13 then makes its
two passes in the other order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from model.ports import Picture

_MODES = {2: "bilinear", 3: "bicubic"}
"""PIL's resampling numbers, as `preprocessor_config.json` uses them."""

_MAX_ASPECT_RATIO = 8
"""Only the centre square is used. Longer pictures are cut to this ratio before resizing, which bounds their
size.
"""


@dataclass(frozen=True)
class Preprocess:
    """Preprocessing settings of one tower."""

    short_side: int | None
    """Length of the shorter side in pixels after resizing, before the centre crop. None: squeeze to `size`
    instead.
    """
    size: tuple[int, int]
    """(height, width) of the result."""
    mode: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def from_processor(cls, processor: Any) -> "Preprocess":
        """Read the settings of an image processor of transformers.

        Raises `ValueError` if they are not supported.
        """
        size, crop = processor.size, processor.crop_size
        if not processor.do_center_crop:
            crop = size
        elif not size.shortest_edge and size != crop:
            raise ValueError(f"squeezing a picture to {size} and then cropping it to {crop} is not supported")
        return cls(
            short_side=size.shortest_edge,
            size=(crop.height, crop.width),
            mode=_MODES[int(processor.resample)],
            mean=tuple(processor.image_mean),
            std=tuple(processor.image_std),
        )

    def __call__(self, pictures: Sequence[Picture]) -> torch.Tensor:
        """Return normalized pixels (n, 3, height, width), float32, of RGB pictures (height, width, 3)."""
        pixels = torch.stack([self._fit(picture) for picture in pictures]).float().div_(255)
        return pixels.sub_(torch.tensor(self.mean)[:, None, None]).div_(torch.tensor(self.std)[:, None, None])

    def _fit(self, picture: Picture) -> torch.Tensor:
        height, width = picture.shape[:2]
        if self.short_side is None:
            return self._resize(picture, self.size)
        max_side = _MAX_ASPECT_RATIO * min(height, width)
        picture = _crop_centre(picture, min(height, max_side), min(width, max_side))
        height, width = picture.shape[:2]
        short = min(height, width)
        resized = self._resize(picture, (self.short_side * height // short, self.short_side * width // short))
        top, left = (resized.shape[1] - self.size[0]) // 2, (resized.shape[2] - self.size[1]) // 2
        return resized[:, top : top + self.size[0], left : left + self.size[1]]

    def _resize(self, picture: Picture, size: tuple[int, int]) -> torch.Tensor:
        # torch accepts neither read-only arrays nor negative strides.
        pixels = torch.from_numpy(np.require(picture, np.uint8, ["C", "W"])).permute(2, 0, 1)
        return functional.interpolate(pixels[None], size, mode=self.mode, antialias=True, align_corners=False)[0]


class FlexiblePreprocess:
    """Preprocessing of models that take pictures in their own aspect ratio, as patches (SigLIP 2 NaFlex)."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def __call__(self, pictures: Sequence[Picture]) -> dict[str, torch.Tensor]:
        """Return the patches of RGB pictures, the mask of those that are used, and the shape of each picture."""
        return dict(self._processor(images=list(pictures), input_data_format="channels_last", return_tensors="pt"))


def _crop_centre(picture: Picture, height: int, width: int) -> Picture:
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]
