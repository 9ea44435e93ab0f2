"""Folders for the temporary files of running jobs, below the data folder.

Their names do not depend on the process, so that another worker finds what a killed job left behind.
"""

import shutil
import uuid
from pathlib import Path
from typing import Final

from indexer.store.records import RetrainRecord

ENRICH_PREFIX: Final = "enrich-"
"""Prefix of the names of the folders of enrich jobs."""


def work_root(data_dir: Path) -> Path:
    """Return the folder that holds the folders of index jobs and enrich jobs, named by video, and that of retrains."""
    return data_dir / "work"


def video_work_dir(data_dir: Path, video_id: str) -> Path:
    """Return the folder of a video's index job."""
    return work_root(data_dir) / video_id


def enrich_work_dir(data_dir: Path, video_id: str) -> Path:
    """Return the folder of a video's enrich job."""
    return work_root(data_dir) / f"{ENRICH_PREFIX}{video_id}"


def retrain_work_dir(data_dir: Path, retrain: RetrainRecord) -> Path:
    """Return the folder of one retrain. Retrains do not share one, since they can have data of different spaces."""
    return _retrain_root(data_dir) / uuid.uuid5(uuid.NAMESPACE_URL, f"{retrain.space} {retrain.at}").hex


def clear_retrain_work_dirs(data_dir: Path, keep: RetrainRecord | None = None) -> None:
    """Delete the files of retrains on this machine, including those that another machine finished."""
    kept = retrain_work_dir(data_dir, keep) if keep else None
    for path in _retrain_root(data_dir).glob("*"):
        if path == kept:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _retrain_root(data_dir: Path) -> Path:
    return work_root(data_dir) / "retrain"
