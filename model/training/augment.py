"""Changed versions of a picture that still show the same (Chen et al. 2020, "SimCLR", arXiv:2002.05709).

A crop, colours, blur. Two of the paper's changes are left out: grey pictures, for texts name colours; and the mirror
image unless a run asks for it, for texts tell left from right, and writing is not to be mirrored.
"""

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from model.config import AugmentConfig
from model.ports import Picture

_RATIOS = (3 / 4, 4 / 3)
_BLURRED = 0.5
"""Share of the pictures."""


def changed(picture: Picture, view: int, augment: AugmentConfig, seed: int) -> Picture:
    """View 0 is the picture itself; the same view and seed always give the same."""
    if not view:
        return picture
    random = np.random.default_rng([seed, view, *picture.shape[:2], int(picture[::8, ::8].sum(dtype=np.int64))])
    image = _cropped(Image.fromarray(picture), augment.least_area, random)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(1 + random.uniform(-augment.jitter, augment.jitter))
    if augment.blur and random.random() < _BLURRED:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0, augment.blur)))
    if augment.flip and random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(image)


def _cropped(image: Image.Image, least_area: float, random: np.random.Generator) -> Image.Image:
    """A part of the area, of a ratio near the picture's own."""
    area = random.uniform(least_area, 1)
    ratio = np.exp(random.uniform(*np.log(_RATIOS)))
    width = max(1, round(image.width * min(1.0, (area * ratio) ** 0.5)))
    height = max(1, round(image.height * min(1.0, (area / ratio) ** 0.5)))
    left = int(random.integers(image.width - width + 1))
    top = int(random.integers(image.height - height + 1))
    return image.crop((left, top, left + width, top + height))
