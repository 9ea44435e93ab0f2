"""From a question to the best moments: `find` is the whole way, in the order it happens.

Each text of a question makes up to three lists of moments: by looks (`frame`), by `motion` and by `words`, which
`indexer.fusion` joins. The list by words counts for the share of the question that a moment answers: one word in common
("man") makes a first place by words, which would drown the looks of "a man on a bike".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias
from uuid import UUID

import numpy as np

from indexer.fusion import Fused, Listed, best_possible, fuse
from indexer.library import Library, Near, Submission
from indexer.points import Scored, SparseWords, Stored
from indexer.ports import Encoder
from indexer.text import query_words, snippet
from indexer.video import Vector

Kind: TypeAlias = Literal["looks", "motion", "words"]
Vectors: TypeAlias = Mapping[str, Vector]
"""By the name they are stored under, `frame` and `motion`."""

KINDS: dict[str, Kind] = {"frame": "looks", "motion": "motion", "words": "words"}

# How many moments are taken from each list. Where they are of too few videos to fill a page, more are taken.
DEPTHS = (200, 800, 3_200, 12_800)

# A moment's words count from this share of the question on.
MIN_SHARE = 1 / 3

# Of a longer text, this many words stand for all.
MAX_WORDS = 24

# What counter-examples weigh against the question and its examples; Rocchio (1971) has less for them, too.
UNLIKE = 0.5

# A further list is a reason, too, when it gave at least this much of what the first one gave.
ALSO_A_REASON = 0.5

MOMENT = "moment:"


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
    """0 to 1: the best place in every list would be 1. Says nothing across questions."""
    why: tuple[Why, ...]
    thumbnail: str | None
    more: int
    """How many more moments of the same video were on the lists."""
    duration_s: float | None
    submitter: str
    submitted_at: str
    words_only: bool


@dataclass(frozen=True)
class Page:
    """Hits, best first, and the offset of the next ones, if there are any."""

    hits: tuple[Hit, ...]
    next_offset: int | None


@dataclass(frozen=True)
class Question:
    """What the lists are asked with: a text, and its vectors with the examples worked in."""

    text: str
    vectors: Vectors


@dataclass(frozen=True)
class Best:
    """The best moment of a video, or a single one where videos are not grouped, for any of the questions."""

    fused: Fused
    text: str
    more: int
    score: float


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

    One hit a video, or with `video_id` the single moments of that one. The moments named as examples, and the videos of
    those to be like, are left out: whoever names them knows them. Raises `GenerationMismatch` where the encoder is not
    of the generation that is searched now.
    """
    liked, unliked = (_moments(library, encoder.generation, space, examples) for examples in (like, unlike))
    questions = _questions(encoder, texts, _Examples.of(encoder, like, liked), _vectors(encoder, unlike, unliked))
    ask = partial(
        library.nearest,
        encoder.generation,
        space,
        video_id=video_id,
        without_videos=() if video_id else sorted({moment.payload["video_id"] for moment in liked}),
    )
    bests: list[Best] = []
    for depth in DEPTHS:
        lists = [_lists(ask, question, depth, grouped=video_id is None) for question in questions]
        bests = _bests(questions, lists, {moment.id for moment in (*liked, *unliked)})
        if len(bests) > offset + limit or not _more_to_get(lists, depth):
            break
    hits = _hits(library, encoder.generation, space, bests[offset : offset + limit])
    return Page(hits, offset + limit if len(bests) > offset + limit else None)


# ---- the question ----


def _moments(library: Library, generation: str, space: str, examples: Sequence[str]) -> list[Stored]:
    ids = [_canonical(each.removeprefix(MOMENT)) for each in examples if each.startswith(MOMENT)]
    return library.moments(generation, space, [id for id in ids if id], vectors=True)


def _canonical(id: str) -> str | None:
    try:
        return str(UUID(id))
    except ValueError:
        return None


def _words(examples: Sequence[str]) -> list[str]:
    return [each for each in examples if not each.startswith(MOMENT)]


def _vectors(encoder: Encoder, texts: Sequence[str]) -> list[Vectors]:
    pairs = [(("frame", each.frame), ("motion", each.motion)) for each in encoder.texts(texts)] if texts else []
    return [{name: vector for name, vector in pair if vector is not None} for pair in pairs]


def _questions(
    encoder: Encoder, texts: Sequence[str], like: Sequence[str], towards: Sequence[Vectors], away: Sequence[Vectors]
) -> list[Question]:
    """One for each text; without texts one of the examples alone, if there are any to be like."""
    spoken: list[tuple[str, Vectors]] = list(zip(texts, _vectors(encoder, texts), strict=True))
    if not spoken and towards:
        spoken = [(" ".join(_words(like)), {})]
    return [Question(text, _moved(vectors, towards, away)) for text, vectors in spoken]


def _moved(vectors: Vectors, towards: Sequence[Vectors], away: Sequence[Vectors]) -> Vectors:
    """A text's vectors moved to its examples and away from the others (Rocchio 1971), as unit vectors."""
    names = sorted({name for each in (vectors, *towards) for name in each})
    moved = {}
    for name in names:
        wanted = [vectors[name]] if name in vectors else []
        if like := [each[name] for each in towards if name in each]:
            wanted.append(np.mean(like, axis=0))
        vector = np.sum(wanted, axis=0)
        if unlike := [each[name] for each in away if name in each]:
            vector -= UNLIKE * np.mean(unlike, axis=0)
        moved[name] = (vector / (np.linalg.norm(vector) or 1.0)).astype(np.float32)
    return moved


# ---- the lists ----


def _lists(
    ask: Callable[[Sequence[Near]], list[list[Scored]]], question: Question, depth: int, grouped: bool
) -> dict[Kind, list[Listed]]:
    words = query_words(question.text)
    words = SparseWords(words.indices[:MAX_WORDS], words.values[:MAX_WORDS])
    nears = [Near(name, vector, depth) for name, vector in question.vectors.items()]
    single = [Near("words", SparseWords((index,), (1.0,)), 1) for index in words.indices]
    answers = ask([*nears, Near("words", words, depth), *single] if single else nears)
    lists = {KINDS[near.using]: [_listed(each, grouped) for each in answer] for near, answer in zip(nears, answers)}
    if single:
        lists["words"] = _by_words(*answers[len(nears):])
    return lists


def _listed(scored: Scored, grouped: bool, strength: float = 1.0) -> Listed:
    return Listed(scored.id, scored.payload["video_id"] if grouped else scored.id, scored.score, strength)


def _by_words(found: Sequence[Scored], bests: Sequence[Sequence[Scored]], grouped: bool) -> list[Listed]:
    """The list by words, each with the share of the question it answers.

    The whole of the question is the sum of what each word gives where it counts most (its IDF, in the main); a word
    that no moment has counts like the rarest of the others.
    """
    given = [best[0].score for best in bests if best]
    whole = sum(given) + max(given, default=0.0) * (len(bests) - len(given))
    return [
        _listed(each, grouped, each.score / whole) for each in found if each.score >= MIN_SHARE * whole
    ]


def _more_to_get(lists: Sequence[Mapping[Kind, Sequence[Listed]]], depth: int) -> bool:
    return any(len(entries) == depth for of_question in lists for entries in of_question.values())


# ---- the answer ----


def _bests(
    questions: Sequence[Question], lists: Sequence[Mapping[Kind, Sequence[Listed]]], named: Set[str]
) -> list[Best]:
    """The best of each group for any of the questions, best first, without the moments that were named."""
    fused = [(question, fuse(of_question)) for question, of_question in zip(questions, lists, strict=True)]
    possible = max((best_possible(items) for _, items in fused), default=0.0)
    groups: dict[str, dict[str, tuple[Fused, str]]] = {}
    for item, text in sorted(
        ((item, question.text) for question, items in fused for item in items), key=lambda pair: pair[0].order
    ):
        if item.id not in named:
            groups.setdefault(item.group, {}).setdefault(item.id, (item, text))
    return [Best(*next(iter(members.values())), more=len(members) - 1, ) for members in groups.values()]


def _hits(library: Library, generation: str, space: str, bests: Sequence[Best]) -> tuple[Hit, ...]:
    """The bests as hits. What was forgotten since the lists were made is left out."""
    moments = {each.id: each for each in library.moments(generation, space, [best.fused.id for best in bests])}
    submissions = library.submissions(space, sorted({each.payload["video_id"] for each in moments.values()}))
    ...
