"""Boxes of text lines from the probability map of a text detector (DB, arXiv:1911.08947).

The map shows the core of each line. A connected region above a threshold is one line, and its box is widened to the
full height of the letters. Boxes are upright: text on the screen rarely is not.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

MIN_PROBABILITY: Final = 0.3
MIN_BOX_PROBABILITY: Final = 0.6
"""Minimum mean probability of a region."""
UNCLIP_RATIO: Final = 1.6
"""How far a box is widened: this times its area, divided by its circumference."""
_MIN_SIDE_PX: Final = 3
_MAX_SIDES: Final = 0.5
"""A box that takes more than this share of both the map's width and its height is a thing and no line."""


class Box(NamedTuple):
    """An upright box in pixels of the map."""

    left: float
    top: float
    right: float
    bottom: float


def find_boxes(probabilities: npt.NDArray[np.float32]) -> list[Box]:
    """Return the boxes of the lines in a map (height, width), from top to bottom, then from left to right."""
    rows, starts, ends = _find_runs(probabilities > MIN_PROBABILITY)
    if not len(rows):
        return []
    labels = _join_runs(rows.tolist(), starts.tolist(), ends.tolist())
    sums = np.pad(np.cumsum(probabilities, axis=1), ((0, 0), (1, 0)))
    run_sums = sums[rows, ends] - sums[rows, starts]
    boxes = []
    for label in np.unique(labels):
        of_region = labels == label
        score = run_sums[of_region].sum() / (ends - starts)[of_region].sum()
        left, right = int(starts[of_region].min()), int(ends[of_region].max())
        top, bottom = int(rows[of_region].min()), int(rows[of_region].max()) + 1
        if score >= MIN_BOX_PROBABILITY and min(right - left, bottom - top) >= _MIN_SIDE_PX:
            boxes.append(_widen(Box(left, top, right, bottom), *probabilities.shape))
    return _sort([box for box in boxes if not _is_thing(box, *probabilities.shape)])


def _is_thing(box: Box, height: int, width: int) -> bool:
    return box.right - box.left > _MAX_SIDES * width and box.bottom - box.top > _MAX_SIDES * height


def _find_runs(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return row, start and end of each run of set pixels, row by row."""
    changes = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(changes == 1)
    return rows, starts, np.nonzero(changes == -1)[1]


def _join_runs(rows: list[int], starts: list[int], ends: list[int]) -> npt.NDArray[np.intp]:
    """Return the region of each run: runs that touch in successive rows, also at a corner, are of one region."""
    parents = list(range(len(rows)))

    def find_root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    above = 0
    for run, row in enumerate(rows):
        while rows[above] < row - 1 or (rows[above] == row - 1 and ends[above] < starts[run]):
            above += 1
        other = above
        while rows[other] == row - 1 and starts[other] <= ends[run]:
            parents[find_root(other)] = find_root(run)
            other += 1
    return np.array([find_root(run) for run in range(len(rows))])


def _widen(box: Box, height: int, width: int) -> Box:
    box_width, box_height = box.right - box.left, box.bottom - box.top
    by = box_width * box_height * UNCLIP_RATIO / (2 * (box_width + box_height))
    return Box(
        max(0.0, box.left - by), max(0.0, box.top - by), min(width, box.right + by), min(height, box.bottom + by)
    )


def _sort(boxes: list[Box]) -> list[Box]:
    """Return boxes in reading order. Boxes whose middles are at about the same height are one row."""
    ordered: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: box.top + box.bottom):
        middle = (box.top + box.bottom) / 2
        if ordered and middle < ordered[-1][0].bottom - (ordered[-1][0].bottom - ordered[-1][0].top) / 3:
            ordered[-1].append(box)
        else:
            ordered.append([box])
    return [box for row in ordered for box in sorted(row)]
