"""Candidate moments of a query: a ranked list for each of the moments' vectors.

Each entry of a list counts in proportion to what speaks for it. Looks and motion count by their likelihood, and fully
if it is high. Meaning and sound count by how far they are above what the best one reaches by chance, so that a video
without speech, writing or sounds loses nothing. Words count by the share of the query that they match; otherwise
one common word ("man") would make a first place by words that outweighs the looks of "a man on a bike".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Final, Literal, TypeAlias

import numpy as np

from indexer.generation_id import GenerationId
from indexer.hits import OnlyKind
from indexer.lexical import query_words
from indexer.ports import Encoder
from indexer.search.calibration import UNRELATED_SOUNDS, measure_picture_background, measure_sentence_background
from indexer.search.fusion import RankedEntry
from indexer.search.query import PICTURE_VECTORS, DenseVectors, TextQuery
from indexer.store.moments import DenseName, MomentStore
from indexer.store.records import Scopes
from indexer.vectors.vector_store import ScoredPoint, SparseWords, VectorQuery

ListName: TypeAlias = DenseName | Literal["words"]
"""A list has the name of the vector by which it is ranked."""
CandidateLists: TypeAlias = Mapping[ListName, Sequence[RankedEntry]]

LISTS: Final[Mapping[OnlyKind | None, tuple[ListName, ...]]] = {
    None: (*PICTURE_VECTORS, "words", "meaning", "sound"),
    "looks": PICTURE_VECTORS,
    "said": ("words", "meaning"),
    "shown": ("words", "meaning"),
    "heard": ("sound",),
}
"""The lists of a search, by what it is restricted to."""

DEPTHS: Final = (200, 800, 3_200, 12_800)
"""Lengths of the lists, tried in this order until they have moments of enough videos to fill a page."""

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
    only: OnlyKind | None
    tags: tuple[str, ...] = ()

    def nearest(self, queries: Sequence[VectorQuery]) -> list[list[ScoredPoint]]:
        """Return the nearest moments for each query, best first."""
        sense = None if self.only == "looks" else self.only
        return self.moments.nearest(
            self.generation, self.scopes, queries, self.video_id, self.without_videos, sense, self.tags
        )

    def calibrate(self, encoder: Encoder, query: TextQuery) -> TextQuery:
        """Return the query with the level of its cosines to a sample of the moments that the scopes may see."""
        names = [name for name in query.vectors if name in LISTS[self.only] and name != "sound"]
        vectors: DenseVectors = {name: query.vectors[name] for name in names}
        samples = self.moments.sample_cosines(self.generation, self.scopes, vectors)
        meaning = measure_sentence_background(samples.pop("meaning", np.empty(0, np.float32)))
        backgrounds = {
            name: measure_picture_background(sample, query.text, encoder.logit_scale, encoder.unrelated_cosine)
            for name, sample in samples.items()
        }
        return replace(query, backgrounds={**backgrounds, "meaning": meaning, "sound": UNRELATED_SOUNDS})

    def count(self) -> int:
        """Return the number of stored moments, of all spaces."""
        return self.moments.count(self.generation)

    def entry(self, scored: ScoredPoint, strength: float) -> RankedEntry:
        """Return a moment as an entry of a list, grouped by video unless the search is within one video."""
        group = scored.id if self.video_id else scored.payload["video_id"]
        return RankedEntry(scored.id, group, scored.score, strength)


def list_candidates(scope: SearchScope, query: TextQuery, depth: int) -> dict[ListName, list[RankedEntry]]:
    """Return up to `depth` moments by each list of the search.

    Looks and motion are two views of the same pictures, so that both together have the weight of the words. A moment
    with a word that the query does not want is not found by its words.
    """
    names = LISTS[scope.only]
    dense = {name: vector for name, vector in query.vectors.items() if name in names}
    words = query_words(query.text) if "words" in names else SparseWords((), ())
    all_words = SparseWords(words.indices[:MAX_WORDS], words.values[:MAX_WORDS])
    by_words = [VectorQuery("words", all_words, depth)] if all_words.indices else []
    by_one_word = [VectorQuery("words", SparseWords((index,), (1.0,)), 1) for index in all_words.indices]
    by_vectors = [VectorQuery(name, vector, depth) for name, vector in dense.items()]
    unwanted = query_words(query.unwanted)
    by_unwanted = [VectorQuery("words", unwanted, depth)] if by_words and unwanted.indices else []
    answers = scope.nearest([*by_vectors, *by_words, *by_one_word, *by_unwanted])
    lists: dict[ListName, list[RankedEntry]] = {
        name: _list_by_vector(scope, query, name, answer) for name, answer in zip(dense, answers, strict=False)
    }
    if by_words:
        found, *others = answers[len(by_vectors) :]
        full = _full_match_score(scope, others[: len(by_one_word)])
        excluded = {each.id for answer in others[len(by_one_word) :] for each in answer}
        lists["words"] = [
            scope.entry(each, each.score / full)
            for each in found
            if each.score > MIN_MATCHED_SHARE * full and each.id not in excluded
        ]
    return lists


def may_have_more(lists: Sequence[CandidateLists], depth: int) -> bool:
    """Return whether a greater depth may find more moments."""
    return any(len(entries) == depth for of_text in lists for entries in of_text.values())


def _list_by_vector(
    scope: SearchScope, query: TextQuery, name: DenseName, answer: Sequence[ScoredPoint]
) -> list[RankedEntry]:
    if name not in query.backgrounds:
        return []
    alike = [each for each in PICTURE_VECTORS if each in query.vectors] if name in PICTURE_VECTORS else [name]
    strengths = [query.backgrounds[name].weigh(each.score) / len(alike) for each in answer]
    return [scope.entry(each, strength) for each, strength in zip(answer, strengths, strict=True) if strength > 0]


def _full_match_score(scope: SearchScope, best_by_word: Sequence[Sequence[ScoredPoint]]) -> float:
    """Return the BM25 score that a moment would have if it matched the whole query.

    Each word counts with the best score that it reaches alone, which is mainly its IDF. A word that is in no document
    counts with the IDF that such a word has.
    """
    known = [best[0].score for best in best_by_word if best]
    unknown = len(best_by_word) - len(known)
    return sum(known) + (unknown * log(2 * scope.count() + 2) if known and unknown else 0.0)
