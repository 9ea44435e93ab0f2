"""Data augmentation: changed versions of a picture that show the same.

The changes are a crop, colours and blur (Chen et al. 2020, "SimCLR", arXiv:2002.05709). Two of the paper's
changes are missing: greyscale, because texts name colours, and (unless a run asks for it) mirroring, because
texts distinguish left from right and mirrored writing is unreadable.
"""

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from model.config import AugmentConfig
from model.ports import Picture

_ASPECT_RATIOS = (3 / 4, 4 / 3)
_BLUR_PROBABILITY = 0.5


def augment_picture(picture: Picture, view: int, augment: AugmentConfig, seed: int) -> Picture:
    """Return a changed version of a picture.

    View 0 is the original. The result depends only on the arguments.
    """
    if not view:
        return picture
    random = np.random.default_rng([seed, view, *picture.shape[:2], int(picture[::8, ::8].sum(dtype=np.int64))])
    image = _crop(Image.fromarray(picture), augment.least_area, random)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(1 + random.uniform(-augment.jitter, augment.jitter))
    if augment.blur and random.random() < _BLUR_PROBABILITY:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0, augment.blur)))
    if augment.flip and random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(image)


def _crop(image: Image.Image, least_area: float, random: np.random.Generator) -> Image.Image:
    """Crop a random area whose aspect ratio is close to the picture's own."""
    area = random.uniform(least_area, 1)
    ratio = np.exp(random.uniform(*np.log(_ASPECT_RATIOS)))
    width = max(1, round(image.width * min(1.0, (area * ratio) ** 0.5)))
    height = max(1, round(image.height * min(1.0, (area / ratio) ** 0.5)))
    left = int(random.integers(image.width - width + 1))
    top = int(random.integers(image.height - height + 1))
    return image.crop((left, top, left + width, top + height))
