"""From a question to the best moments, in the order it happens; `find` is the whole of it.

Each text of the question makes up to three lists: moments by looks (`frame`), by `motion` and by `words`. Their scores
have nothing in common, so the lists are joined by rank: Reciprocal Rank Fusion (Cormack, Clarke and Büttcher, SIGIR
2009), where each list gives a moment 1 / (60 + rank). Two things are ours:
- A rank counts videos, not moments: ten near-equal moments of one video push nothing else down.
- The list by words counts for the share of the question that a moment answers. One word in common ("man") makes a
  first place by words, which would drown the looks of "a man on a bike".
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal, TypeAlias
from uuid import UUID

import numpy as np

from indexer.library import Library, Near, Submission
from indexer.points import Scored, SparseWords, Stored
from indexer.ports import Encoder, TextVectors
from indexer.text import query_words, snippet
from indexer.video import Vector

Kind: TypeAlias = Literal["looks", "motion", "words"]

# Moments taken from each list. Where they are of too few videos to fill the page, more are taken, within reason.
DEPTH = 200
MAX_DEPTH = 12_800
DEEPER = 4

RRF_K = 60

# A moment's words count from this share of the question on.
MIN_SHARE = 1 / 3

# Of a longer text, this many words stand for all.
MAX_WORDS = 24

# What counter-examples weigh against the question and its examples (Rocchio 1971 gives them less, too).
UNLIKE = 0.5

# Another list is named as a reason when it gave at least this much of what the first reason gave.
ALSO_A_REASON = 0.5


@dataclass(frozen=True)
class Why:
    """The reason a moment was found: `looks` (frame), `motion`, or `words` with the matching snippet."""

    kind: Kind
    snippet: str = ""


@dataclass(frozen=True)
class Hit:
    """One moment found: the best of its video."""

    moment_id: str
    video_id: str
    link: str
    title: str
    start_s: float
    end_s: float
    score: float
    """0 to 1: first in every list would be 1. Says nothing across questions."""
    why: tuple[Why, ...]
    thumbnail: str | None
    more: int
    """How many more moments of the same video were in the lists."""
    duration_s: float | None
    submitter: str
    submitted_at: str
    words_only: bool


@dataclass(frozen=True)
class Page:
    """Hits, best first, and where the next ones begin, if there are any."""

    hits: tuple[Hit, ...]
    next_offset: int | None


@dataclass(frozen=True)
class Question:
    """What the lists are asked with: a text, and its vectors with the examples worked in."""

    text: str
    frame: Vector | None
    motion: Vector | None


@dataclass(frozen=True)
class Candidate:
    """A moment on at least one list of one question."""

    moment_id: str
    group: str
    """What shares a hit: its video, or itself."""
    text: str
    shares: Mapping[Kind, float]
    """What each list gives it, by the rank of its group."""
    fine: float
    """The sum by its own ranks, which tells moments of one video apart."""

    @property
    def order(self) -> tuple[float, float, str]:
        return -sum(self.shares.values()), -self.fine, self.moment_id


def find(
    library: Library,
    encoder: Encoder,
    space: str,
    texts: Sequence[str] = (),
    like: Sequence[str] = (),
    unlike: Sequence[str] = (),
    video_id: str | None = None,
    limit: int = 5,
    offset: int = 0,
) -> Page:
    """Moments for any of `texts`, towards `like` and away from `unlike` (words, or `moment:<id>`).

    One hit a video, or the single moments of the one video `video_id`. The videos of moments to be like are left out:
    whoever names one knows it. Raises `GenerationMismatch` where the encoder is not of the generation searched now.
    """
    liked, unliked = (_moments(library, encoder, space, named) for named in (like, unlike))
    questions = _questions(encoder, texts, _words(like), _words(unlike), liked, unliked)
    known = {moment.id for moment in (*liked, *unliked)}
    without = [] if video_id else sorted({moment.payload["video_id"] for moment in liked})
    depth = DEPTH
    while True:
        asked = [_asked(question, depth) for question in questions]
        lists = [near for each in asked for near in each]
        answers = library.nearest(encoder.generation, space, lists, video_id, without)
        ...
