"""The promotion test: decides whether an adapter may replace its base model."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from model.data.pairs import Pair
from model.errors import TooFewPairsError
from model.evaluation.compare import (
    Comparison,
    Difference,
    Direction,
    EncodedPairs,
    Measure,
    ReportShare,
    compare_encodings,
    encode_pairs,
)
from model.evaluation.metrics import EvaluationReport
from model.ports import Encoder, sample_evenly

MIN_SOURCES = 6
"""A bootstrap over fewer videos than this is meaningless."""
MAX_DISTRACTORS = 500
"""Clips of the library that make the search harder. Both models encode each of them."""
MARGIN = 0.05
"""Non-inferiority margin for the mean reciprocal rank on the general set."""


class Criterion(StrEnum):
    """An outcome of one part of the test."""

    BETTER = "better"
    """The adapter is significantly better on the held-out pairs."""
    NOT_BETTER = "not_better"
    WORSE_IMAGE_TO_TEXT = "worse_back"
    """The adapter is significantly worse on the held-out pairs from picture to text."""
    KEPT = "kept"
    """The adapter is not worse on the general set."""
    FORGOT = "forgot"
    """The adapter may be worse on the general set by more than the margin."""
    TOO_FEW = "too_few"
    """The held-out pairs come from too few videos for a decision."""


_AGAINST_PROMOTION = frozenset(
    {Criterion.NOT_BETTER, Criterion.WORSE_IMAGE_TO_TEXT, Criterion.FORGOT, Criterion.TOO_FEW}
)


@dataclass(frozen=True)
class PromotionReason:
    """A criterion and the figures that it follows from."""

    criterion: Criterion
    direction: Direction
    measure: Measure
    difference: Difference
    sources: int
    """Number of videos or pictures behind the difference."""


@dataclass(frozen=True)
class PromotionDecision:
    """The decision with all reasons for and against it."""

    reasons: tuple[PromotionReason, ...]

    @property
    def is_better(self) -> bool:
        return not any(reason.criterion in _AGAINST_PROMOTION for reason in self.reasons)


@dataclass(frozen=True)
class PromotionTest:
    """Results of base and adapter on the same pairs, and the decision."""

    base: EvaluationReport
    """On the held-out pairs, like `adapter`."""
    adapter: EvaluationReport
    held_out: Comparison
    general: Comparison
    decision: PromotionDecision


def run_promotion_test(
    base: Encoder,
    adapter: Encoder,
    held_out: Sequence[Pair],
    general: Sequence[Pair],
    on_progress: ReportShare = lambda share: None,
    library: Sequence[Pair] = (),
) -> PromotionTest:
    """Encode the held-out pairs and the general set with both models, and decide.

    The general set is that of `model.evaluation.general_set`. Pictures of the `library` are distractors for
    the held-out pairs, because users also search the whole library; any model can tell a few held-out clips
    apart. Raises `TooFewPairsError` without held-out pairs.
    """
    if not held_out:
        raise TooFewPairsError("no pairs are held out for the evaluation: more videos are needed")
    clips = list(dict.fromkeys(pair.pictures for pair in library))
    distractors = sample_evenly(clips, min(len(clips), MAX_DISTRACTORS))
    encodings: list[EncodedPairs] = []
    for encoder in (base, adapter):
        for pairs, others in ((held_out, distractors), (general, [])):
            encodings.append(encode_pairs(pairs, encoder, _report_quarter(on_progress, len(encodings)), others))
    before, before_general, after, after_general = encodings
    compared, compared_general = compare_encodings(before, after), compare_encodings(before_general, after_general)
    decision = decide_promotion(compared, compared_general)
    return PromotionTest(before.report(), after.report(), compared, compared_general, decision)


def _report_quarter(on_progress: ReportShare, number: int) -> ReportShare:
    """Scale the progress of one of the four encodings to the whole test."""

    def report(share: float) -> None:
        on_progress((number + share) / 4)

    return report


def decide_promotion(held_out: Comparison, general: Comparison) -> PromotionDecision:
    """Promote an adapter that is significantly better on the held-out pairs and not worse on the general set.

    One measure decides, chosen in advance, so that looking at many gives no advantage: the mean reciprocal
    rank from text to picture. It reflects how people search, and it uses the rank of every query. The other
    direction must not be significantly worse. "Not worse" on the general set is a non-inferiority test: the
    interval of the difference must lie above minus MARGIN. A set that is too small for a decision therefore
    counts against the adapter.
    """
    return PromotionDecision((_judge_gain(held_out), *_judge_image_to_text(held_out), _judge_retention(general)))


def _judge_gain(held_out: Comparison) -> PromotionReason:
    difference = held_out.text_to_image["mrr"]
    if held_out.sources < MIN_SOURCES:
        criterion = Criterion.TOO_FEW
    else:
        criterion = Criterion.BETTER if difference.interval[0] > 0 else Criterion.NOT_BETTER
    return PromotionReason(criterion, "text_to_image", "mrr", difference, held_out.sources)


def _judge_image_to_text(held_out: Comparison) -> tuple[PromotionReason, ...]:
    difference = held_out.image_to_text["mrr"]
    if difference.interval[1] >= 0:
        return ()
    return (PromotionReason(Criterion.WORSE_IMAGE_TO_TEXT, "image_to_text", "mrr", difference, held_out.sources),)


def _judge_retention(general: Comparison) -> PromotionReason:
    difference = general.text_to_image["mrr"]
    criterion = Criterion.KEPT if difference.interval[0] >= -MARGIN else Criterion.FORGOT
    return PromotionReason(criterion, "text_to_image", "mrr", difference, general.sources)
