"""Queueing of index jobs: at most one per video, queued again from the store's record if its worker died."""

from dataclasses import dataclass

from celery import Celery

from indexer.generation_id import GenerationId
from indexer.store.generations import GenerationStore
from indexer.store.records import IndexStatus, VideoRecord
from indexer.store.reembedding import ReembeddingStore
from indexer.store.videos import VideoStore
from worker.job_leases import JobLeases
from worker.protocol.queues import INDEX_TASK
from worker.queue.app import forget_result, may_have_lost_messages
from worker.queue.signing import send_signed
from worker.settings import Settings


@dataclass(frozen=True)
class IndexQueue:
    """Sends index jobs to the queue `index`."""

    settings: Settings
    app: Celery
    leases: JobLeases
    videos: VideoStore
    generations: GenerationStore
    reembedding: ReembeddingStore

    @staticmethod
    def job_id(video_id: str) -> str:
        """Return the id of a video's index job. It depends on the video only, so all who submit it follow one job."""
        return f"index-{video_id}"

    def enqueue(self, video_id: str) -> str:
        """Send the index job of a video unless it is queued or running. Returns the job's id."""
        job_id = self.job_id(video_id)
        send_unless_queued(self.app, self.leases, video_id, INDEX_TASK, video_id, job_id, "index")
        return job_id

    def enqueue_missing(self, generation: GenerationId) -> None:
        """Send the index jobs of the videos that a generation does not have yet."""
        for video_id in self.reembedding.videos_missing_from(generation):
            self.enqueue(video_id)

    def requeue_lost_jobs(self) -> None:
        """Send the index jobs of all videos that wait for one, and of those that a space's own generation misses."""
        is_message_lost = may_have_lost_messages(self.settings, self.app, "index")
        for record in self.videos.list_waiting():
            self._requeue(record.video_id, is_message_lost)
        if self.settings.adapter_scope == "space":
            for generation in self.generations.list_own():
                for video_id in self.reembedding.videos_missing_from(generation):
                    self._requeue(video_id, is_message_lost)

    def _requeue(self, video_id: str, is_message_lost: bool) -> None:
        if is_message_lost:
            self.leases.release_lost(video_id)
        self.enqueue(video_id)

    def needs_job(self, record: VideoRecord, space: str) -> bool:
        """Return whether the video is not indexed yet, or not embedded by the space's own model."""
        return record.status == IndexStatus.WAITING or space in self.spaces_missing_video(record.video_id)

    def spaces_missing_video(self, video_id: str) -> list[str]:
        """Return the spaces that have the video, and whose own generation misses it."""
        return self.reembedding.spaces_missing_video(video_id) if self.settings.adapter_scope == "space" else []

    def forget_result(self, video_id: str) -> None:
        """Delete the state of a video's last job from the result backend."""
        forget_result(self.app, self.job_id(video_id))


def send_unless_queued(
    app: Celery, leases: JobLeases, lease_id: str, task: str, video_id: str, job_id: str, queue: str
) -> None:
    """Send the job of a video unless the lease says that it is queued or running. The last job's state is deleted."""
    with leases.queue(lease_id) as is_free:
        if is_free:
            forget_result(app, job_id)
            send_signed(app, task, video_id, task_id=job_id, queue=queue)
