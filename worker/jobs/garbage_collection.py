"""What killed jobs left behind of videos that nobody wants any more.

A video may be forgotten while its job runs. The job then takes away what it stored; where its worker is killed before,
no job is made again, as nothing waits, and what lies there is found by nobody but this round.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import structlog

from indexer.store.blobs import video_prefix
from worker.services import Services, work_folder

EVERY_S = 3600.0

_VIDEO_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

log = structlog.get_logger()


def clear(services: Services) -> None:
    """Deletes the work folders of this machine that no job needs, and now and then what is stored of forgotten videos.

    Nothing is touched while a job of its video runs.
    """
    _clear_folders(services)
    if services.leases.due("leftovers", EVERY_S):
        _clear_stores(services)


def _clear_folders(services: Services) -> None:
    """A waiting video's folder is its next job's to empty."""
    root = services.settings.data_dir / "work"
    for video_id in _video_ids(folder.name for folder in root.glob("*")):
        if _waits(services, video_id):
            continue
        with _alone(services, video_id) as mine:
            if mine and not _waits(services, video_id):
                shutil.rmtree(work_folder(services.settings, video_id), ignore_errors=True)
                log.info("leftovers.folder", video_id=video_id)


def _clear_stores(services: Services) -> None:
    with_blobs = _video_ids(services.blobs.names("videos/"))
    for video_id in services.library.not_on_record({*with_blobs, *services.library.closed()}):
        with _alone(services, video_id) as mine:
            if mine and services.library.drop_stray(video_id):
                services.blobs.delete_prefix(video_prefix(video_id))
                log.info("leftovers.video", video_id=video_id)


@contextmanager
def _alone(services: Services, video_id: str) -> Iterator[bool]:
    """Keeps jobs of a video away meanwhile. False: one runs."""
    with services.leases.running(video_id, "leftovers") as mine:
        yield mine
    if mine:
        # Whoever submits the video from now on gets a job at once, not when the lease lapses.
        services.leases.done(video_id)


def _waits(services: Services, video_id: str) -> bool:
    record = services.library.video(video_id)
    return record is not None and record.status == "waiting"


def _video_ids(names: Iterable[str]) -> set[str]:
    return {name for name in names if _VIDEO_ID.fullmatch(name)}
