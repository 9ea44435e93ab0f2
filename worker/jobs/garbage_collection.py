"""Garbage collection of what killed jobs left behind.

A video can be removed while its index job runs; the job then deletes what it stored. If its worker is killed before
that, no job is queued again, because no video waits for one, and only this collection finds the remains.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from indexer.blobs import BlobStore, video_prefix
from indexer.store.publishing import MomentPublisher
from indexer.store.records import IndexStatus
from indexer.store.removals import RemovalStore
from indexer.store.submissions import SubmissionStore
from indexer.store.videos import VideoStore
from worker.job_leases import JobLeases
from worker.jobs.enrich_queue import EnrichQueue
from worker.jobs.work_dirs import ENRICH_PREFIX, enrich_work_dir, video_work_dir, work_root

STORES_EVERY_S = 3600.0
"""How often one worker of all looks through the stores, which can be large."""

_VIDEO_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

log = structlog.get_logger()


@dataclass(frozen=True)
class GarbageCollector:
    """Deletes work folders without a job, and stored data without a video. A video whose job runs is left alone."""

    data_dir: Path
    videos: VideoStore
    submissions: SubmissionStore
    publisher: MomentPublisher
    removals: RemovalStore
    blobs: BlobStore
    leases: JobLeases

    def collect(self) -> None:
        """Clean the work folders of this machine, and the shared stores if that is due."""
        self._collect_work_dirs()
        if self.leases.acquire_turn("garbage_collection", STORES_EVERY_S):
            self._collect_stored()

    def _collect_work_dirs(self) -> None:
        """Delete work folders, except those of videos that wait: their next job empties them."""
        for video_id in _find_video_ids(path.name for path in work_root(self.data_dir).glob("*")):
            if self._is_waiting(video_id):
                continue
            with self._keep_jobs_away(video_id) as has_no_job:
                if has_no_job and not self._is_waiting(video_id):
                    shutil.rmtree(video_work_dir(self.data_dir, video_id), ignore_errors=True)
                    log.info("garbage.work_dir_deleted", video_id=video_id)

        enriched = (
            path.name.removeprefix(ENRICH_PREFIX) for path in work_root(self.data_dir).glob(f"{ENRICH_PREFIX}*")
        )
        for video_id in _find_video_ids(enriched):
            with self._keep_jobs_away(EnrichQueue.job_id(video_id)) as has_no_job:
                if has_no_job:
                    shutil.rmtree(enrich_work_dir(self.data_dir, video_id), ignore_errors=True)

    def _collect_stored(self) -> None:
        """Delete the moments, blobs and unacknowledged submissions of videos that have no record."""
        with_blobs = _find_video_ids(self.blobs.list_names("videos/"))
        with_moments, submitted = self.publisher.find_unpublished_videos(), self.submissions.list_video_ids()
        for video_id in self.videos.find_unknown({*with_blobs, *with_moments, *submitted}):
            with self._keep_jobs_away(video_id) as has_no_job:
                if has_no_job and self.removals.delete_orphan(video_id):
                    self.blobs.delete_prefix(video_prefix(video_id))
                    log.info("garbage.video_deleted", video_id=video_id)

    @contextmanager
    def _keep_jobs_away(self, lease_id: str) -> Iterator[bool]:
        """Keep the job with this lease from starting during the block. Yields False if it is running."""
        with self.leases.hold(lease_id, "garbage_collection") as is_held:
            yield is_held
        if is_held:
            # Without this, a submission would get its job only after the lease has expired.
            self.leases.release_job(lease_id)

    def _is_waiting(self, video_id: str) -> bool:
        record = self.videos.get(video_id)
        return record is not None and record.status == IndexStatus.WAITING


def _find_video_ids(names: Iterable[str]) -> set[str]:
    return {name for name in names if _VIDEO_ID.fullmatch(name)}
