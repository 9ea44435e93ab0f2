"""Text on the screen over time: lines that were read from single frames become lines with a range in the video."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Final

from indexer.ports import ShownLine
from indexer.types import Caption
from text.folding import fold

MIN_CONFIDENCE: Final = 0.5
MIN_SIMILARITY: Final = 0.8
"""Similarity (`difflib`) from which two lines of successive frames are one line that was read twice."""
MIN_BEGINNING: Final = 3
"""Characters from which one line counts as the beginning of another one that is being written."""
MAX_LINES_PER_FRAME: Final = 40
MAX_GAP_FRAMES: Final = 2
"""Successive frames in which a line may be missed without ending."""
STANDING_S: Final = 60.0
"""A text that is visible for this time in all, such as a logo or a channel's name, belongs to the whole video."""

_DIGITS: Final = re.compile(r"\d+")


@dataclass(frozen=True)
class ReadFrame:
    """The lines of one frame, which is visible from `start_s` to `end_s`."""

    start_s: float
    end_s: float
    lines: Sequence[ShownLine]


@dataclass(frozen=True)
class _VisibleLine:
    start_s: float
    end_s: float
    text: str
    folded: str
    confidence: float
    missed: int = 0
    """Frames since it was read."""


def merge_lines(frames: Iterable[ReadFrame]) -> tuple[Caption, ...]:
    """Return each line of text once, for the time in which it is visible without longer gaps.

    Of several readings of a line the longest is kept, since a line may be written sign by sign, and of equally long
    ones the most certain.
    """
    ended: list[_VisibleLine] = []
    visible: list[_VisibleLine] = []
    for frame in frames:
        seen: list[_VisibleLine] = []
        for new in _list_lines(frame):
            known = next((each for each in visible if _is_same_line(each.folded, new.folded)), None)
            if known is not None:
                visible.remove(known)
            seen.append(_merge(known, new) if known else new)
        missed = [replace(each, missed=each.missed + 1) for each in visible]
        ended += [each for each in missed if each.missed > MAX_GAP_FRAMES]
        visible = seen + [each for each in missed if each.missed <= MAX_GAP_FRAMES]
    lines = sorted([*ended, *visible], key=lambda each: each.start_s)
    return tuple(Caption(each.start_s, each.end_s, each.text) for each in lines)


def split_standing(lines: Sequence[Caption]) -> tuple[tuple[Caption, ...], tuple[Caption, ...]]:
    """Return the lines that belong to single moments, and the first line of each text that is visible for minutes."""
    groups: dict[str, list[Caption]] = defaultdict(list)
    for line in lines:
        groups[fold(line.text)].append(line)
    passing: list[Caption] = []
    standing: list[Caption] = []
    for group in groups.values():
        is_standing = math.fsum(each.end_s - each.start_s for each in group) >= STANDING_S
        if is_standing:
            standing.append(group[0])
        else:
            passing += group
    return tuple(sorted(passing, key=lambda each: each.start_s)), tuple(standing)


def _list_lines(frame: ReadFrame) -> list[_VisibleLine]:
    lines = [
        (" ".join(line.text.split()), line.confidence) for line in frame.lines if line.confidence >= MIN_CONFIDENCE
    ]
    return [
        _VisibleLine(frame.start_s, frame.end_s, text, fold(text), confidence)
        for text, confidence in lines[:MAX_LINES_PER_FRAME]
        if text
    ]


def _merge(known: _VisibleLine, new: _VisibleLine) -> _VisibleLine:
    best = max(known, new, key=lambda each: (len(each.text), each.confidence))
    return replace(best, start_s=known.start_s, end_s=new.end_s, missed=0)


def _is_same_line(known: str, new: str) -> bool:
    """Return whether two folded lines are equal but for errors of reading, or one is the beginning of the other."""
    if known == new:
        return True
    shorter, longer = sorted((known, new), key=len)
    if longer.startswith(shorter) and len(shorter) >= MIN_BEGINNING:
        return not (shorter[-1].isdigit() and longer[len(shorter)].isdigit())
    numbers = [_DIGITS.findall(each) for each in (known, new)]
    if all(numbers) and numbers[0] != numbers[1]:
        return False  # scores, steps and clocks
    matcher = SequenceMatcher(None, known, new, autojunk=False)
    return matcher.real_quick_ratio() >= MIN_SIMILARITY and matcher.ratio() >= MIN_SIMILARITY
