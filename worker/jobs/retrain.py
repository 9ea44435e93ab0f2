"""The retrain job: it trains an adapter on a space's data and rolls it out only if it is better than the current model.

Without the training, the same job switches the library to another preset, or to an adapter that was trained elsewhere.
A killed job is continued by another worker: training examples and checkpoints are kept in the work
folder, and once a generation is decided on, the record says so and only the rollout is left.
"""

import threading
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from celery import Task
from celery.exceptions import Ignore, Reject

from indexer.blobs import BlobStore
from indexer.errors import StoreUnavailableError
from indexer.generation_id import GenerationId
from indexer.store.records import GenerationRecord, RetrainRecord
from indexer.store.stores import Stores
from worker.job_leases import JobLeases
from worker.jobs.progress import (
    CHECK_CANCELLED_EVERY_S,
    CancelledByAdminError,
    ProgressReporter,
    WorkerStoppingError,
    hold_or_ignore,
)
from worker.jobs.promotion import JudgedAdapter, judge_adapter
from worker.jobs.retrain_queue import RETRAIN_LEASE, find_searcher
from worker.jobs.rollout import delete_unused_generations, embed_missing, record_base_generation, roll_out
from worker.jobs.training_data import gather_examples, has_gathered_examples, load_pairs
from worker.jobs.work_dirs import clear_retrain_work_dirs, retrain_work_dir
from worker.models.adapter_offers import get_offer
from worker.models.blobs import adapter_prefix, report_picture_key
from worker.models.cache import ModelCache
from worker.models.loading import ModelChoice, ModelTrainer
from worker.ops.metrics import Metrics
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.updates import JobFailed, RetrainFinished, RetrainOutcome, RetrainStage, Update
from worker.settings import Settings

if TYPE_CHECKING:
    from model.data.pairs import Pair
    from model.outcome import TrainedAdapter

log = structlog.get_logger()


@dataclass(frozen=True)
class RetrainJob:
    """Runs the recorded retrain. `train` trains an adapter."""

    settings: Settings
    stores: Stores
    blobs: BlobStore
    models: ModelCache
    train: ModelTrainer
    metrics: Metrics
    leases: JobLeases
    stopping: threading.Event
    check_cancelled_every_s: float = CHECK_CANCELLED_EVERY_S

    def __call__(self, task: Task, correlation_id: str) -> Update:
        """Work on the recorded retrain, unless another worker does, and return how it ended.

        Raises Celery's `Ignore` if there is nothing to report, and `Reject` to put the message back if the worker is
        shutting down or Redis cannot be reached.
        """
        with hold_or_ignore(self.leases, RETRAIN_LEASE, uuid.uuid4().hex):
            retrain = self.stores.retrains.get_current()
            clear_retrain_work_dirs(self.settings.data_dir, keep=retrain)
            if retrain is None:
                raise Ignore("the retrain has ended; this job is a copy")
            try:
                update = self._finish(task, retrain, correlation_id)
            except Exception as error:
                if self.stopping.is_set():
                    self.leases.requeue(RETRAIN_LEASE)
                    log.info("retrain.requeued")
                    raise Reject("shutting down", requeue=True) from None
                if not isinstance(error, StoreUnavailableError):
                    raise
                # The retrain stays on record, and is queued again once the store is back.
                log.warning("retrain.store_unavailable", error=error)
                self.leases.release_job(RETRAIN_LEASE)
                raise Ignore("the store is unavailable") from error
            clear_retrain_work_dirs(self.settings.data_dir)
            self.leases.release_job(RETRAIN_LEASE)
            return update

    def _finish(self, task: Task, retrain: RetrainRecord, correlation_id: str) -> Update:
        """Bring the retrain to its end, publish the outcome, and delete the record."""
        with self.metrics.time_stages("job.retrain") as begin_stage:
            report = ProgressReporter(
                task, self.stores.retrains, self.stopping, begin_stage, self.check_cancelled_every_s
            )
            update = self._run_to_outcome(retrain, report, correlation_id)
        delete_unused_generations(self.stores.generations, self.blobs)
        # The outcome is published before the record is deleted. If the worker died in between in the other order,
        # those who follow the job would never get it.
        report.publish_outcome(update)
        self.stores.retrains.finish()
        if retrain.offer:
            self.blobs.delete_prefix(retrain.offer)
        return update

    def _run_to_outcome(self, retrain: RetrainRecord, report: ProgressReporter, correlation_id: str) -> Update:
        """Return how the retrain ended.

        Raises `WorkerStoppingError`, `StoreUnavailableError`, and during a shutdown any error: then it has not ended.
        """
        try:
            if retrain.cancelled:
                return RetrainFinished(outcome=RetrainOutcome.CANCELLED)
            if retrain.generation:
                return self._roll_out(retrain, retrain.generation, report)
            if retrain.offer:
                return self._judge_offer(retrain, retrain.offer, report)
            if retrain.preset:
                return self._switch(retrain, retrain.preset, report)
            return self._train_and_judge(retrain, report)
        except CancelledByAdminError:
            return RetrainFinished(outcome=RetrainOutcome.CANCELLED)
        except (WorkerStoppingError, StoreUnavailableError):
            raise
        except Exception as error:
            if self.stopping.is_set():
                raise
            log.warning("retrain.failed", code=error_code_of(error), exc_info=error)
            return JobFailed(code=error_code_of(error), correlation_id=correlation_id)

    def _switch(self, retrain: RetrainRecord, preset: str, report: ProgressReporter) -> Update:
        """Switch to a preset without an adapter. A space then shares the moments of an installation that has it.

        If it is searched already, its moments get what earlier versions did not store.
        """
        report(RetrainStage.LOAD)
        generations, searcher = self.stores.generations, find_searcher(self.settings, retrain)
        encoder = self.models.load(ModelChoice(preset), on_fetch=report.begin_fetch())
        common = generations.get_live()
        target = GenerationId(encoder.generation, searcher)
        if common and common.name == target.name:
            target = common
        if target == generations.get_live(searcher):
            embed_missing(self.stores, self.blobs, encoder, report)
            return RetrainFinished(outcome=RetrainOutcome.ALREADY, generation=str(target))
        del encoder  # the rollout loads it again, as it does after a kill
        record_base_generation(generations)
        generations.record_base(target, preset, datetime.now(UTC))
        self._record_decision(target)
        return self._roll_out(retrain, target, report)

    def _judge_offer(self, retrain: RetrainRecord, prefix: str, report: ProgressReporter) -> Update:
        """Judge an adapter that was trained elsewhere on its own held-out pairs, and take it into use if it is better.

        A record that `is_forced` takes it into use anyway, and the outcome says what that overrides.
        """
        report(RetrainStage.GATHER)
        folder, searcher = retrain_work_dir(self.settings.data_dir, retrain), find_searcher(self.settings, retrain)
        offer = get_offer(self.blobs, prefix, folder / "offer")
        report(RetrainStage.LOAD)
        judge = partial(judge_adapter, self.settings, self.models, self.blobs, searcher)
        judged = judge(offer.choice, offer.pairs, offer.trained, folder, report) if offer.pairs else None
        outcome = judged.outcome if judged else RetrainOutcome.TOO_FEW
        is_overridden = outcome is not RetrainOutcome.PROMOTED
        if is_overridden and not retrain.is_forced:
            return _report_refusal(judged, outcome)
        generation = judged.generation if judged else self._load_generation(offer.choice, searcher, report)
        self._record_adapter(generation, offer.preset, offer.trained, judged)
        finished = self._roll_out(retrain, generation, report)
        return finished.model_copy(update={"overridden": outcome if is_overridden else None})

    def _load_generation(self, choice: ModelChoice, searcher: str | None, report: ProgressReporter) -> GenerationId:
        return GenerationId.parse(self.models.load(choice, searcher, report.begin_fetch()).generation)

    def _train_and_judge(self, retrain: RetrainRecord, report: ProgressReporter) -> Update:
        space = self.settings.adapter_scope_of(retrain.space)
        folder = retrain_work_dir(self.settings.data_dir, retrain)
        if not has_gathered_examples(folder):
            report(RetrainStage.GATHER)
            encoder, progress = self.models.get_current(space), partial(report, RetrainStage.GATHER)
            if not gather_examples(self.stores, self.blobs, encoder, space, folder, progress):
                return JobFailed(code=ErrorCode.TOO_FEW_PAIRS)
        pairs, base = load_pairs(folder), self.models.choose_for_training(space)
        trained = self._train(base, pairs, folder, report)
        choice = replace(base, adapter=trained.adapter)
        judged = judge_adapter(self.settings, self.models, self.blobs, space, choice, pairs, trained, folder, report)
        if judged.outcome is RetrainOutcome.TOO_FEW:
            return JobFailed(code=ErrorCode.TOO_FEW_PAIRS)
        if judged.outcome is RetrainOutcome.PROMOTED:
            self._record_adapter(judged.generation, base.preset, trained, judged)
            finished = self._roll_out(retrain, judged.generation, report)
        else:
            finished = _report_refusal(judged, judged.outcome)
        steps = (each.diverged_at for each in trained.outcomes.values() if each.diverged_at is not None)
        return finished.model_copy(update={"diverged_at": next(steps, None)})

    def _train(
        self, base: ModelChoice, pairs: "list[Pair]", folder: Path, report: ProgressReporter
    ) -> "TrainedAdapter":
        """Train on top of the current model. Raises `WorkerStoppingError`, `CancelledByAdminError`, `ModelError`."""
        from model.errors import TrainingCancelledError

        try:
            return self.train(
                self.settings,
                base,
                pairs,
                folder / "train",
                lambda step: report(RetrainStage.TRAIN, step.step, step.steps, step.loss, step.seconds_left),
                report.must_stop,
            )
        except TrainingCancelledError as error:
            raise (WorkerStoppingError if self.stopping.is_set() else CancelledByAdminError) from error

    def _record_adapter(
        self, generation: GenerationId, preset: str, trained: "TrainedAdapter", judged: JudgedAdapter | None
    ) -> None:
        """Store the adapter, and record that only its rollout is left. Raises `CancelledByAdminError`."""
        record_base_generation(self.stores.generations)
        prefix = adapter_prefix(generation)
        self.blobs.put_folder(prefix, trained.adapter)
        at = datetime.now(UTC).isoformat()
        self.stores.generations.put_record(
            GenerationRecord(generation, preset, at, prefix, **_summarize_recall(judged))
        )
        self._record_decision(generation)

    def _record_decision(self, generation: GenerationId) -> None:
        """Record that only the rollout of a generation is left. Raises `CancelledByAdminError`."""
        if not self.stores.retrains.record_decision(generation):
            raise CancelledByAdminError

    def _roll_out(self, retrain: RetrainRecord, generation: GenerationId, report: ProgressReporter) -> RetrainFinished:
        searcher = find_searcher(self.settings, retrain)
        without_frames = roll_out(self.stores, self.blobs, self.models, generation, searcher, report)
        record = self.stores.generations.describe(generation)
        is_retrain = retrain.preset is None and retrain.offer is None
        return RetrainFinished(
            outcome=RetrainOutcome.PROMOTED if is_retrain else RetrainOutcome.SWITCHED,
            r5_before=record.r5_before,
            r5=record.r5,
            questions=record.questions,
            picture=report_picture_key(generation) if record.r5 is not None else None,
            generation=str(generation),
            moments_without_frames=without_frames,
            spaces_with_own_model=0 if searcher else len(self.stores.generations.list_own()),
        )


def _report_refusal(judged: JudgedAdapter | None, outcome: RetrainOutcome) -> RetrainFinished:
    picture = report_picture_key(judged.generation) if judged else None
    return RetrainFinished(outcome=outcome, picture=picture, **_summarize_recall(judged))


def _summarize_recall(judged: JudgedAdapter | None) -> dict[str, Any]:
    """Return recall at 5 on the held-out pairs, of the current model and of the adapter, and how many there are."""
    if judged is None:
        return {}
    before, after = judged.test.base.text_to_image, judged.test.adapter.text_to_image
    return {"r5_before": before.r5, "r5": after.r5, "questions": after.queries}
