"""Backup and restore, with both forms of the vector store, into empty stores."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from indexer.store.records import GenerationRecord, VoteRecord
from indexer.vectors.vector_store import Filter
from tests.support.indexer.fakes import index_video, make_moments, make_video, submit_video, video_id
from tests.support.servers.network import free_port
from tests.support.servers.qdrant import qdrant_binary, qdrant_server
from tests.support.worker.services import FAKE, create_fake_generation, handle, open_services
from worker.ops.backup import MANIFEST, BackupRefusedError
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import ListLibrary
from worker.protocol.search import Find
from worker.runtime.embedded import lock_data_folder
from worker.runtime.maintenance import back_up_installation, restore_installation
from worker.services import Services
from worker.settings import Settings

SPACE = "discord:1"
ANN = Caller(space=SPACE, user_id="ann")
ANN_IN_PRIVATE_CHANNEL = Caller(space=SPACE, user_id="ann", private_channel="55")
MakeSettings: TypeAlias = Callable[[str], Settings]
"""Settings of an installation by its name, with stores of its own."""


@pytest.fixture(params=["embedded", "server"])
def make_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeSettings]:
    if request.param == "embedded":
        yield lambda name: Settings(data_dir=tmp_path / name)
        return
    (tmp_path / "second").mkdir()
    with qdrant_server(qdrant_binary(), tmp_path / "second", free_port()) as second:
        urls = {"old": request.getfixturevalue("qdrant_url"), "new": second}
        yield lambda name: Settings(data_dir=tmp_path / name, qdrant_url=urls[name])
        with open_services(Settings(data_dir=tmp_path / "old", qdrant_url=urls["old"])) as services:
            for collection in services.vectors.collections():
                services.vectors.drop(collection)


def fill(services: Services) -> None:
    """Store videos of a space and of a private channel, one that waits, a vote, settings, and a generation."""
    stores = services.stores
    create_fake_generation(services)
    for name, private_channel in (("goal", None), ("dog in snow", None), ("secret goal", "55")):
        submit_video(stores, SPACE, name, private_channel=private_channel)
        video = make_video(name)
        assert stores.publisher.publish_moments(video, make_moments(video, name, f"{name} again"), FAKE)
        services.blobs.put(f"videos/{video.id}/0.jpg", name.encode())
    submit_video(stores, SPACE, "waiting")
    stores.spaces.put_settings(SPACE, {"language": "ko"})
    stores.spaces.put_vote(
        VoteRecord(SPACE, "ann", ("a goal",), video_id("goal"), 0.0, 5.0, "up", "2026-01-01T12:00:00+00:00")
    )
    stores.generations.put_record(GenerationRecord(FAKE, "starter", "2026-01-01", "adapters/fake/"))
    services.blobs.put("adapters/fake/adapter.bin", b"weights")


def read_all(services: Services) -> list[Any]:
    """Return everything that can be requested, and everything that is stored."""
    callers = (ANN, ANN_IN_PRIVATE_CHANNEL)
    finds = [Find(caller=each, queries=(words,)) for each in callers for words in ("goal", "snow", "dog, goal")]
    requests = [*finds, *(ListLibrary(caller=each) for each in callers)]
    stored = [
        services.stores.spaces.list_votes(),
        services.stores.spaces.get_settings(SPACE),
        services.stores.generations.list_records(),
        services.stores.generations.get_live(),
    ]
    answers = [handle(services, request).model_dump() for request in requests]
    return [*answers, *stored, {key: services.blobs.get(key) for key in services.blobs.all_keys()}]


def test_restored_installation_answers_as_before(make_settings: MakeSettings, tmp_path: Path) -> None:
    """Hits, scores, records, votes, settings, generations and blobs are identical. Videos can be added and removed."""
    with open_services(make_settings("old")) as services:
        fill(services)
        before = read_all(services)
    manifest = back_up_installation(make_settings("old"), tmp_path / "backup")
    assert (manifest.videos, manifest.moments) == (4, 6)
    restore_installation(make_settings("new"), tmp_path / "backup")
    with open_services(make_settings("new")) as services:
        stores = services.stores
        assert read_all(services) == before
        assert [record.video_id for record in stores.videos.list_waiting()] == [video_id("waiting")]
        index_video(stores, SPACE, "new goal")
        stores.removals.remove_by_user(SPACE, "ann")
        assert stores.submissions.list_videos(SPACE, limit=10) == ([], 0)


def test_changes_during_a_backup_are_reconciled_by_the_restore(tmp_path: Path) -> None:
    """A video whose moments are missing is indexed again. Moments without a record are deleted."""
    settings = Settings(data_dir=tmp_path / "old")
    with open_services(settings) as services:
        fill(services)
        services.vectors.delete(FAKE.collection_name, Filter({"video_id": video_id("goal")}))
        services.vectors.delete("records", Filter(ids=(video_id("dog in snow"),)))
    back_up_installation(settings, tmp_path / "backup")
    restore_installation(Settings(data_dir=tmp_path / "new"), tmp_path / "backup")
    with open_services(Settings(data_dir=tmp_path / "new")) as services:
        waiting = {each.video_id for each in services.stores.videos.list_waiting()}
        assert waiting == {video_id("goal"), video_id("waiting")}
        assert services.stores.moments.of_video(video_id("dog in snow")) == []


# ---- refusals ----


@pytest.fixture(scope="module")
def pristine_backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a backup of an embedded library."""
    folder = tmp_path_factory.mktemp("pristine")
    settings = Settings(data_dir=folder / "old")
    with open_services(settings) as services:
        fill(services)
    back_up_installation(settings, folder / "backup")
    return folder / "backup"


@pytest.fixture
def backup_copy(pristine_backup: Path, tmp_path: Path) -> Path:
    """Return a copy of the backup that a test can damage."""
    return shutil.copytree(pristine_backup, tmp_path / "backup")


def restore_refusal(settings: Settings, folder: Path) -> ErrorCode:
    with pytest.raises(BackupRefusedError) as refusal:
        restore_installation(settings, folder)
    return refusal.value.code


def flip_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / MANIFEST).unlink(),
        lambda folder: (folder / MANIFEST).write_text("{"),
        lambda folder: (folder / "blobs/adapters/fake/adapter.bin").unlink(),
        lambda folder: flip_bit(folder / "blobs/adapters/fake/adapter.bin"),
        lambda folder: flip_bit(folder / "points/records"),
    ],
    ids=["no manifest", "truncated manifest", "missing file", "changed blob", "changed records"],
)
def test_damaged_backup_is_refused_before_anything_is_written(
    backup_copy: Path, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    damage(backup_copy)
    new = Settings(data_dir=tmp_path / "new")
    assert restore_refusal(new, backup_copy) is ErrorCode.BACKUP_DAMAGED
    assert not new.data_dir.exists()


@pytest.mark.parametrize(
    "change",
    [{"form": "server"}, {"schema_version": 99}, {"format": 2}],
    ids=lambda change: str(change),
)
def test_backup_of_another_store_or_later_version_is_refused(
    backup_copy: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    manifest = json.loads((backup_copy / MANIFEST).read_text())
    (backup_copy / MANIFEST).write_text(json.dumps(manifest | change))
    assert restore_refusal(Settings(data_dir=tmp_path / "new"), backup_copy) is ErrorCode.BACKUP_UNFIT


def test_nothing_is_overwritten_by_a_restore_or_a_backup(backup_copy: Path, tmp_path: Path) -> None:
    """A library that is not empty is not restored into, and a folder that is not empty is not backed up into."""
    new = Settings(data_dir=tmp_path / "new")
    with open_services(new) as services:
        submit_video(services.stores, SPACE, "new")
    assert restore_refusal(new, backup_copy) is ErrorCode.NOT_EMPTY
    with pytest.raises(BackupRefusedError) as refusal:
        back_up_installation(new, backup_copy)
    assert refusal.value.code is ErrorCode.NOT_EMPTY


def test_backup_into_an_unwritable_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BackupRefusedError) as refusal:
        back_up_installation(Settings(data_dir=tmp_path / "old"), tmp_path / "file" / "backup")
    assert refusal.value.code is ErrorCode.NOT_WRITTEN


def test_backup_of_a_running_embedded_installation_is_refused(tmp_path: Path) -> None:
    """Only one process at a time can use the data folder."""
    settings = Settings(data_dir=tmp_path / "old")
    with lock_data_folder(settings), pytest.raises(BackupRefusedError) as refusal:
        back_up_installation(settings, tmp_path / "another")
    assert refusal.value.code is ErrorCode.IN_USE
