"""Queueing of enrich jobs: at most one per video, queued again from the store's record if its worker died."""

from dataclasses import dataclass

from celery import Celery

from indexer.store.videos import VideoStore
from worker.job_leases import JobLeases
from worker.jobs.index_queue import send_unless_queued
from worker.protocol.queues import ENRICH_TASK
from worker.queue.app import count_waiting, forget_result
from worker.settings import Settings


@dataclass(frozen=True)
class EnrichQueue:
    """Sends enrich jobs to the queue `enrich`."""

    settings: Settings
    app: Celery
    leases: JobLeases
    videos: VideoStore

    @staticmethod
    def job_id(video_id: str) -> str:
        """Return the id of a video's enrich job, which is also the name of its leases."""
        return f"enrich-{video_id}"

    def enqueue(self, video_id: str) -> str:
        """Send the enrich job of a video unless it is queued or running. Returns the job's id."""
        job_id = self.job_id(video_id)
        send_unless_queued(self.app, self.leases, job_id, ENRICH_TASK, video_id, job_id, "enrich")
        return job_id

    def requeue_lost_jobs(self) -> None:
        """Send the enrich jobs of all videos that wait for one.

        If the queue is empty, the message of a job that counts as queued was lost with its worker, or a worker has
        just taken it; then the copy does nothing. In the embedded form, a message is lost only with its process.
        """
        is_message_lost = self.settings.redis_url is not None and not count_waiting(self.app, "enrich")
        for record in self.videos.list_due_enrichments():
            if is_message_lost:
                self.leases.release_lost(self.job_id(record.video_id))
            self.enqueue(record.video_id)

    def forget_result(self, video_id: str) -> None:
        """Delete the state of a video's last job from the result backend."""
        forget_result(self.app, self.job_id(video_id))
