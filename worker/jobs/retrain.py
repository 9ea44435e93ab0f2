"""The retrain job: it trains an adapter on a space's data and rolls it out only if it is better than the current model.

A killed job is continued by another worker: training examples and checkpoints are kept in the work folder, and once
an adapter was judged better, the record says so and only the rollout is left.
"""

import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
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
from worker.jobs.progress import CHECK_CANCELLED_EVERY_S, CancelledByAdminError, ProgressReporter, WorkerStoppingError
from worker.jobs.promotion import JudgedAdapter, judge_adapter
from worker.jobs.retrain_queue import RETRAIN_LEASE
from worker.jobs.rollout import delete_unused_generations, record_base_generation, roll_out
from worker.jobs.training_data import gather_examples, has_gathered_examples, load_pairs
from worker.jobs.work_dirs import clear_retrain_work_dirs, retrain_work_dir
from worker.leases import LeasesUnavailableError
from worker.model_blobs import adapter_prefix, report_picture_key
from worker.model_cache import ModelCache, ModelTrainer
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
        try:
            return self._run(task, correlation_id)
        except LeasesUnavailableError as error:
            raise Reject(str(error), requeue=True) from error

    def _run(self, task: Task, correlation_id: str) -> Update:
        with self.leases.hold(RETRAIN_LEASE, uuid.uuid4().hex) as is_held:
            if not is_held:
                raise Ignore("a copy of this job is running")
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
        return update

    def _run_to_outcome(self, retrain: RetrainRecord, report: ProgressReporter, correlation_id: str) -> Update:
        """Return how the retrain ended.

        Raises `WorkerStoppingError`, `StoreUnavailableError`, and during a shutdown any error: then it has not ended.
        """
        try:
            if retrain.cancelled:
                return RetrainFinished(outcome=RetrainOutcome.CANCELLED)
            if retrain.generation:
                return self._roll_out(retrain.generation, report)
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

    def _train_and_judge(self, retrain: RetrainRecord, report: ProgressReporter) -> Update:
        space = self.settings.adapter_scope_of(retrain.space)
        folder = retrain_work_dir(self.settings.data_dir, retrain)
        if not has_gathered_examples(folder):
            report(RetrainStage.GATHER)
            if not gather_examples(self.stores, self.blobs, space, folder):
                return JobFailed(code=ErrorCode.TOO_FEW_PAIRS)
        pairs = load_pairs(folder)
        trained = self._train(space, pairs, folder, report)
        judged = judge_adapter(self.settings, self.models, self.blobs, space, pairs, trained, folder, report)
        if judged.has_too_few_sources:
            return JobFailed(code=ErrorCode.TOO_FEW_PAIRS)
        if judged.outcome is not RetrainOutcome.PROMOTED:
            return RetrainFinished(
                outcome=judged.outcome, picture=report_picture_key(judged.generation), **_summarize_recall(judged)
            )
        self._record_better(judged, trained)
        return self._roll_out(judged.generation, report)

    def _train(
        self, space: str | None, pairs: "list[Pair]", folder: Path, report: ProgressReporter
    ) -> "TrainedAdapter":
        """Train on top of the current adapter. Raises `WorkerStoppingError`, `CancelledByAdminError`, `ModelError`."""
        from model.errors import TrainingCancelledError

        try:
            return self.train(
                self.settings,
                pairs,
                folder / "train",
                self.models.get_adapter(self.stores.generations.get_live(space)),
                lambda step: report(RetrainStage.TRAIN, step.step, step.steps, step.loss, step.seconds_left),
                report.must_stop,
            )
        except TrainingCancelledError as error:
            raise (WorkerStoppingError if self.stopping.is_set() else CancelledByAdminError) from error

    def _record_better(self, judged: JudgedAdapter, trained: "TrainedAdapter") -> None:
        """Store the adapter, and record that only its rollout is left. Raises `CancelledByAdminError`."""
        record_base_generation(self.stores.generations, self.settings.preset)
        prefix = adapter_prefix(judged.generation)
        self.blobs.put_folder(prefix, trained.adapter)
        self.stores.generations.put_record(
            GenerationRecord(
                judged.generation,
                self.settings.preset,
                datetime.now(UTC).isoformat(),
                prefix,
                **_summarize_recall(judged),
            )
        )
        if not self.stores.retrains.record_better(judged.generation):
            raise CancelledByAdminError

    def _roll_out(self, generation: GenerationId, report: ProgressReporter) -> RetrainFinished:
        return roll_out(self.stores, self.blobs, self.models, generation, report)


def _summarize_recall(judged: JudgedAdapter) -> dict[str, Any]:
    """Return recall at 5 on the held-out pairs, of the current model and of the adapter, and how many there are."""
    before, after = judged.test.base.text_to_image, judged.test.adapter.text_to_image
    return {"r5_before": before.r5, "r5": after.r5, "questions": after.queries}
