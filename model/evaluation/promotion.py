"""Whether an adapter may take its base's place."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from model.data.pairs import Pair
from model.errors import TooFewPairs
from model.evaluation.compare import Comparison, Difference, Direction, Encoded, Measure, Progress, compare, encode
from model.evaluation.metrics import Report
from model.ports import Encoder, evenly

LEAST_SOURCES = 6
"""A bootstrap over fewer videos than this says nothing."""
MOST_AMONG = 500
"""Clips of the library that make the search harder: each is encoded by both models."""
MARGIN = 0.05
"""How much of the general set's mean reciprocal rank may be in doubt."""


class Criterion(StrEnum):
    BETTER = "better"
    """On the held-out pairs, by more than the interval."""
    NOT_BETTER = "not_better"
    WORSE_BACK = "worse_back"
    """On the held-out pairs, from picture to text, by more than the interval."""
    KEPT = "kept"
    """The general set is no worse."""
    FORGOT = "forgot"
    """The general set may be worse by more than the margin."""
    TOO_FEW = "too_few"
    """Held-out pairs come from too few videos to tell."""


_AGAINST = frozenset({Criterion.NOT_BETTER, Criterion.WORSE_BACK, Criterion.FORGOT, Criterion.TOO_FEW})


@dataclass(frozen=True)
class Reason:
    finding: Criterion
    direction: Direction
    measure: Measure
    difference: Difference
    sources: int
    """Videos or pictures that it rests on."""


@dataclass(frozen=True)
class Decision:
    reasons: tuple[Reason, ...]
    """Those for it and those against it."""

    @property
    def better(self) -> bool:
        return not any(reason.finding in _AGAINST for reason in self.reasons)


@dataclass(frozen=True)
class PromotionTest:
    """Base and adapter on the same pairs, and what follows."""

    base: Report
    """On the held-out pairs, as are those of `adapter`."""
    adapter: Report
    held_out: Comparison
    general: Comparison
    verdict: Decision


def trial(
    base: Encoder,
    adapter: Encoder,
    held_out: Sequence[Pair],
    general: Sequence[Pair],
    progress: Progress = lambda share: None,
    library: Sequence[Pair] = (),
) -> PromotionTest:
    """Encodes both sets with both models, and judges. `general` is that of `model.evaluation.general_set`. Raises `TooFewPairs`.

    What is held out must be found among the pictures of the `library`, too, as people must find it: alone, the few
    clips that are held out are told apart by any model.
    """
    if not held_out:
        raise TooFewPairs("no pairs are held out to judge by: more videos are needed")
    among = list(dict.fromkeys(pair.pictures for pair in library))
    sets = [(held_out, evenly(among, min(len(among), MOST_AMONG))), (general, [])]
    found: list[Encoded] = []
    for number, (encoder, (pairs, others)) in enumerate((e, p) for e in (base, adapter) for p in sets):
        tell = lambda share, done=number: progress((done + share) / 4)  # noqa: E731
        found.append(encode(pairs, encoder, tell, others))
    before, before_general, after, after_general = found
    compared, compared_general = compare(before, after), compare(before_general, after_general)
    verdict = judge(compared, compared_general)
    return PromotionTest(before.report(), after.report(), compared, compared_general, verdict)


def judge(held_out: Comparison, general: Comparison) -> Decision:
    """Better on the held-out pairs by more than the interval, and no worse on the general set.

    One figure decides, chosen beforehand, so that nothing is won by looking at many: the mean reciprocal rank from text
    to picture, which is what people ask for, and which takes every question's rank into account. The other direction
    may not become worse by more than its interval. "No worse" is a test of non-inferiority: the interval of the
    difference must lie above a small margin below zero, so a set too small to tell speaks against the adapter.
    """
    return Decision((_gain(held_out), *_loss(held_out), _kept(general)))


def _gain(held_out: Comparison) -> Reason:
    difference = held_out.text_to_image["mrr"]
    if held_out.sources < LEAST_SOURCES:
        finding = Criterion.TOO_FEW
    else:
        finding = Criterion.BETTER if difference.interval[0] > 0 else Criterion.NOT_BETTER
    return Reason(finding, "text_to_image", "mrr", difference, held_out.sources)


def _loss(held_out: Comparison) -> tuple[Reason, ...]:
    difference = held_out.image_to_text["mrr"]
    if difference.interval[1] >= 0:
        return ()
    return (Reason(Criterion.WORSE_BACK, "image_to_text", "mrr", difference, held_out.sources),)


def _kept(general: Comparison) -> Reason:
    difference = general.text_to_image["mrr"]
    finding = Criterion.KEPT if difference.interval[0] >= -MARGIN else Criterion.FORGOT
    return Reason(finding, "text_to_image", "mrr", difference, general.sources)
