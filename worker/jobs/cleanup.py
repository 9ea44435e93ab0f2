"""Deletion of data: of removed videos, of spaces that the bot was removed from, and of data past its retention time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from indexer.blobs import BlobStore, video_prefix
from indexer.store.records import NewSubmission, RemovedVideos
from indexer.store.removals import RemovalStore
from indexer.store.retention import delete_old_frames, delete_old_votes
from indexer.store.stores import Stores
from indexer.store.submissions import SubmissionStore, make_submission
from indexer.vectors.vector_store import VectorStore
from worker.job_leases import JobLeases
from worker.jobs.enrich_queue import EnrichQueue
from worker.jobs.index_queue import IndexQueue
from worker.jobs.rollout import delete_space_models
from worker.models.cache import ModelCache
from worker.settings import Settings
from worker.user_data import UserDataKeys

RETENTION_EVERY_S = 3600.0

log = structlog.get_logger()


@dataclass(frozen=True)
class VideoRemoval:
    """Deletes the data of videos that a space has removed.

    The record of a video is changed last. If a worker is killed before that, `resume_removals` finishes its work.
    """

    submissions: SubmissionStore
    removals: RemovalStore
    blobs: BlobStore
    user_data: UserDataKeys
    index_queue: IndexQueue
    enrich_queue: EnrichQueue

    def undo_late_submission(self, new: NewSubmission) -> bool:
        """Remove a submission that was just written if it was removed meanwhile. Returns whether it was."""
        if not self.submissions.is_removed(make_submission(new)):
            return False
        self.repeat_removals()
        self._delete_if_unreferenced(new.video_id)
        return True

    def repeat_removals(self) -> None:
        """Remove submissions that were requested before their removal and written after it."""
        for request, removed in self.removals.repeat_requests():
            if removed.video_ids:
                log.info("removal.repeated", space=request.space, videos=len(removed.video_ids))
            self.delete_related_data(request.space, removed, datetime.fromisoformat(request.at).timestamp())

    def delete_related_data(self, space: str, removed: RemovedVideos, at: float) -> None:
        """Delete what is stored of videos that were removed from `space` by a request made `at` (Unix time)."""
        self.user_data.record_removal(space, removed.video_ids, at)
        self.user_data.delete_with_links(space, removed.links)
        for video_id in removed.video_ids:
            self._delete_if_unreferenced(video_id)

    def resume_removals(self) -> None:
        """Finish removals whose worker was killed, and repeat those of submissions that were written late."""
        self.repeat_removals()
        for record in self.removals.list_pending_removals():
            self.removals.unpublish(record.video_id)
            # The space is not known any more, so the links are deleted from the results of all spaces.
            self.user_data.delete_with_links(None, [record.link])
            self._delete_if_unreferenced(record.video_id)

    def _delete_if_unreferenced(self, video_id: str) -> None:
        if self.removals.finish_removal(video_id):
            self.blobs.delete_prefix(video_prefix(video_id))
            self.index_queue.forget_result(video_id)
            self.enrich_queue.forget_result(video_id)


@dataclass(frozen=True)
class SpaceRemoval:
    """Deletes all data of the spaces that the bot was removed from."""

    settings: Settings
    stores: Stores
    blobs: BlobStore
    models: ModelCache
    user_data: UserDataKeys
    videos: VideoRemoval

    def purge_departed_spaces(self, now: datetime | None = None) -> None:
        """Delete everything of the spaces whose grace time (`leave_grace_days`) is over."""
        now = now or datetime.now(UTC)
        for space in self.stores.spaces.list_removed_before(now - timedelta(days=self.settings.leave_grace_days)):
            self.videos.delete_related_data(space, self.stores.removals.remove_space(space), now.timestamp())
            delete_space_models(self.stores, self.blobs, self.models, space)
            self.user_data.delete(space)
            self.stores.spaces.delete(space)
            log.info("space.purged", space=space)


def apply_retention(
    settings: Settings, vectors: VectorStore, blobs: BlobStore, leases: JobLeases, now: datetime | None = None
) -> None:
    """Delete votes and frames that are older than the settings allow; one worker does so once an hour."""
    now = now or datetime.now(UTC)
    if not leases.acquire_turn("retention", RETENTION_EVERY_S):
        return
    if settings.keep_queries_days is not None:
        votes = delete_old_votes(vectors, now - timedelta(days=settings.keep_queries_days))
        log.info("retention.votes_deleted", votes=votes)
    if settings.keep_frames_days is not None:
        videos = delete_old_frames(vectors, blobs, now - timedelta(days=settings.keep_frames_days))
        log.info("retention.frames_deleted", videos=videos)
