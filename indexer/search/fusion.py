"""Fusion of ranked lists whose scores cannot be compared: Reciprocal Rank Fusion.

Each list gives an item 1 / (60 + rank) (Cormack, Clarke and Büttcher, SIGIR 2009). Two things are different here: ranks
count groups (videos) instead of items, so that ten near-equal moments of one video do not push other videos down; and
the contribution of an entry is multiplied by its strength.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Final, Generic, TypeVar

RRF_K: Final = 60

K = TypeVar("K", bound=str)
"""Type of the names of lists."""


@dataclass(frozen=True)
class RankedEntry:
    """An entry of a list. A higher score is nearer to the top."""

    id: str
    group: str
    score: float
    strength: float = 1.0
    """0 to 1."""


@dataclass(frozen=True)
class FusedItem(Generic[K]):
    """An item that is on at least one list."""

    id: str
    group: str
    parts: Mapping[K, float]
    """What each list contributes to the score."""
    tie_breaker: float
    """The score by ranks of items, which orders the items of one group."""

    @cached_property
    def score(self) -> float:
        """Sum of what the lists contribute."""
        return sum(self.parts.values())

    @cached_property
    def order(self) -> tuple[float, float, str]:
        """Sort key, the best item first. It does not depend on the order of the lists."""
        return -self.score, -self.tie_breaker, self.id


def fuse(lists: Mapping[K, Sequence[RankedEntry]]) -> list[FusedItem[K]]:
    """Return the items of all lists, best first."""
    groups: dict[str, str] = {}
    parts: dict[str, dict[K, float]] = {}
    tie_breakers: dict[str, float] = {}
    for name, entries in lists.items():
        for entry, group_rank, rank in _rank(entries):
            groups[entry.id] = entry.group
            parts.setdefault(entry.id, {})[name] = entry.strength / (RRF_K + group_rank)
            tie_breakers[entry.id] = tie_breakers.get(entry.id, 0.0) + entry.strength / (RRF_K + rank)
    items = (FusedItem(id, groups[id], parts[id], tie_breakers[id]) for id in parts)
    return sorted(items, key=lambda item: item.order)


def _rank(entries: Sequence[RankedEntry]) -> Iterator[tuple[RankedEntry, int, int]]:
    """Yield each entry with the rank of its group, one more than the number of better groups, and its own rank."""
    better: set[str] = set()
    by_score = sorted(entries, key=lambda entry: -entry.score)
    for rank, (_, equals) in enumerate(groupby(by_score, key=lambda entry: entry.score), start=1):
        block = list(equals)
        for entry in block:
            yield entry, 1 + len(better) - (entry.group in better), rank
        better.update(entry.group for entry in block)
