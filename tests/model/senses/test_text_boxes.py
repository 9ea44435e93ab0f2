"""Boxes of text lines from maps that are known."""

import numpy as np
import pytest

from model.senses.text_boxes import MIN_BOX_PROBABILITY, find_boxes


def make_map(*regions: tuple[int, int, int, int], probability: float = 0.9) -> np.ndarray:
    """Return a map of 60 by 100 with regions (left, top, right, bottom)."""
    map_ = np.zeros((60, 100), np.float32)
    for left, top, right, bottom in regions:
        map_[top:bottom, left:right] = probability
    return map_


def test_each_region_is_one_box_around_it() -> None:
    [box] = find_boxes(make_map((20, 20, 60, 28)))
    assert box.left < 20
    assert box.top < 20
    assert box.right > 60
    assert box.bottom > 28


def test_boxes_come_in_reading_order() -> None:
    """Two of one row, from left to right, and then the lower one, although its left edge comes first."""
    boxes = find_boxes(make_map((60, 9, 90, 17), (10, 10, 40, 18), (5, 40, 40, 48)))
    middles = [((box.left + box.right) // 2, (box.top + box.bottom) // 2) for box in boxes]
    assert middles == [(25, 14), (75, 13), (22, 44)]


def test_region_with_parts_that_join_below_is_one_box() -> None:
    """A letter U: two runs of pixels in each row that meet only in the last one."""
    map_ = make_map((10, 10, 18, 22), (26, 10, 34, 22), (10, 22, 34, 28))
    assert len(find_boxes(map_)) == 1


def test_uncertain_or_tiny_region_is_no_box() -> None:
    assert find_boxes(make_map((20, 20, 60, 28), probability=MIN_BOX_PROBABILITY - 0.1)) == []
    assert find_boxes(make_map((20, 20, 60, 22))) == []
    assert find_boxes(make_map()) == []


@pytest.mark.parametrize(
    ("region", "count"), [((20, 10, 80, 50), 0), ((2, 26, 98, 34), 1), ((45, 2, 55, 58), 1), ((30, 20, 60, 40), 1)]
)
def test_region_that_is_half_as_wide_and_high_as_the_picture_is_no_line(
    region: tuple[int, int, int, int], count: int
) -> None:
    """A line may be as wide as the picture, and one that runs downwards as high."""
    assert len(find_boxes(make_map(region))) == count


@pytest.mark.parametrize("seed", range(5))
def test_regions_are_those_of_flood_fill(seed: int) -> None:
    """Compared with a plain flood fill over neighbours, also at corners, in random masks."""
    mask = np.random.default_rng(seed).random((80, 80)) < 0.2
    boxes = find_boxes(np.where(mask, 0.9, 0.0).astype(np.float32))
    assert len(boxes) == sum(min(right - left, bottom - top) >= 3 for left, top, right, bottom in _flood_fill(mask))


def _flood_fill(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    left_over = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    regions = []
    while left_over:
        waiting, region = [left_over.pop()], []
        while waiting:
            row, column = waiting.pop()
            region.append((row, column))
            near = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left_over
            left_over -= near
            waiting += near
        rows, columns = [row for row, _ in region], [column for _, column in region]
        regions.append((min(columns), min(rows), max(columns) + 1, max(rows) + 1))
    return regions
