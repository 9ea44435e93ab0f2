"""Deleting departed spaces, and votes and frames past their retention time: with the embedded store."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from indexer.vectors.vector_store import Filter
from tests.support.worker.callers import ADMIN, ANN, ANN_IN_PRIVATE_CHANNEL, BOB, OTHER_SPACE
from tests.support.worker.services import FAKE, add_video, handle, open_services
from worker.job_leases import JobLeases
from worker.jobs.cleanup import apply_retention
from worker.leases import MemoryLeaseStore
from worker.protocol.base import Caller
from worker.protocol.library import ListLibrary
from worker.protocol.search import Find, RecordVote
from worker.protocol.spaces import ChangeSettings, GetSettings, RecordBotRemoval, SpaceSettings
from worker.services import Services
from worker.settings import Settings


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with open_services(Settings(data_dir=tmp_path, allow_networks=("127.0.0.0/8",))) as opened:
        yield opened


def find_titles(services: Services, caller: Caller, words: str = "goal") -> list[str]:
    return sorted(hit.title for hit in handle(services, Find(caller=caller, queries=(words,))).hits)


def purge_after(services: Services, days: float) -> None:
    services.make_space_removal().purge_departed_spaces(datetime.now(UTC) + timedelta(days=days))


def test_departed_space_is_purged_after_grace_time(services: Services) -> None:
    """Nothing is left in the stores. It is not purged before, and not if the bot came back; other spaces are kept."""
    add_video(services, "goal", ANN_IN_PRIVATE_CHANNEL)
    add_video(services, "dog", OTHER_SPACE)
    [entry] = handle(services, ListLibrary(caller=ANN_IN_PRIVATE_CHANNEL)).entries
    blob = f"videos/{entry.video_id}/0.jpg"
    services.blobs.put(blob, b"picture")
    handle(services, ChangeSettings(caller=ADMIN, settings=SpaceSettings(language="ko")))
    handle(services, RecordBotRemoval(caller=ANN))
    purge_after(services, days=0)
    assert find_titles(services, ANN_IN_PRIVATE_CHANNEL) == ["goal"]
    handle(services, RecordBotRemoval(caller=ANN, is_back=True))
    purge_after(services, days=8)
    assert find_titles(services, ANN_IN_PRIVATE_CHANNEL) == ["goal"]
    handle(services, RecordBotRemoval(caller=ANN))
    purge_after(services, days=6)
    assert find_titles(services, ANN_IN_PRIVATE_CHANNEL) == ["goal"]
    purge_after(services, days=8)
    assert find_titles(services, ANN_IN_PRIVATE_CHANNEL) == []
    assert handle(services, GetSettings(caller=ANN)) == SpaceSettings()
    with pytest.raises(KeyError):
        services.blobs.get(blob)
    assert find_titles(services, OTHER_SPACE, "dog") == ["dog"]


def test_retention_deletes_votes_and_frames_past_their_time(services: Services) -> None:
    """Nothing is deleted without a setting or before its time. One worker of all does it, once an hour."""
    add_video(services, "goal", ANN)
    [hit] = handle(services, Find(caller=ANN, queries=("goal",))).hits
    handle(services, RecordVote(caller=BOB, queries=("goal",), moment_id=hit.moment_id, kind="up"))
    frame = f"videos/{hit.video_id}/frame.jpg"
    services.blobs.put(frame, b"a frame")
    services.vectors.set_payload(FAKE.collection_name, Filter(), {"frames": [frame, hit.thumbnail]})

    def keep_for(settings: Settings, days: float) -> tuple[int, list[str]]:
        """Return the number of votes and the blobs that are left after `days` days."""
        leases = JobLeases(MemoryLeaseStore())
        for passed in (days, 999):
            now = datetime.now(UTC) + timedelta(days=passed)
            apply_retention(settings, services.vectors, services.blobs, leases, now)
        return len(services.stores.spaces.list_votes()), list(services.blobs.all_keys())

    assert keep_for(services.settings, days=1000) == (1, [frame])
    limited = Settings(keep_queries_days=10.0, keep_frames_days=20.0)
    assert keep_for(limited, days=9) == (1, [frame])
    assert keep_for(limited, days=11) == (0, [frame])
    assert keep_for(limited, days=21) == (0, [])
