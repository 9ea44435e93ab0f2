"""Judging a trained adapter against the model that is searched now."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.blobs import BlobStore
from indexer.generation_id import GenerationId
from worker.jobs.progress import ProgressReporter
from worker.models.blobs import report_prefix
from worker.models.cache import ModelCache
from worker.models.loading import ModelChoice
from worker.protocol.updates import RetrainOutcome, RetrainStage
from worker.settings import Settings

if TYPE_CHECKING:
    from model.data.pairs import Pair
    from model.evaluation.promotion import PromotionTest
    from model.outcome import TrainedAdapter


@dataclass(frozen=True)
class JudgedAdapter:
    """A trained adapter and the outcome of its promotion test."""

    generation: GenerationId
    test: "PromotionTest"

    @property
    def outcome(self) -> RetrainOutcome:
        """What becomes of the adapter. `FORGETS`: the general set became worse."""
        from model.evaluation.promotion import Criterion

        criteria = {reason.criterion for reason in self.test.decision.reasons}
        if self.test.decision.is_better:
            return RetrainOutcome.PROMOTED
        if Criterion.TOO_FEW in criteria:
            return RetrainOutcome.TOO_FEW
        return RetrainOutcome.FORGETS if Criterion.FORGOT in criteria else RetrainOutcome.NOT_BETTER


def judge_adapter(
    settings: Settings,
    models: ModelCache,
    blobs: BlobStore,
    space: str | None,
    choice: ModelChoice,
    pairs: "Sequence[Pair]",
    trained: "TrainedAdapter",
    folder: Path,
    report: ProgressReporter,
) -> JudgedAdapter:
    """Compare the adapter of `choice` with the current model on the held-out pairs and on the general set.

    The report on it is stored in the blob store. Raises `TooFewPairsError` if no pairs are held out.
    """
    from model.evaluation.general_set import build_general_set
    from model.evaluation.promotion import run_promotion_test
    from model.evaluation.report import write_report
    from model.preset_files import find_preset

    adapter = models.load(choice, space, report.begin_fetch())
    preset = find_preset(choice.preset, settings.presets_folder)
    test = run_promotion_test(
        models.get_current(space),
        adapter,
        [pair for pair in pairs if pair.split == "test"],
        build_general_set(preset, folder / "general", settings.parts_dir),
        lambda share: report(RetrainStage.EVALUATE, round(100 * share), 100),
        [pair for pair in pairs if pair.split != "test"],
    )
    generation = GenerationId.parse(adapter.generation)
    facts = {"preset": preset.name, "generation": str(generation)}
    write_report(test, trained.outcomes, facts, folder / "report")
    blobs.put_folder(report_prefix(generation), folder / "report")
    return JudgedAdapter(generation, test)
