"""Search: from a query to the best moments. Read `find_moments` from top to bottom."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

from indexer.generation_id import GenerationId
from indexer.hits import Hit, MatchKind, MatchReason, Strength, rate_score
from indexer.link.canonical import link_to_second
from indexer.ports import Encoder, StageTimer
from indexer.search.candidates import DEPTHS, SearchScope, list_candidates, may_have_more
from indexer.search.query import SearchQuery, TextQuery, embed_query, read_examples
from indexer.search.ranking import RankedMoment, best_moment_per_video, score_moments
from indexer.search.reasons import explain_matches
from indexer.search.spans import Span, choose_span, drop_overlapping, find_spans
from indexer.search.votes import VOTES_REACH, VoteReader, apply_opinions
from indexer.stages import SearchStage
from indexer.store.moments import MomentStore
from indexer.store.records import Submission
from indexer.store.submissions import SubmissionStore
from indexer.vectors.vector_store import StoredPoint

MAX_ONLY_CANDIDATES: Final = 50
"""Maximum number of videos that a search for speech or text on the screen examines for a match of that kind."""


@dataclass(frozen=True)
class ResultPage:
    """One page of hits, best first."""

    hits: tuple[Hit, ...]
    next_offset: int | None
    """Offset of the next page; None: this is the last one."""
    weaker_follow: bool = False
    """Whether the page ends before it is full, because only weak matches follow strong ones."""

    @property
    def is_weak(self) -> bool:
        """Whether all hits are weak: the library probably does not contain what the query means."""
        return bool(self.hits) and all(hit.strength is Strength.WEAK for hit in self.hits)


def find_moments(
    moments: MomentStore,
    submissions: SubmissionStore,
    votes: VoteReader,
    encoder: Encoder,
    query: SearchQuery,
    timer: StageTimer = lambda stage: nullcontext(),
) -> ResultPage:
    """Find the moments that match a query.

    Moments named as examples, and the videos of examples to be similar to, are left out: the user knows them. A query
    with tags finds moments whose tags are stored. Raises `GenerationMismatchError` if the encoder's generation is
    neither the live nor the previous one.
    """
    if moments.is_empty():
        return ResultPage((), None)
    generation = GenerationId.parse(encoder.generation)
    examples = read_examples(moments, generation, query)
    with timer(SearchStage.ENCODE):
        embedded = embed_query(encoder, query, examples)
    without_videos = () if query.video_id else examples.liked_videos
    scope = SearchScope(moments, generation, query.scopes, query.video_id, without_videos, query.only, query.tags)
    end = query.offset + query.limit
    text_queries: list[TextQuery] = []
    ranked: list[RankedMoment] = []
    for depth in DEPTHS:
        with timer(SearchStage.NEAREST):
            text_queries = text_queries or [scope.calibrate(encoder, each) for each in embedded]
            lists = [list_candidates(scope, each, depth) for each in text_queries]
        with timer(SearchStage.FUSE):
            ranked = best_moment_per_video(text_queries, lists, examples.ids)
            ranked = _select_only(scope, encoder, ranked)
        if len(ranked) > end or not may_have_more(lists, depth):
            break
    with timer(SearchStage.GATHER):
        if query.video_id:
            ranked = drop_overlapping(ranked, find_spans(scope, ranked))
        scores = score_moments(text_queries, lists, {id for each in ranked for id in (each.id, *each.others)})
        considered = _sort_weak_last(ranked, scores)[: end + VOTES_REACH]
        found = apply_opinions(considered, votes.read(encoder, query, considered), scores)
        stop = _find_page_end(query, found, scores)
        hits = _read_hits(scope, submissions, encoder, found[query.offset : stop], scores)
    return ResultPage(hits, stop if len(ranked) > stop else None, stop < min(end, len(ranked)))


def _sort_weak_last(ranked: Sequence[RankedMoment], scores: Mapping[str, float]) -> list[RankedMoment]:
    """Return the moments in the same order, but the weak ones behind all others if there are strong ones."""
    strengths = {each.id: rate_score(scores[each.id]) for each in ranked}
    if Strength.STRONG not in strengths.values():
        return list(ranked)
    return sorted(ranked, key=lambda each: strengths[each.id] is Strength.WEAK)


def _find_page_end(query: SearchQuery, found: Sequence[RankedMoment], scores: Mapping[str, float]) -> int:
    """Return the index after the page's last moment. If a strong one precedes it, the first weak one ends the page."""
    end = query.offset + query.limit
    strengths = [rate_score(scores[each.id], is_liked=each.liked_for is not None) for each in found]
    weak = strengths.index(Strength.WEAK) if Strength.WEAK in strengths else 0
    return weak if Strength.STRONG in strengths[:weak] and query.offset < weak < end else end


def _select_only(scope: SearchScope, encoder: Encoder, ranked: Sequence[RankedMoment]) -> list[RankedMoment]:
    """Return the moments that match by what is said or shown, if the search is for one of these."""
    if scope.only not in ("said", "shown"):
        return list(ranked)
    candidates = ranked[:MAX_ONLY_CANDIDATES]
    reasons = explain_matches(encoder, candidates, {id: each.payload for id, each in _read(scope, candidates).items()})
    return [each for each in candidates if any(why.kind == scope.only for why in reasons.get(each.id, ()))]


def _read(scope: SearchScope, page: Sequence[RankedMoment]) -> dict[str, StoredPoint]:
    stored = scope.moments.get(scope.generation, scope.scopes, [each.id for each in page])
    return {each.id: each for each in stored}


def _read_hits(
    scope: SearchScope,
    submissions: SubmissionStore,
    encoder: Encoder,
    page: Sequence[RankedMoment],
    scores: Mapping[str, float],
) -> tuple[Hit, ...]:
    """Read the moments of a page. A moment that was removed since the lists were made is left out."""
    stored = _read(scope, page)
    reasons = explain_matches(encoder, page, {id: each.payload for id, each in stored.items()})
    submitted = submissions.get(scope.scopes, [each.payload["video_id"] for each in stored.values()])
    pairs = [(ranked, stored[ranked.id]) for ranked in page if ranked.id in stored]
    spans = find_spans(scope, page)
    return tuple(
        _build_hit(
            moment,
            submitted[moment.payload["video_id"]],
            scores[moment.id],
            ranked,
            reasons[moment.id],
            choose_span(moment.payload, reasons[moment.id], spans.get(moment.id)),
        )
        for ranked, moment in pairs
        if moment.payload["video_id"] in submitted
    )


def _build_hit(
    moment: StoredPoint,
    submission: Submission,
    score: float,
    ranked: RankedMoment,
    reasons: Sequence[MatchReason],
    span: Span,
) -> Hit:
    keys = ("video_id", "link", "title", "duration_s", "words_only")
    return Hit(
        moment_id=moment.id,
        moment_link=link_to_second(moment.payload["link"], span.opens_at_s),
        start_s=span.start_s,
        end_s=span.end_s,
        opens_at_s=span.opens_at_s,
        thumbnail=span.thumbnail or moment.payload["thumbnail"],
        score=score,
        why=(*_explain_votes(ranked), *reasons),
        more=len(ranked.others),
        submitter=submission.submitter,
        submitted_at=submission.at,
        message_id=submission.message_id,
        **{key: moment.payload[key] for key in keys},
    )


def _explain_votes(ranked: RankedMoment) -> tuple[MatchReason, ...]:
    return (MatchReason(MatchKind.LIKED, ranked.liked_for),) if ranked.liked_for else ()
