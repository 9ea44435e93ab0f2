"""From a question to the best moments: `find` is the whole way, in the order it happens.

Each text of a question makes up to three lists of moments, by looks (`frame`), by `motion` and by `words`, which
`indexer.search.fusion` joins. The list by words counts for the share of the question that a moment answers: one word in
common ("man") makes a first place by words, which would drown the looks of "a man on a bike".
"""

from collections.abc import Mapping, Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass
from math import log
from typing import Literal, TypeAlias
from uuid import UUID

import numpy as np

from indexer.lexical import query_words, snippet
from indexer.ports import Encoder, StageTimer
from indexer.search.calibration import WEAK, likelihood
from indexer.search.fusion import Fused, Listed, fuse
from indexer.store.library import Library
from indexer.store.moments import Near, Using
from indexer.store.records import Scopes, Submission
from indexer.types import Picture, Vector
from indexer.vectors.vector_store import ScoredPoint, SparseWords, StoredPoint

Vectors: TypeAlias = Mapping[Using, Vector]
Kind: TypeAlias = Literal["looks", "motion", "words"]

KIND: Mapping[Using, Kind] = {"frame": "looks", "motion": "motion"}
MOMENT = "moment:"
TINY = 1e-12

# How many moments are taken from each list. Where they are of too few videos to fill a page, more are taken.
DEPTHS = (200, 800, 3_200, 12_800)

# A moment's words count when they answer more than this share of the question. On 103 clips with paraphrasing questions
# a half never cost a first place, even where all titles were wrong; a third did.
MIN_SHARE = 0.5

# Of a longer text, this many words stand for all.
MAX_WORDS = 24

# What counter-examples weigh against the question and its examples; Rocchio (1971) has less for them, too.
UNLIKE = 0.5

# A further list is a reason, too, when it gave at least this much of what the first one gave.
ALSO_A_REASON = 0.5


@dataclass(frozen=True)
class HitReason:
    """The reason a moment was found: `looks` (frame), `motion`, or `words` with the matching snippet."""

    kind: Kind
    snippet: str = ""


@dataclass(frozen=True)
class MomentHit:
    """One moment found: the best of its video."""

    moment_id: str
    video_id: str
    link: str
    title: str
    start_s: float
    end_s: float
    score: float
    """0 to 1: how likely this is what was meant, by looks, motion or words, whichever says most for it."""
    why: tuple[HitReason, ...]
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

    hits: tuple[MomentHit, ...]
    next_offset: int | None

    @property
    def weak(self) -> bool:
        """Whether none of the hits stands out: what was meant is probably not here."""
        return bool(self.hits) and all(hit.score < WEAK for hit in self.hits)


@dataclass(frozen=True)
class Question:
    """What the lists are asked with: a text, and its vectors with the examples worked in."""

    text: str
    vectors: Vectors


@dataclass(frozen=True)
class Scope:
    """Where a question looks."""

    library: Library
    generation: str
    scopes: Scopes
    video_id: str | None
    known_videos: tuple[str, ...]

    def nearest(self, lists: Sequence[Near]) -> list[list[ScoredPoint]]:
        return self.library.nearest(self.generation, self.scopes, lists, self.video_id, self.known_videos)

    def listed(self, scored: ScoredPoint, strength: float) -> Listed:
        group = scored.id if self.video_id else scored.payload["video_id"]
        return Listed(scored.id, group, scored.score, strength)


@dataclass(frozen=True)
class Best:
    """The best moment of a video, or a single one where videos are not grouped, and the text it answers best."""

    fused: Fused[Kind]
    text: str
    more: int


def find(
    library: Library,
    encoder: Encoder,
    scopes: Scopes,
    texts: Sequence[str] = (),
    like: Sequence[str] = (),
    unlike: Sequence[str] = (),
    picture: Picture | None = None,
    video_id: str | None = None,
    limit: int = 5,
    offset: int = 0,
    timed: StageTimer = lambda stage: nullcontext(),
) -> Page:
    """Moments for any of `texts`, best for all of them, towards `like` and `picture` and away from `unlike`.

    Examples are words, or `moment:<id>`.

    One hit a video, or with `video_id` the single moments of that one. The moments named as examples, and the videos
    of those to be like, are left out: whoever names them knows them. Raises `GenerationMismatch` where the encoder is
    not of the generation that is searched now.
    """
    if library.generation() is None:
        return Page((), None)
    texts = [", ".join(texts), *texts] if len(texts) > 1 else texts
    liked, unliked = (_moments(library, encoder.generation, scopes, examples) for examples in (like, unlike))
    with timed("encode"):
        looks: list[Vectors] = [] if picture is None else [{"frame": encoder.frames([picture])[0]}]
        questions = _questions(encoder, texts, like, unlike, [*map(_dense, liked), *looks], [*map(_dense, unliked)])
    known_videos = () if video_id else tuple(sorted({moment.payload["video_id"] for moment in liked}))
    scope = Scope(library, encoder.generation, scopes, video_id, known_videos)
    bests: list[Best] = []
    for depth in DEPTHS:
        with timed("nearest"):
            lists = [_lists(scope, question, depth) for question in questions]
        with timed("fuse"):
            bests = _bests(questions, lists, {moment.id for moment in (*liked, *unliked)})
        if len(bests) > offset + limit or not _longer(lists, depth):
            break
    shown = bests[offset : offset + limit]
    with timed("gather"):
        hits = _hits(scope, shown, _scores(scope, questions, lists, {best.fused.id for best in shown}))
    return Page(hits, offset + limit if len(bests) > offset + limit else None)


# ---- the question ----


def _moments(library: Library, generation: str, scopes: Scopes, examples: Sequence[str]) -> list[StoredPoint]:
    ids = [_canonical(each.removeprefix(MOMENT)) for each in examples if each.startswith(MOMENT)]
    return library.moments(generation, scopes, [id for id in ids if id], vectors=True)


def _canonical(id: str) -> str | None:
    try:
        return str(UUID(id))
    except ValueError:
        return None


def _questions(
    encoder: Encoder,
    texts: Sequence[str],
    like: Sequence[str],
    unlike: Sequence[str],
    liked: Sequence[Vectors],
    unliked: Sequence[Vectors],
) -> list[Question]:
    """One for each text; without texts one of the examples alone, if there are any to be like."""
    like, unlike = ([each for each in examples if not each.startswith(MOMENT)] for examples in (like, unlike))
    towards = [*_vectors(encoder, like), *liked]
    away = [*_vectors(encoder, unlike), *unliked]
    spoken = list(zip(texts, _vectors(encoder, texts), strict=True))
    if not spoken and towards:
        spoken = [(" ".join(like), {})]
    return [Question(text, _moved(vectors, towards, away)) for text, vectors in spoken]


def _vectors(encoder: Encoder, texts: Sequence[str]) -> list[Vectors]:
    encoded = encoder.texts(texts) if texts else ()
    both: list[dict[Using, Vector | None]] = [{"frame": each.frame, "motion": each.motion} for each in encoded]
    return [{using: vector for using, vector in each.items() if vector is not None} for each in both]


def _dense(moment: StoredPoint) -> Vectors:
    return {using: moment.dense[using] for using in KIND if using in moment.dense}


def _moved(vectors: Vectors, towards: Sequence[Vectors], away: Sequence[Vectors]) -> Vectors:
    """A text's vectors moved to its examples and away from the others (Rocchio 1971), as unit vectors."""
    moved: dict[Using, Vector] = {}
    for using in KIND:
        wanted = [vectors[using]] if using in vectors else []
        wanted += _mean(using, towards)
        if wanted:
            vector: Vector = np.sum(wanted, axis=0, dtype=np.float32)
            for unwanted in _mean(using, away):
                vector = vector - UNLIKE * unwanted
            moved[using] = vector / max(float(np.linalg.norm(vector)), TINY)
    return moved


def _mean(using: Using, examples: Sequence[Vectors]) -> list[Vector]:
    """The mean of the examples, or nothing if there are none."""
    vectors = [each[using] for each in examples if using in each]
    return [np.mean(vectors, axis=0, dtype=np.float32)] if vectors else []


# ---- the lists ----


def _lists(scope: Scope, question: Question, depth: int) -> dict[Kind, list[Listed]]:
    """`looks` and `motion` are two views of the same pictures: together they weigh what `words` can."""
    words = query_words(question.text)
    together = SparseWords(words.indices[:MAX_WORDS], words.values[:MAX_WORDS])
    by_words = [Near("words", together, depth)] if together.indices else []
    alone = [Near("words", SparseWords((index,), (1.0,)), 1) for index in together.indices]
    by_pictures = [Near(using, vector, depth) for using, vector in question.vectors.items()]
    answers = scope.nearest([*by_pictures, *by_words, *alone])
    lists: dict[Kind, list[Listed]] = {
        KIND[using]: [scope.listed(each, 1 / len(question.vectors)) for each in answer]
        for using, answer in zip(question.vectors, answers, strict=False)
    }
    if by_words:
        found, *bests = answers[len(by_pictures) :]
        whole = _whole(scope, bests)
        lists["words"] = [scope.listed(each, each.score / whole) for each in found if each.score > MIN_SHARE * whole]
    return lists


def _whole(scope: Scope, bests: Sequence[Sequence[ScoredPoint]]) -> float:
    """What a moment would score by words that answered the whole question.

    Each word counts with the best score that it reaches alone: its IDF, in the main. Of one that nobody says, that is
    the IDF of a word in no document.
    """
    said = [best[0].score for best in bests if best]
    unsaid = len(bests) - len(said)
    return sum(said) + (unsaid * log(2 * scope.library.size(scope.generation) + 2) if said and unsaid else 0.0)


def _longer(lists: Sequence[Mapping[Kind, Sequence[Listed]]], depth: int) -> bool:
    """Whether there may be more moments to be had than were asked for."""
    return any(len(entries) == depth for of_question in lists for entries in of_question.values())


# ---- the answer ----


def _bests(
    questions: Sequence[Question], lists: Sequence[Mapping[Kind, Sequence[Listed]]], named: Set[str]
) -> list[Best]:
    """The best moment of each group, best first; those that were named are left out.

    A group counts with the sum of what its best moments are to each question: of parts of a sentence and the whole,
    no single one decides.
    """
    groups: dict[str, dict[str, tuple[Fused[Kind], str]]] = {}
    worth: dict[str, float] = {}
    for question, of_question in zip(questions, lists, strict=True):
        seen: set[str] = set()
        for item in fuse(of_question):
            if item.id in named:
                continue
            if item.group not in seen:
                seen.add(item.group)
                worth[item.group] = worth.get(item.group, 0.0) + item.score
            members = groups.setdefault(item.group, {})
            if item.id not in members or item.order < members[item.id][0].order:
                members[item.id] = (item, question.text)
    firsts = {group: min(members.values(), key=lambda each: each[0].order) for group, members in groups.items()}
    ranked = sorted(groups, key=lambda group: (-worth[group], firsts[group][0].order))
    return [Best(*firsts[group], len(groups[group]) - 1) for group in ranked]


def _scores(
    scope: Scope, questions: Sequence[Question], lists: Sequence[Mapping[Kind, Sequence[Listed]]], ids: Set[str]
) -> dict[str, float]:
    """Pictures count as far as they stand out from the library, words for the share of the question they answer."""
    scores = dict.fromkeys(ids, 0.0)
    for question, of_question in zip(questions, lists, strict=True):
        sample = scope.library.sample(scope.generation, scope.scopes, question.vectors)
        bulk = {KIND[using]: cosines for using, cosines in sample.items()}
        for kind, entries in of_question.items():
            for entry in entries:
                if entry.id in ids:
                    says = likelihood(entry.score, bulk[kind]) if kind in bulk else min(entry.strength, 1.0)
                    scores[entry.id] = max(scores[entry.id], says)
    return scores


def _hits(scope: Scope, bests: Sequence[Best], scores: Mapping[str, float]) -> tuple[MomentHit, ...]:
    """The bests as hits. Any that was forgotten since the lists were made is left out."""
    library, ids = scope.library, [best.fused.id for best in bests]
    moments = {each.id: each for each in library.moments(scope.generation, scope.scopes, ids)}
    submissions = library.submissions(scope.scopes, [each.payload["video_id"] for each in moments.values()])
    pairs = [(best, moments[best.fused.id]) for best in bests if best.fused.id in moments]
    return tuple(
        _hit(best, moment, submissions[moment.payload["video_id"]], scores[moment.id])
        for best, moment in pairs
        if moment.payload["video_id"] in submissions
    )


def _hit(best: Best, moment: StoredPoint, submission: Submission, score: float) -> MomentHit:
    kept = ("video_id", "link", "title", "start_s", "end_s", "thumbnail", "duration_s", "words_only")
    return MomentHit(
        moment_id=moment.id,
        score=score,
        why=_why(best, moment.payload["words"]),
        more=best.more,
        submitter=submission.name or submission.user_id,
        submitted_at=submission.at,
        **{key: moment.payload[key] for key in kept},
    )


def _why(best: Best, words: str) -> tuple[HitReason, ...]:
    parts = sorted(best.fused.parts.items(), key=lambda part: -part[1])
    kinds = [kind for kind, part in parts if part >= ALSO_A_REASON * parts[0][1]]
    return tuple(HitReason(kind, snippet(words, best.text) if kind == "words" else "") for kind in kinds)
