"""Search: from a query to the best moments. Read `find_moments` from top to bottom."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

from indexer.generation_id import GenerationId
from indexer.hits import Hit, MatchKind, MatchReason
from indexer.lexical import snippet
from indexer.link.canonical import link_to_second
from indexer.ports import Encoder, StageTimer
from indexer.search.calibration import WEAK_LIKELIHOOD
from indexer.search.candidates import DEPTHS, SearchScope, list_candidates, may_have_more
from indexer.search.query import SearchQuery, embed_query, read_examples
from indexer.search.ranking import RankedMoment, best_moment_per_video, score_moments
from indexer.search.votes import VOTES_REACH, VoteReader, apply_opinions
from indexer.stages import SearchStage
from indexer.store.moments import MomentStore
from indexer.store.records import Submission
from indexer.store.submissions import SubmissionStore
from indexer.vectors.vector_store import StoredPoint

SECONDARY_REASON_SHARE: Final = 0.5
"""A further list is a reason too if it contributed at least this share of what the first one did."""


@dataclass(frozen=True)
class ResultPage:
    """One page of hits, best first."""

    hits: tuple[Hit, ...]
    next_offset: int | None
    """Offset of the next page; None: this is the last one."""

    @property
    def is_weak(self) -> bool:
        """Whether all hits have a low likelihood: the library probably does not contain what the query means."""
        return bool(self.hits) and all(hit.score < WEAK_LIKELIHOOD for hit in self.hits)


def find_moments(
    moments: MomentStore,
    submissions: SubmissionStore,
    votes: VoteReader,
    encoder: Encoder,
    query: SearchQuery,
    timer: StageTimer = lambda stage: nullcontext(),
) -> ResultPage:
    """Find the moments that match a query.

    Moments named as examples, and the videos of examples to be similar to, are left out: the user knows them. Raise
    `GenerationMismatchError` if the encoder's generation is neither the live nor the previous one.
    """
    if moments.is_empty():
        return ResultPage((), None)
    generation = GenerationId.parse(encoder.generation)
    examples = read_examples(moments, generation, query)
    with timer(SearchStage.ENCODE):
        text_queries = embed_query(encoder, query, examples)
    without_videos = () if query.video_id else examples.liked_videos
    scope = SearchScope(moments, generation, query.scopes, query.video_id, without_videos)
    end = query.offset + query.limit
    ranked: list[RankedMoment] = []
    for depth in DEPTHS:
        with timer(SearchStage.NEAREST):
            lists = [list_candidates(scope, each, depth) for each in text_queries]
        with timer(SearchStage.FUSE):
            ranked = best_moment_per_video(text_queries, lists, examples.ids)
        if len(ranked) > end or not may_have_more(lists, depth):
            break
    with timer(SearchStage.GATHER):
        considered = ranked[: end + VOTES_REACH]
        opinions = votes.read(encoder, query, considered)
        ids = {each.id for each in (considered if opinions else considered[query.offset : end])}
        scores = score_moments(scope, text_queries, lists, ids | opinions.keys())
        page = apply_opinions(considered, opinions, scores)[query.offset : end]
        hits = _read_hits(scope, submissions, page, scores)
    return ResultPage(hits, end if len(ranked) > end else None)


def _read_hits(
    scope: SearchScope, submissions: SubmissionStore, page: Sequence[RankedMoment], scores: Mapping[str, float]
) -> tuple[Hit, ...]:
    """Read the moments of a page. A moment that was removed since the lists were made is left out."""
    stored = {each.id: each for each in scope.moments.get(scope.generation, scope.scopes, [each.id for each in page])}
    submitted = submissions.get(scope.scopes, [each.payload["video_id"] for each in stored.values()])
    pairs = [(ranked, stored[ranked.id]) for ranked in page if ranked.id in stored]
    return tuple(
        _build_hit(ranked, moment, submitted[moment.payload["video_id"]], scores[moment.id])
        for ranked, moment in pairs
        if moment.payload["video_id"] in submitted
    )


def _build_hit(ranked: RankedMoment, moment: StoredPoint, submission: Submission, score: float) -> Hit:
    keys = ("video_id", "link", "title", "start_s", "end_s", "thumbnail", "duration_s", "words_only")
    return Hit(
        moment_id=moment.id,
        moment_link=link_to_second(moment.payload["link"], moment.payload["start_s"]),
        score=score,
        why=(*_explain_votes(ranked), *_explain_match(ranked, moment.payload["words"])),
        more=len(ranked.others),
        submitter=submission.submitter,
        submitted_at=submission.at,
        message_id=submission.message_id,
        **{key: moment.payload[key] for key in keys},
    )


def _explain_votes(ranked: RankedMoment) -> tuple[MatchReason, ...]:
    return (MatchReason(MatchKind.LIKED, ranked.liked_for),) if ranked.liked_for else ()


def _explain_match(ranked: RankedMoment, words: str) -> tuple[MatchReason, ...]:
    """Return the kinds of match that contributed most to a moment's rank."""
    parts = sorted(ranked.fused.parts.items(), key=lambda part: -part[1])
    kinds = [kind for kind, part in parts if part >= SECONDARY_REASON_SHARE * parts[0][1]]
    return tuple(MatchReason(kind, snippet(words, ranked.text) if kind == MatchKind.WORDS else None) for kind in kinds)
