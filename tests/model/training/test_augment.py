"""Augmented pictures are deterministic and keep their content."""

import numpy as np
import pytest

from model.config import AugmentConfig
from model.training.augment import augment_picture
from tests.support.model import tiny_models

MILD = AugmentConfig(views=2, least_area=0.6, jitter=0.3, blur=1.0)


def test_augment_view_zero_returns_original() -> None:
    picture = tiny_models.picture(1)
    assert augment_picture(picture, 0, MILD, seed=0) is picture


def test_augment_is_deterministic_per_view_and_seed() -> None:
    """The same picture, view and seed give identical bits; another view or seed does not."""
    picture = tiny_models.picture(1)
    view = augment_picture(picture, 1, MILD, seed=0)
    assert np.array_equal(view, augment_picture(picture.copy(), 1, MILD, seed=0))
    for other in (augment_picture(picture, 2, MILD, seed=0), augment_picture(picture, 1, MILD, seed=1)):
        assert other.shape != view.shape or not np.array_equal(other, view)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (90, 120)])
def test_crop_keeps_least_area(size: tuple[int, int]) -> None:
    """Pictures of any size are accepted; a crop keeps about the least area or more, and is 8-bit RGB."""
    for view in range(1, 20):
        picture = augment_picture(tiny_models.picture(2, *size), view, MILD, seed=0)
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
        if min(size) > 50:
            assert 0.5 * size[0] * size[1] < picture.shape[0] * picture.shape[1] <= size[0] * size[1]


def test_flip_is_off_by_default() -> None:
    """No view is mirrored by default; with `flip`, some are."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, 32:] = 255

    def count_mirrored(augment: AugmentConfig) -> int:
        views = [augment_picture(picture, view, augment, seed=0).mean((0, 2)) for view in range(1, 30)]
        return sum(bool(columns[0] > columns[-1]) for columns in views)

    assert count_mirrored(MILD) == 0
    assert count_mirrored(MILD.model_copy(update={"flip": True})) > 5
