"""Queueing of enrich jobs: at most one per video, queued again from the store's record if its worker died."""

from dataclasses import dataclass

from celery import Celery

from indexer.store.videos import VideoStore
from worker.job_leases import JobLeases
from worker.jobs.index_queue import send_unless_queued
from worker.protocol.queues import ENRICH_TASK
from worker.queue.app import forget_result, may_have_lost_messages
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
        """Send the enrich jobs of all videos that wait for one."""
        is_message_lost = may_have_lost_messages(self.settings, self.app, "enrich")
        for record in self.videos.list_due_enrichments():
            if is_message_lost:
                self.leases.release_lost(self.job_id(record.video_id))
            self.enqueue(record.video_id)

    def forget_result(self, video_id: str) -> None:
        """Delete the state of a video's last job from the result backend."""
        forget_result(self.app, self.job_id(video_id))
