"""Changed pictures still show the same, and the same change comes again."""

import numpy as np
import pytest

from model.config import AugmentConfig
from model.training.augment import changed
from tests.support import tiny_models

MILD = AugmentConfig(views=2, least_area=0.6, jitter=0.3, blur=1.0)


def test_view_0_is_the_picture() -> None:
    """Nothing is changed in the view that validation sees."""
    picture = tiny_models.picture(1)
    assert changed(picture, 0, MILD, seed=0) is picture


def test_a_view_comes_again() -> None:
    """The same picture, view and seed give the same to the last bit; another view or seed does not."""
    picture = tiny_models.picture(1)
    view = changed(picture, 1, MILD, seed=0)
    assert np.array_equal(view, changed(picture.copy(), 1, MILD, seed=0))
    for other in (changed(picture, 2, MILD, seed=0), changed(picture, 1, MILD, seed=1)):
        assert other.shape != view.shape or not np.array_equal(other, view)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (90, 120)])
def test_a_crop_keeps_its_share(size: tuple[int, int]) -> None:
    """Any size is taken; a crop keeps about the least area or more, and is RGB of 8 bits."""
    for view in range(1, 20):
        picture = changed(tiny_models.picture(2, *size), view, MILD, seed=0)
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
        if min(size) > 50:
            assert 0.5 * size[0] * size[1] < picture.shape[0] * picture.shape[1] <= size[0] * size[1]


def test_left_stays_left_unless_asked() -> None:
    """No view is a mirror image by default; with `flip`, some are."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, 32:] = 255

    def left_brighter(augment: AugmentConfig) -> int:
        views = [changed(picture, view, augment, seed=0).mean((0, 2)) for view in range(1, 30)]
        return sum(bool(columns[0] > columns[-1]) for columns in views)

    assert left_brighter(MILD) == 0
    assert left_brighter(MILD.model_copy(update={"flip": True})) > 5
