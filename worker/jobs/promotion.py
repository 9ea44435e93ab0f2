"""Judging a trained adapter against the model that is searched now."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.blobs import BlobStore
from indexer.generation_id import GenerationId
from worker.jobs.progress import ProgressReporter
from worker.model_blobs import report_prefix
from worker.model_cache import ModelCache
from worker.protocol.updates import RetrainOutcome, RetrainStage
from worker.settings import Settings

if TYPE_CHECKING:
    from model.data.pairs import Pair
    from model.evaluation.promotion import Criterion, PromotionTest
    from model.outcome import TrainedAdapter


@dataclass(frozen=True)
class JudgedAdapter:
    """A trained adapter and the outcome of its promotion test."""

    generation: GenerationId
    test: "PromotionTest"

    @property
    def has_too_few_sources(self) -> bool:
        """Whether the held-out pairs come from too few videos to judge the adapter."""
        from model.evaluation.promotion import Criterion

        return Criterion.TOO_FEW in self._criteria

    @property
    def outcome(self) -> RetrainOutcome:
        """What becomes of the adapter. `FORGETS`: the general set became worse."""
        from model.evaluation.promotion import Criterion

        if self.test.decision.is_better:
            return RetrainOutcome.PROMOTED
        return RetrainOutcome.FORGETS if Criterion.FORGOT in self._criteria else RetrainOutcome.NOT_BETTER

    @property
    def _criteria(self) -> "set[Criterion]":
        return {reason.criterion for reason in self.test.decision.reasons}


def judge_adapter(
    settings: Settings,
    models: ModelCache,
    blobs: BlobStore,
    space: str | None,
    pairs: "Sequence[Pair]",
    trained: "TrainedAdapter",
    folder: Path,
    report: ProgressReporter,
) -> JudgedAdapter:
    """Compare the adapter with the current model on the held-out pairs and on the general set.

    The report on it is stored in the blob store. Raises `TooFewPairsError` if no pairs are held out.
    """
    from model.evaluation.general_set import build_general_set
    from model.evaluation.promotion import run_promotion_test
    from model.evaluation.report import write_report

    adapter = models.load(trained.adapter, space)
    test = run_promotion_test(
        models.get_current(space),
        adapter,
        [pair for pair in pairs if pair.split == "test"],
        build_general_set(settings.preset, folder / "general", settings.parts_dir),
        lambda share: report(RetrainStage.EVALUATE, round(100 * share), 100),
        [pair for pair in pairs if pair.split != "test"],
    )
    generation = GenerationId.parse(adapter.generation)
    facts = {"preset": settings.preset, "generation": str(generation)}
    write_report(test, trained.outcomes, facts, folder / "report")
    blobs.put_folder(report_prefix(generation), folder / "report")
    return JudgedAdapter(generation, test)
