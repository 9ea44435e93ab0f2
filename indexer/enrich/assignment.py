"""Assignment of what was recognized in a video to its moments, by time."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Final, Protocol, TypeVar

from indexer.senses import SoundTag
from indexer.types import Caption

MIN_OVERLAP_S: Final = 0.5
MIN_OVERLAP_SHARE: Final = 0.2
"""A line also belongs to a further moment that overlaps it by at least these seconds and this share of it."""
MAX_CHARS: Final = 4000
"""Maximum text of one sense in one moment."""
MAX_TAGS: Final = 10
"""Maximum number of sounds of one moment: those with the highest scores."""


@dataclass(frozen=True)
class MomentRange:
    """A stored moment and its range in the video, in seconds."""

    id: str
    start_s: float
    end_s: float


class _Timed(Protocol):
    @property
    def start_s(self) -> float: ...

    @property
    def end_s(self) -> float: ...


T = TypeVar("T", bound=_Timed)


def assign_lines(
    lines: Sequence[Caption], moments: Sequence[MomentRange], standing: Sequence[Caption] = ()
) -> dict[str, tuple[Caption, ...]]:
    """Return the lines of each moment by its id, in time order.

    A line belongs to the moment with the largest part of it, and to others that have much of it. A `standing` line
    belongs only to the moment in which it begins.
    """
    assigned = _assign(lines, moments)
    for line in standing:
        first = _find_containing(moments, line.start_s)
        assigned[moments[first].id].append(line)
    return {id: _limit_chars(sorted(each, key=lambda line: line.start_s)) for id, each in assigned.items()}


def assign_sounds(sounds: Sequence[SoundTag], moments: Sequence[MomentRange]) -> dict[str, tuple[SoundTag, ...]]:
    """Return the sounds of each moment by its id, each name once with its highest score, the highest first."""
    return {id: _choose_loudest(each) for id, each in _assign(sounds, moments).items()}


def _assign(items: Sequence[T], moments: Sequence[MomentRange]) -> Mapping[str, list[T]]:
    assigned: dict[str, list[T]] = defaultdict(list)
    for item in items:
        for index in _find_moments(item, moments):
            assigned[moments[index].id].append(item)
    return assigned


def _find_moments(item: _Timed, moments: Sequence[MomentRange]) -> Iterator[int]:
    """Yield the indexes of the moments that an item belongs to; at least one, since moments have no gaps."""
    first = _find_containing(moments, item.start_s)
    overlaps = {first: _measure_overlap_s(item, moments[first])}
    for index in range(first + 1, len(moments)):
        if moments[index].start_s >= item.end_s:
            break
        overlaps[index] = _measure_overlap_s(item, moments[index])
    largest = max(overlaps, key=lambda index: overlaps[index])
    enough_s = max(
        MIN_OVERLAP_S, MIN_OVERLAP_SHARE * min(item.end_s - item.start_s, _measure_length_s(moments[largest]))
    )
    yield from (index for index, overlap_s in overlaps.items() if index == largest or overlap_s >= enough_s)


def _find_containing(moments: Sequence[MomentRange], at_s: float) -> int:
    return max(0, bisect_right(moments, at_s, key=lambda moment: moment.start_s) - 1)


def _measure_overlap_s(item: _Timed, moment: MomentRange) -> float:
    return min(item.end_s, moment.end_s) - max(item.start_s, moment.start_s)


def _measure_length_s(moment: MomentRange) -> float:
    return moment.end_s - moment.start_s


def _limit_chars(lines: Sequence[Caption]) -> tuple[Caption, ...]:
    lengths = accumulate(len(line.text) + 1 for line in lines)
    return tuple(
        line for line, length in takewhile(lambda each: each[1] <= MAX_CHARS, zip(lines, lengths, strict=True))
    )


def _choose_loudest(sounds: Sequence[SoundTag]) -> tuple[SoundTag, ...]:
    best: dict[str, SoundTag] = {}
    for sound in sorted(sounds, key=lambda each: -each.score):
        best.setdefault(sound.name, sound)
    return tuple(list(best.values())[:MAX_TAGS])
