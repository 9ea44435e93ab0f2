"""Votes as a prior: what people liked for a near question rises a little, what they disliked falls a little.

The prior is bounded. A moment passes at most `MAX_PLACES` others, and none that matches much better: any number of
votes outweighs a difference of `MAX_GAIN` at most.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import takewhile
from math import log
from threading import Lock
from typing import Final

from indexer.lexical import MAX_SNIPPET_CHARS
from indexer.ports import Encoder
from indexer.search.query import SearchQuery
from indexer.search.ranking import RankedMoment
from indexer.store.records import Scopes, VoteRecord
from indexer.store.spaces import SpaceStore
from indexer.types import Vector

MAX_PLACES: Final = 5
VOTES_REACH: Final = 2 * MAX_PLACES
"""Moments behind a page that must be considered because they may rise onto it, also if others on it fall."""
MAX_GAIN: Final = 2.0
"""In log-odds: all votes together let a likelihood of 0.5 pass one of 0.88 at most."""
MIN_NEARNESS: Final = 0.35
"""Cosine of two questions below which votes for one say nothing about the other."""
FULL_NEARNESS: Final = 0.9
"""Cosine from which they are the same question. Translations of one have about 0.55."""
MAX_QUESTION_CHARS: Final = 300
"""Maximum number of characters of a question that are compared."""
REMEMBERED_QUESTIONS: Final = 10_000

_WEIGHTS: Final[Mapping[str, float]] = {"up": 1.0, "shared": 1.0, "down": -0.5}
"""Opened moments do not count: people open what is on top. A dislike tells less about near questions than a like."""
_MIN_LIKELIHOOD: Final = 0.001


@dataclass(frozen=True)
class Opinion:
    """What voters think of a moment as an answer to a question."""

    balance: float
    """-1 to 1. One voter who likes it for the same question makes one half."""
    liked_for: str | None = None
    """The nearest question that it was liked for."""


@dataclass(frozen=True)
class _NearVote:
    """A vote and the cosine of its question to the one that is asked."""

    vote: VoteRecord
    cosine: float

    @property
    def weight(self) -> float:
        """What it adds to the balance of opinions."""
        nearness = (self.cosine - MIN_NEARNESS) / (FULL_NEARNESS - MIN_NEARNESS)
        return _WEIGHTS[self.vote.vote] * min(max(nearness, 0.0), 1.0) ** 2

    @property
    def order(self) -> tuple[float, str]:
        """Sort key, the nearest vote last, and of several on one question the latest."""
        return self.cosine, self.vote.at


@dataclass(frozen=True)
class _Standing:
    """What counts of a moment when it is compared with its neighbours."""

    balance: float
    strength: float
    """Log-odds of its likelihood, and what the votes add to them."""

    def passes(self, other: "_Standing") -> bool:
        """Return whether votes bring the moment before another one that ranks better without them."""
        return self.balance > other.balance and self.strength >= other.strength


class VoteReader:
    """Reads the opinions of voters. Thread-safe.

    Votes are read again for each search, so that a deleted one has no effect; only the vectors of questions are kept.
    """

    def __init__(self, spaces: SpaceStore) -> None:
        self._spaces = spaces
        self._vectors: OrderedDict[tuple[str, str], Vector] = OrderedDict()
        self._lock = Lock()

    def read(self, encoder: Encoder, query: SearchQuery, ranked: Sequence[RankedMoment]) -> dict[str, Opinion]:
        """Return the opinions on moments of the ranked videos as answers to the query, by the moments' ids.

        They are those that were formed in the scopes of the query. There are none on a query that has examples or that
        is restricted to one kind of match.
        """
        if not query.texts or query.has_examples or query.only:
            return {}
        video_ids = [query.video_id] if query.video_id else [each.fused.group for each in ranked]
        return self._form_opinions(encoder, query.texts_and_sentence[0], query.scopes, video_ids)

    def _form_opinions(
        self, encoder: Encoder, question: str, scopes: Scopes, video_ids: Sequence[str]
    ) -> dict[str, Opinion]:
        stored = self._spaces.list_votes_on(video_ids, scopes)
        votes = [each for each in stored if each.vote in _WEIGHTS and each.queries]
        question, asked = question[:MAX_QUESTION_CHARS], {vote: _write_question(vote) for vote in votes}
        vectors = self._embed(encoder, [question, *asked.values()]) if votes else {}
        by_moment: dict[str, dict[str, _NearVote]] = {}
        for vote, other in asked.items():
            near = _NearVote(vote, float(vectors[question] @ vectors[other]))
            by_user = by_moment.setdefault(vote.moment_id, {})
            former = by_user.get(vote.user_id)
            # Only one of a person's votes on a moment counts.
            if former is None or former.order < near.order:
                by_user[vote.user_id] = near
        opinions = {id: _form_opinion(list(by_user.values())) for id, by_user in by_moment.items()}
        return {id: opinion for id, opinion in opinions.items() if opinion.balance}

    def _embed(self, encoder: Encoder, questions: Sequence[str]) -> dict[str, Vector]:
        """Return the vector of each question, and remember it."""
        wanted = dict.fromkeys(questions)
        with self._lock:
            known = {
                text: self._vectors[key] for text in wanted if (key := (encoder.generation, text)) in self._vectors
            }
        new = [text for text in wanted if text not in known]
        known |= zip(new, encoder.encode_sentences(new), strict=True) if new else {}
        with self._lock:
            for text in wanted:
                self._vectors[encoder.generation, text] = known[text]
                self._vectors.move_to_end((encoder.generation, text))
            while len(self._vectors) > REMEMBERED_QUESTIONS:
                self._vectors.popitem(last=False)
        return known


def apply_opinions(
    ranked: Sequence[RankedMoment], opinions: Mapping[str, Opinion], likelihoods: Mapping[str, float]
) -> list[RankedMoment]:
    """Return the moments in the order that the opinions give them.

    A video shows its liked moment in place of the best one, unless that one matches much better. `likelihoods` are
    those of the ranked moments and of those that there are opinions on.
    """
    if not opinions:
        return list(ranked)

    def judge(moment: RankedMoment) -> _Standing:
        balance = opinions[moment.id].balance if moment.id in opinions else 0.0
        return _Standing(balance, _log_odds(likelihoods[moment.id]) + MAX_GAIN * balance)

    chosen = [_choose_moment(each, opinions.keys(), judge) for each in ranked]
    standings = [judge(each) for each in chosen]
    places = [_choose_place(at, standings) for at in range(len(chosen))]
    order = sorted(range(len(chosen)), key=lambda at: (places[at], at))
    return [
        replace(chosen[at], liked_for=opinions[chosen[at].id].liked_for) if chosen[at].id in opinions else chosen[at]
        for at in order
    ]


def _choose_moment(best: RankedMoment, judged: Set[str], judge: Callable[[RankedMoment], _Standing]) -> RankedMoment:
    """Return the moment of a video to show: the best one, or one that votes bring before it."""
    others = [best.others[id] for id in sorted(judged & best.others.keys())]
    liked = max(others, key=lambda each: judge(each).strength, default=best)
    if not judge(liked).passes(judge(best)):
        return best
    return replace(liked, others={id: each for id, each in {**best.others, best.id: best}.items() if id != liked.id})


def _choose_place(at: int, standings: Sequence[_Standing]) -> float:
    """Return where a moment belongs: before those that it passes, or behind those that pass it."""
    own = standings[at]
    if own.balance > 0:
        above = standings[max(0, at - MAX_PLACES) : at][::-1]
        passed = sum(1 for _ in takewhile(own.passes, above))
        return at - passed - 0.5 if passed else at
    below = standings[at + 1 : at + 1 + MAX_PLACES] if own.balance < 0 else ()
    passed = sum(1 for _ in takewhile(lambda other: other.passes(own), below))
    return at + passed + 0.5 if passed else at


def _form_opinion(votes: Sequence[_NearVote]) -> Opinion:
    total = sum(near.weight for near in votes)
    liked = max((near for near in votes if near.weight > 0), key=lambda near: near.order, default=None)
    return Opinion(total / (1 + abs(total)), _shorten(_write_question(liked.vote)) if liked and total > 0 else None)


def _write_question(vote: VoteRecord) -> str:
    return ", ".join(vote.queries)[:MAX_QUESTION_CHARS]


def _shorten(question: str) -> str:
    return question if len(question) <= MAX_SNIPPET_CHARS else f"{question[: MAX_SNIPPET_CHARS - 1]}…"


def _log_odds(likelihood: float) -> float:
    bounded = min(max(likelihood, _MIN_LIKELIHOOD), 1 - _MIN_LIKELIHOOD)
    return log(bounded / (1 - bounded))
