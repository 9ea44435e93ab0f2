"""Joining lists whose scores have nothing in common: by rank.

Reciprocal Rank Fusion (Cormack, Clarke and Büttcher, SIGIR 2009): each list gives an item 1 / (60 + rank). Two things
are ours. Ranks count groups (videos), not items: ten near-equal moments of one video push nothing else down. And an
entry has a strength, by which its part is multiplied.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Generic, TypeVar

RRF_K = 60

K = TypeVar("K", bound=str)


@dataclass(frozen=True)
class Listed:
    """An entry of a list: a higher score is nearer to its top."""

    id: str
    group: str
    score: float
    strength: float = 1.0
    """0 to 1."""


@dataclass(frozen=True)
class Fused(Generic[K]):
    """An item that is on at least one list, and what each list gives it."""

    id: str
    group: str
    parts: Mapping[K, float]
    fine: float
    """What the lists would give by the ranks of their scores: tells the items of one group apart."""

    @cached_property
    def score(self) -> float:
        return sum(self.parts.values())

    @cached_property
    def order(self) -> tuple[float, float, str]:
        """Ascending, the best first; the same for the same lists, in whatever order they came."""
        return -self.score, -self.fine, self.id


def fuse(lists: Mapping[K, Sequence[Listed]]) -> list[Fused[K]]:
    """The items of all lists, best first."""
    groups: dict[str, str] = {}
    parts: dict[str, dict[K, float]] = {}
    fine: dict[str, float] = {}
    for name, entries in lists.items():
        for entry, group_rank, rank in _ranked(entries):
            groups[entry.id] = entry.group
            parts.setdefault(entry.id, {})[name] = entry.strength / (RRF_K + group_rank)
            fine[entry.id] = fine.get(entry.id, 0.0) + entry.strength / (RRF_K + rank)
    return sorted((Fused(id, groups[id], parts[id], fine[id]) for id in parts), key=lambda fused: fused.order)


def _ranked(entries: Sequence[Listed]) -> Iterator[tuple[Listed, int, int]]:
    """Each entry with the rank of its group, one more than there are better groups, and that of its score."""
    better: set[str] = set()
    by_score = sorted(entries, key=lambda entry: -entry.score)
    for rank, (_, equals) in enumerate(groupby(by_score, key=lambda entry: entry.score), start=1):
        block = list(equals)
        for entry in block:
            yield entry, 1 + len(better) - (entry.group in better), rank
        better.update(entry.group for entry in block)
