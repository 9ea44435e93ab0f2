"""Ranking of candidate moments: the best moment of each video, and its score."""

from collections.abc import Sequence, Set
from dataclasses import dataclass

from indexer.hits import MatchKind
from indexer.search.calibration import likelihood
from indexer.search.candidates import CandidateLists, SearchScope
from indexer.search.fusion import FusedItem, fuse
from indexer.search.query import MATCH_KINDS, TextQuery


@dataclass(frozen=True)
class RankedMoment:
    """The best moment of a video, or any moment if the search is within one video."""

    fused: FusedItem[MatchKind]
    text: str
    """The text of the query that it matches best."""
    more: int
    """Number of further moments of the same video in the lists."""

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
    groups: dict[str, dict[str, tuple[FusedItem[MatchKind], str]]] = {}
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
            if item.id not in members or item.order < members[item.id][0].order:
                members[item.id] = (item, query.text)
    best = {group: min(members.values(), key=lambda each: each[0].order) for group, members in groups.items()}
    ranked = sorted(groups, key=lambda group: (-score_of[group], best[group][0].order))
    return [RankedMoment(*best[group], len(groups[group]) - 1) for group in ranked]


def score_moments(
    scope: SearchScope, queries: Sequence[TextQuery], lists: Sequence[CandidateLists], ids: Set[str]
) -> dict[str, float]:
    """Return for each moment the likelihood, 0 to 1, that it is what the query means.

    It is the highest of all texts and kinds of match. Looks and motion count by how much they exceed the rest
    of the library, words by the share of the query that they match.
    """
    best = dict.fromkeys(ids, 0.0)
    for query, of_text in zip(queries, lists, strict=True):
        sample = {MATCH_KINDS[name]: cosines for name, cosines in scope.sample_cosines(query.vectors).items()}
        for kind, entries in of_text.items():
            for entry in entries:
                if entry.id in ids:
                    value = likelihood(entry.score, sample[kind]) if kind in sample else min(entry.strength, 1.0)
                    best[entry.id] = max(best[entry.id], value)
    return best
