"""Candidate moments of a query: one ranked list by looks, one by motion and one by words.

The list by words counts in proportion to the share of the query that a moment's words match. Otherwise one common word
("man") would make a first place by words that outweighs the looks of "a man on a bike".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Final, TypeAlias

from indexer.generation_id import GenerationId
from indexer.hits import MatchKind
from indexer.lexical import query_words
from indexer.search.fusion import RankedEntry
from indexer.search.query import MATCH_KINDS, DenseVectors, TextQuery
from indexer.store.moments import DenseName, MomentStore
from indexer.store.records import Scopes
from indexer.types import Vector
from indexer.vectors.vector_store import ScoredPoint, SparseWords, VectorQuery

CandidateLists: TypeAlias = Mapping[MatchKind, Sequence[RankedEntry]]

DEPTHS: Final = (200, 800, 3_200, 12_800)
"""Lengths of the lists, tried in this order until their moments are of enough videos to fill a page."""

MIN_MATCHED_SHARE: Final = 0.5
"""A moment is on the list by words if it matches more than this share of the query.

On 103 clips with paraphrasing queries one half never cost a first place, even if all titles were wrong; one third did.
"""

MAX_WORDS: Final = 24
"""Maximum number of a text's words that are searched for."""


@dataclass(frozen=True)
class SearchScope:
    """The moments that a search may find."""

    moments: MomentStore
    generation: GenerationId
    scopes: Scopes
    video_id: str | None
    without_videos: tuple[str, ...]

    def nearest(self, queries: Sequence[VectorQuery]) -> list[list[ScoredPoint]]:
        """Return the nearest moments for each query, best first."""
        return self.moments.nearest(self.generation, self.scopes, queries, self.video_id, self.without_videos)

    def sample_cosines(self, vectors: DenseVectors) -> dict[DenseName, Vector]:
        """Return each vector's cosines to a sample of the moments that the scopes may see."""
        return self.moments.sample_cosines(self.generation, self.scopes, vectors)

    def count(self) -> int:
        """Return the number of stored moments, of all spaces."""
        return self.moments.count(self.generation)

    def entry(self, scored: ScoredPoint, strength: float) -> RankedEntry:
        """Return a moment as an entry of a list, grouped by video unless the search is within one video."""
        group = scored.id if self.video_id else scored.payload["video_id"]
        return RankedEntry(scored.id, group, scored.score, strength)


def list_candidates(scope: SearchScope, query: TextQuery, depth: int) -> dict[MatchKind, list[RankedEntry]]:
    """Return up to `depth` moments by each kind of match.

    Looks and motion are two views of the same pictures, so that both together have the weight of the words.
    """
    words = query_words(query.text)
    all_words = SparseWords(words.indices[:MAX_WORDS], words.values[:MAX_WORDS])
    by_words = [VectorQuery("words", all_words, depth)] if all_words.indices else []
    by_one_word = [VectorQuery("words", SparseWords((index,), (1.0,)), 1) for index in all_words.indices]
    by_pictures = [VectorQuery(name, vector, depth) for name, vector in query.vectors.items()]
    answers = scope.nearest([*by_pictures, *by_words, *by_one_word])
    lists: dict[MatchKind, list[RankedEntry]] = {
        MATCH_KINDS[name]: [scope.entry(each, 1 / len(query.vectors)) for each in answer]
        for name, answer in zip(query.vectors, answers, strict=False)
    }
    if by_words:
        found, *best_by_one_word = answers[len(by_pictures) :]
        full = _full_match_score(scope, best_by_one_word)
        lists[MatchKind.WORDS] = [
            scope.entry(each, each.score / full) for each in found if each.score > MIN_MATCHED_SHARE * full
        ]
    return lists


def may_have_more(lists: Sequence[CandidateLists], depth: int) -> bool:
    """Return whether a greater depth may find more moments."""
    return any(len(entries) == depth for of_text in lists for entries in of_text.values())


def _full_match_score(scope: SearchScope, best_by_word: Sequence[Sequence[ScoredPoint]]) -> float:
    """Return the BM25 score that a moment would have if it matched the whole query.

    Each word counts with the best score that it reaches alone, which is mainly its IDF. A word that is in no document
    counts with the IDF that such a word has.
    """
    known = [best[0].score for best in best_by_word if best]
    unknown = len(best_by_word) - len(known)
    return sum(known) + (unknown * log(2 * scope.count() + 2) if known and unknown else 0.0)
