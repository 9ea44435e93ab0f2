"""A backup is worth what a restore makes of it: both forms, into stores of their own that are empty."""

import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest

from indexer.store.generations import GenerationRecord
from indexer.store.spaces import VoteRecord
from indexer.vectors.vector_store import Filter
from model.ports import Encoder as ModelEncoder
from tests.indexer.conftest import fast_folder
from tests.support.indexer_fakes import FakeEncoder, a_video, some_moments, submit, video_id
from tests.support.network import free_port
from tests.support.qdrant import qdrant_binary, qdrant_server, qdrant_url
from worker.handlers.library import ANSWERS
from worker.model_cache import train_preset
from worker.ops.backup import MANIFEST, BackupRefusedError, backup, restore
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller, Find, ListLibrary
from worker.queue.app import make_app
from worker.queue.memory_backend import MemoryResultStore
from worker.runtime.embedded import owner_lock
from worker.services import Services
from worker.settings import Settings

__all__ = ["fast_folder", "qdrant_url"]

A = "discord:1"
ANN = Caller(space=A, user_id="ann")
IN_ROOM = Caller(space=A, user_id="ann", private_channel="55")
MadeSettings: TypeAlias = Callable[[str], Settings]


@pytest.fixture
def folder(fast_folder: Path) -> Iterator[Path]:
    """Where there is no waiting for the disk."""
    with tempfile.TemporaryDirectory(dir=fast_folder) as folder:
        yield Path(folder)


@pytest.fixture(params=["embedded", "server"])
def settings(request: pytest.FixtureRequest, folder: Path) -> Iterator[MadeSettings]:
    """Settings of installations by name, each with stores of its own."""
    if request.param == "embedded":
        yield lambda name: Settings(data_dir=folder / name)
        return
    (folder / "second").mkdir()
    with qdrant_server(qdrant_binary(), folder / "second", free_port()) as second:
        urls = {"old": request.getfixturevalue("qdrant_url"), "new": second}
        yield lambda name: Settings(data_dir=folder / name, qdrant_url=urls[name])
        with opened(Settings(data_dir=folder / "old", qdrant_url=urls["old"])) as services:
            for collection in services.points.collections():
                services.points.drop(collection)


@contextmanager
def opened(settings: Settings) -> Iterator[Services]:
    load: Any = lambda *_: cast(ModelEncoder, FakeEncoder())  # noqa: E731
    with closing(
        Services(settings, make_app(settings, MemoryResultStore()), threading.Event(), load, train_preset)
    ) as services:
        yield services


def fill(services: Services) -> None:
    """Videos of a space and of a room in it, one that waits, a vote, settings, a generation with its adapter."""
    for name, private_channel in (("goal", ""), ("dog in snow", ""), ("secret goal", "55")):
        submit(services.library, A, name, private_channel=private_channel)
        video = a_video(name)
        services.library.open("fake", 8, 8)
        assert services.library.put_moments(video, some_moments(video, name, f"{name} again"), "fake")
        services.blobs.put(f"videos/{video.id}/0.jpg", name.encode())
    submit(services.library, A, "waiting")
    services.spaces.put_settings(A, {"language": "ko"})
    services.spaces.vote(
        VoteRecord(A, "ann", ("a goal",), video_id("goal"), 0.0, 5.0, "up", "2026-01-01T12:00:00+00:00")
    )
    services.generations.put(GenerationRecord("fake", "starter", "2026-01-01", "adapters/fake/"))
    services.blobs.put("adapters/fake/adapter.bin", b"weights")


def seen(services: Services) -> list[Any]:
    """All that can be asked of it."""
    finds = [Find(caller=who, queries=(words,)) for who in (ANN, IN_ROOM) for words in ("goal", "snow", "dog, goal")]
    requests = [*finds, ListLibrary(caller=ANN), ListLibrary(caller=IN_ROOM)]
    answers = [ANSWERS[request.task](services, request).model_dump() for request in requests]
    kept = [
        services.spaces.votes(),
        services.spaces.settings(A),
        services.generations.all(),
        services.library.generation(),
    ]
    return [*answers, *kept, {key: services.blobs.get(key) for key in services.blobs.all_keys()}]


def test_what_is_restored_answers_as_before(settings: MadeSettings, folder: Path) -> None:
    """Searches give identical hits and scores, and records, votes, settings, generations and blobs are the same."""
    with opened(settings("old")) as services:
        fill(services)
        before = seen(services)
    made = backup(settings("old"), folder / "backup")
    assert (made.videos, made.moments) == (4, 6)
    restore(settings("new"), folder / "backup")
    with opened(settings("new")) as services:
        assert seen(services) == before
        assert [record.video_id for record in services.library.waiting()] == [video_id("waiting")]
        # It goes on as it was: what is added is found, what is forgotten is gone.
        submit(services.library, A, "new goal")
        video = a_video("new goal")
        assert services.library.put_moments(video, some_moments(video, "new goal"), "fake")
        services.library.forget_mine(A, "ann")
        assert services.library.entries(A, limit=10) == ([], 0)


def test_what_changed_meanwhile_is_mended(folder: Path) -> None:
    """A video that the records have and the moments miss is indexed again; moments of none are taken out."""
    settings = Settings(data_dir=folder / "old")
    with opened(settings) as services:
        fill(services)
        services.points.delete("moments_fake", Filter({"video_id": video_id("goal")}))
        services.points.delete("records", Filter(ids=(video_id("dog in snow"),)))
    backup(settings, folder / "backup")
    restore(Settings(data_dir=folder / "new"), folder / "backup")
    with opened(Settings(data_dir=folder / "new")) as services:
        assert {each.video_id for each in services.library.waiting()} == {video_id("goal"), video_id("waiting")}
        assert services.library.kept(video_id("dog in snow"), but="") == []


# ---- what is refused ----


@pytest.fixture(scope="module")
def whole(fast_folder: Path) -> Iterator[Path]:
    """A backup of an embedded library."""
    with tempfile.TemporaryDirectory(dir=fast_folder) as folder:
        settings = Settings(data_dir=Path(folder) / "old")
        with opened(settings) as services:
            fill(services)
        backup(settings, Path(folder) / "backup")
        yield Path(folder) / "backup"


@pytest.fixture
def made(whole: Path, folder: Path) -> Path:
    """A copy of it, to be spoilt."""
    return shutil.copytree(whole, folder / "backup")


def refused(settings: Settings, folder: Path) -> ErrorCode:
    with pytest.raises(BackupRefusedError) as refusal:
        restore(settings, folder)
    return refusal.value.code


def spoil(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / MANIFEST).unlink(),
        lambda folder: (folder / MANIFEST).write_text("{"),
        lambda folder: (folder / "blobs/adapters/fake/adapter.bin").unlink(),
        lambda folder: spoil(folder / "blobs/adapters/fake/adapter.bin"),
        lambda folder: spoil(folder / "points/records"),
    ],
    ids=["no manifest", "half a manifest", "a file less", "a bit of a blob", "a bit of the records"],
)
def test_a_damaged_backup_is_refused(made: Path, folder: Path, damage: Callable[[Path], object]) -> None:
    """Before anything is written, whichever file it is."""
    damage(made)
    new = Settings(data_dir=folder / "new")
    assert refused(new, made) is ErrorCode.BACKUP_DAMAGED
    assert not new.data_dir.exists()


@pytest.mark.parametrize(
    "change",
    [{"preset": "base"}, {"form": "server"}, {"schema_version": 99}, {"format": 2}],
    ids=lambda each: str(each),
)
def test_an_unfit_backup_is_refused(made: Path, folder: Path, change: dict[str, Any]) -> None:
    """Of another preset, another kind of store, or a later version."""
    manifest = json.loads((made / MANIFEST).read_text())
    (made / MANIFEST).write_text(json.dumps(manifest | change))
    assert refused(Settings(data_dir=folder / "new"), made) is ErrorCode.BACKUP_UNFIT


def test_a_library_that_holds_something_is_left_alone(made: Path, folder: Path) -> None:
    """A restore takes nobody's place; and no backup is written over another."""
    new = Settings(data_dir=folder / "new")
    with opened(new) as services:
        submit(services.library, A, "new")
    assert refused(new, made) is ErrorCode.NOT_EMPTY
    with pytest.raises(BackupRefusedError) as refusal:
        backup(new, made)
    assert refusal.value.code is ErrorCode.NOT_EMPTY


def test_a_folder_that_cannot_be_written_is_told(folder: Path) -> None:
    """As one is that belongs to somebody else."""
    (folder / "file").touch()
    with pytest.raises(BackupRefusedError) as refusal:
        backup(Settings(data_dir=folder / "old"), folder / "file" / "backup")
    assert refusal.value.code is ErrorCode.NOT_WRITTEN


def test_a_running_installation_is_left_alone(made: Path, folder: Path) -> None:
    """Embedded, one process has the data; a backup waits until it is stopped."""
    settings = Settings(data_dir=folder / "old")
    with owner_lock(settings), pytest.raises(BackupRefusedError) as refusal:
        backup(settings, folder / "another")
    assert refusal.value.code is ErrorCode.IN_USE
