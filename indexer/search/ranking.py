"""Ranking of candidate moments: the best moment of each video, and its score."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from indexer.search.candidates import CandidateLists, ListName
from indexer.search.fusion import FusedItem, fuse
from indexer.search.query import TextQuery


@dataclass(frozen=True)
class RankedMoment:
    """The best moment of a video, or any moment if the search is within one video."""

    fused: FusedItem[ListName]
    query: TextQuery
    """The text of the query that it matches best."""
    others: "Mapping[str, RankedMoment]" = field(default_factory=dict)
    """The further moments of the same video in the lists, by their ids."""
    liked_for: str | None = None
    """The question that people liked it for."""

    @property
    def id(self) -> str:
        """Id of the moment."""
        return self.fused.id


def best_moment_per_video(
    queries: Sequence[TextQuery], lists: Sequence[CandidateLists], excluded: Set[str]
) -> list[RankedMoment]:
    """Return the best moment of each group, best first, without the `excluded` ids.

    A group is ranked by the sum of the scores of its best moment for each text: of the parts of a sentence and the
    whole sentence, no single one decides.
    """
    groups: dict[str, dict[str, RankedMoment]] = {}
    score_of: dict[str, float] = {}
    for query, of_text in zip(queries, lists, strict=True):
        seen: set[str] = set()
        for item in fuse(of_text):
            if item.id in excluded:
                continue
            if item.group not in seen:
                seen.add(item.group)
                score_of[item.group] = score_of.get(item.group, 0.0) + item.score
            members = groups.setdefault(item.group, {})
            if item.id not in members or item.order < members[item.id].fused.order:
                members[item.id] = RankedMoment(item, query)
    best = {group: min(members.values(), key=lambda each: each.fused.order) for group, members in groups.items()}
    ranked = sorted(groups, key=lambda group: (-score_of[group], best[group].fused.order))
    return [_with_others(best[group], groups[group]) for group in ranked]


def _with_others(best: RankedMoment, members: Mapping[str, RankedMoment]) -> RankedMoment:
    return replace(best, others={id: each for id, each in members.items() if id != best.id})


def score_moments(queries: Sequence[TextQuery], lists: Sequence[CandidateLists], ids: Set[str]) -> dict[str, float]:
    """Return for each moment the likelihood, 0 to 1, that it is what the query means.

    It is the highest of all texts and lists. Vectors count by how much they exceed the rest of the library, words by
    the share of the query that they match.
    """
    best = dict.fromkeys(ids, 0.0)
    for query, of_text in zip(queries, lists, strict=True):
        for name, entries in of_text.items():
            background = None if name == "words" else query.backgrounds.get(name)
            for entry in entries:
                if entry.id in ids:
                    value = background.likelihood(entry.score) if background else min(entry.strength, 1.0)
                    best[entry.id] = max(best[entry.id], value)
    return best
