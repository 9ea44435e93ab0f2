"""The doctor's checks of the second stage: the parts of the recognizers, and what was not recognized."""

from contextlib import closing
from dataclasses import dataclass
from typing import Final

from filelock import FileLock, Timeout

from indexer.errors import StoreUnavailableError
from indexer.senses import Sense
from indexer.store.records import RECORDS
from indexer.store.videos import VideoStore
from worker.ops.doctor_checks import DoctorCheck, DoctorCheckName, DoctorOutcome
from worker.ops.stalled import is_stalled
from worker.settings import Settings

BASE: Final = "base"
"""The speech model that is fetched with the other parts. Others come from a hub when they are first used."""


def check_recognizers(settings: Settings) -> DoctorCheck:
    """Check that the parts of the senses that the settings want are there."""
    from model.packages import default_artifacts_dir, fetch_command
    from model.senses.parts import OCR, WHISPER, YAMNET
    from model.senses.tesseract import find_tesseract

    name, artifacts_dir = DoctorCheckName.RECOGNIZERS, settings.parts_dir or default_artifacts_dir()
    parts = {Sense.SAID: WHISPER, Sense.SHOWN: OCR, Sense.HEARD: YAMNET}
    wanted = {Sense.SAID: settings.listens, Sense.SHOWN: settings.screen_text, Sense.HEARD: settings.sounds}
    senses = [sense for sense in Sense if wanted[sense]]
    needed = [sense for sense in senses if sense is not Sense.SAID or settings.speech == BASE]
    if missing := [sense for sense in needed if not parts[sense].is_complete(artifacts_dir)]:
        parameters = {"senses": missing, "command": fetch_command(artifacts_dir)}
        return DoctorCheck(name, DoctorOutcome.RECOGNIZERS_MISSING, parameters)
    if Sense.SHOWN in senses and find_tesseract() is None:
        return DoctorCheck(name, DoctorOutcome.RECOGNIZERS_WITHOUT_KOREAN)
    if not senses:
        return DoctorCheck(name, DoctorOutcome.RECOGNIZERS_OFF)
    return DoctorCheck(name, DoctorOutcome.RECOGNIZERS_READY, {"senses": senses})


@dataclass(frozen=True)
class _Counts:
    """Numbers of videos: with something to recognize, and by sense those in which it failed."""

    pending: int
    failed: dict[Sense, int]


def check_recognition(settings: Settings) -> DoctorCheck:
    """Count the videos with senses that are pending or failed, and check that a worker works on them."""
    name = DoctorCheckName.RECOGNITION
    try:
        counts = _count_videos(settings)
    except StoreUnavailableError:  # another check reports it
        counts = None
    if counts is None:
        return DoctorCheck(name, DoctorOutcome.RECOGNITION_UNKNOWN)
    if counts.pending and is_stalled(settings, "enrich"):
        return DoctorCheck(name, DoctorOutcome.RECOGNITION_STALLED, {"count": counts.pending})
    if counts.failed:
        return DoctorCheck(name, DoctorOutcome.RECOGNITION_FAILED, {"failed_senses": counts.failed})
    return DoctorCheck(name, DoctorOutcome.RECOGNITION_READY, {"count": counts.pending})


def _count_videos(settings: Settings) -> _Counts | None:
    """Count the videos of all spaces. Returns None if another process of this machine uses the data folder."""
    if settings.qdrant_url is not None:
        return _count_stored(settings)
    if not (settings.data_dir / "vectors").is_dir():
        return _Counts(0, {})
    try:
        with FileLock(settings.data_dir / "owner.lock", timeout=0):
            return _count_stored(settings)
    except Timeout:
        return None


def _count_stored(settings: Settings) -> _Counts:
    from worker.vector_store import open_vector_store

    with closing(open_vector_store(settings)) as vectors:
        if RECORDS not in vectors.collections():
            return _Counts(0, {})
        videos = VideoStore(vectors)
        failed = {sense: len(videos.list_with_failed(sense)) for sense in Sense}
        return _Counts(len(videos.list_due_enrichments()), {sense: count for sense, count in failed.items() if count})
