"""Queueing of the retrain job. At most one retrain runs in an installation at a time."""

from dataclasses import dataclass
from typing import Final

from celery import Celery

from indexer.generation_id import space_slug
from indexer.store.generations import RetrainStore
from indexer.store.records import RetrainRecord
from worker.job_leases import JobLeases
from worker.protocol.queues import CATCH_UP_TASK, RETRAIN_TASK
from worker.queue.app import forget_result, may_have_lost_messages
from worker.queue.signing import send_signed
from worker.settings import Settings

RETRAIN_LEASE: Final = "retrain"


def find_searcher(settings: Settings, retrain: RetrainRecord) -> str | None:
    """Return the space whose model a retrain or a switch changes; None: that of the installation."""
    return None if retrain.for_installation else settings.adapter_scope_of(retrain.space)


@dataclass(frozen=True)
class RetrainQueue:
    """Sends retrain jobs to the queue `train`."""

    settings: Settings
    app: Celery
    leases: JobLeases
    retrains: RetrainStore

    @staticmethod
    def job_id(space: str | None) -> str:
        """Return the id of the retrain job of a space's own model, or of the installation's.

        It contains the space, so that a space cannot follow the retrain of another one.
        """
        return f"retrain-{space_slug(space)}" if space else "retrain"

    def enqueue(self) -> None:
        """Send the job of the recorded retrain, if there is one, unless it is queued or running."""
        retrain = self.retrains.get_current()
        if retrain is None:
            return
        with self.leases.queue(RETRAIN_LEASE) as is_free:
            if is_free:
                job_id = self.job_id(find_searcher(self.settings, retrain))
                forget_result(self.app, job_id)
                send_signed(self.app, RETRAIN_TASK, task_id=job_id, queue="train")

    def enqueue_catch_up(self) -> None:
        """Send the job that re-embeds the videos that the current generation of the installation misses."""
        send_signed(self.app, CATCH_UP_TASK, queue="train")

    def requeue_lost_jobs(self) -> None:
        """Send the job of the recorded retrain again if its worker died, or gave up because the store was away."""
        if may_have_lost_messages(self.settings, self.app, "train"):
            self.leases.release_lost(RETRAIN_LEASE)
        self.enqueue()

    def has_result(self, job_id: str) -> bool:
        """Return whether the result backend still has the outcome of a job."""
        return bool(self.app.AsyncResult(job_id).ready())
