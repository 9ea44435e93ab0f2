"""Two spaces on one installation, one of them retrained: what changes for it, and that nothing does for the other."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from celery import Task

from indexer.store.generations import GenerationRecord, own_name
from tests.support.clips import clip
from tests.support.indexer_fakes import a_video
from tests.support.toy_model import SIZE, Teacher, load
from tests.worker.handlers.test_spaces import call
from tests.worker.jobs.test_retrain import VIDEOS, Recorder, library_folder, share
from worker import model_cache
from worker.handlers.spaces import RequestRefusedError, forget_left
from worker.jobs import index as jobs
from worker.jobs import retrain as retraining
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import (
    Caller,
    Find,
    GetStatus,
    Indexed,
    ListModels,
    PreviewRetrain,
    Retrain,
    RetrainFinished,
    Rollback,
    Submit,
    Update,
)
from worker.queue.app import make_app
from worker.queue.memory_backend import MemoryResultStore
from worker.services import Services
from worker.settings import Settings

__all__ = ["library_folder"]

A = Caller(space="discord:1", user_id="zoe", is_admin=True)
B = Caller(space="slack:2", user_id="kim", is_admin=True)
ONLY_B = 200
"""The number of a video that nobody else has."""


def opened(folder: Path, teacher: Teacher | None = None) -> Services:
    settings = Settings(data_dir=folder)
    return Services(settings, make_app(settings, MemoryResultStore()), threading.Event(), load, teacher or Teacher())


def answers(services: Services, caller: Caller) -> list[Any]:
    asked = [f"number {number} please" for number in (*range(0, VIDEOS, 20), ONLY_B)]
    return [call(services, Find(caller=caller, queries=(words,))).model_dump() for words in asked]


def first(services: Services, number: int, caller: Caller = A) -> str:
    found = call(services, Find(caller=caller, queries=(f"number {number} please",)))
    return found.hits[0].title if found.hits else ""


def indexed(services: Services, video_id: str) -> Update:
    """What the index worker does with the job that was sent."""
    return jobs.index(services, cast(Task, Recorder()), video_id, "incident")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@dataclass(frozen=True)
class Promoted:
    """The data of an installation after a retrain of space A, and how both spaces were answered before."""

    folder: Path
    learned: Update
    taught: set[str]
    before: dict[str, list[Any]]


@pytest.fixture(scope="session")
def promoted(library_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Promoted:
    folder, teacher = tmp_path_factory.mktemp("promoted") / "data", Teacher()
    shutil.copytree(library_folder, folder)
    with closing(opened(folder, teacher)) as services:
        for number in (0, 1, 20, ONLY_B):
            share(services, number, space=B.space)
        before = {caller.space: answers(services, caller) for caller in (A, B)}
        call(services, Retrain(caller=A))
        learned = retraining.retrain(services, cast(Task, Recorder()), "incident")
    return Promoted(folder, learned, {pair.text for pair in teacher.taught[0]}, before)


@pytest.fixture
def open_parts(promoted: Promoted, tmp_path: Path) -> Iterator[Callable[[], Services]]:
    shutil.copytree(promoted.folder, tmp_path, dirs_exist_ok=True)
    running: list[Services] = []

    def open_one() -> Services:
        while running:
            running.pop().close()
        running.append(opened(tmp_path))
        running[0].models.current(A.space)
        return running[0]

    yield open_one
    while running:
        running.pop().close()


@pytest.fixture
def services(open_parts: Callable[[], Services]) -> Services:
    return open_parts()


def test_what_one_space_taught_changes_its_answers_only(services: Services, promoted: Promoted) -> None:
    """The other's answers, generation and models are the same to the last bit, and its videos taught nothing."""
    assert isinstance(promoted.learned, RetrainFinished)
    assert promoted.learned.outcome == "promoted"
    assert f"number {ONLY_B}" not in promoted.taught
    assert first(services, 42) == "number 42"
    assert answers(services, A) != promoted.before[A.space]
    assert answers(services, B) == promoted.before[B.space]
    of_a, of_b = (call(services, GetStatus(caller=caller)).generation for caller in (A, B))
    assert (of_a.endswith("@discord.1"), of_b) == (True, "base")
    assert [each.name for each in call(services, ListModels(caller=A)).generations] == [of_a, "base"]
    assert [each.name for each in call(services, ListModels(caller=B)).generations] == ["base"]
    with pytest.raises(RequestRefusedError) as refused:
        call(services, Rollback(caller=B, to=of_a))
    assert refused.value.code is ErrorCode.NO_OTHER_MODEL


def test_going_back_gives_the_very_answers_of_before(open_parts: Callable[[], Services], promoted: Promoted) -> None:
    """To the last bit; and forth again, with what was added meanwhile."""
    after = answers(open_parts(), A)
    services = open_parts()
    live = next(each.name for each in call(services, Rollback(caller=A)).generations if each.live)
    services.models.current(A.space)
    assert (live, answers(services, A), answers(services, B)) == (
        "base",
        promoted.before[A.space],
        promoted.before[B.space],
    )
    call(services, Rollback(caller=A))
    services = open_parts()
    assert answers(services, A) == after
    call(services, Rollback(caller=A))
    share(services, 115)
    call(services, Rollback(caller=A))
    indexed(services, a_video("number 115").id)
    assert first(services, 115) == "number 115"


def test_a_new_video_is_found_by_the_space_s_own_model(services: Services, tmp_path: Path) -> None:
    """The job ends when the video can be found there, too, by the whole way of a link."""
    file = clip(tmp_path / "red.mp4", "red", seconds=1)
    submitted = call(services, Submit(caller=A, link=file.as_uri(), local_files=True))
    assert submitted.job_id
    ended = indexed(services, submitted.video_id)
    assert isinstance(ended, Indexed)
    assert ended.status == "indexed"
    found = call(services, Find(caller=A, queries=("red",), in_link=file.as_uri()))
    assert [hit.title for hit in found.hits] == ["red"]
    assert services.library.missing(services.library.generation(A.space) or "") == []


def test_a_video_that_another_had_is_told_when_it_is_found(services: Services) -> None:
    """Submitted by a space with its own model, it has a job; for others it is there at once."""
    video = a_video(f"number {ONLY_B}")
    assert first(services, ONLY_B) != video.title
    services.library.submit(video.id, video.link, video.link, A.space, "zoe", datetime.now(UTC))
    assert jobs.lacking(services, video.id) == [A.space]
    assert isinstance(indexed(services, video.id), Indexed)
    assert first(services, ONLY_B) == video.title


def test_submitting_what_another_had_gives_a_job(services: Services, tmp_path: Path) -> None:
    """The submitter follows it, and is told of the video as of any other; the next one is told at once."""
    file = clip(tmp_path / "blue.mp4", "blue", seconds=1)
    submit = Submit(caller=B, link=file.as_uri(), local_files=True)
    indexed(services, call(services, submit).video_id)
    mine = call(services, submit.model_copy(update={"caller": A}))
    assert (mine.job_id, mine.indexed) == (jobs.job_id(mine.video_id), None)
    ended = indexed(services, mine.video_id)
    assert isinstance(ended, Indexed)
    assert ended.status == "indexed"
    assert call(services, Find(caller=A, queries=("blue",), in_link=file.as_uri())).hits
    for caller in (A, B):
        again = call(services, submit.model_copy(update={"caller": caller}))
        assert again.job_id is None


def test_what_a_killed_worker_left_is_done_later(services: Services) -> None:
    """Killed between the two embeddings, the record tells what is missing, and a round makes its job."""
    share(services, 115)
    video_id = a_video("number 115").id
    jobs.resume(services)
    assert not services.leases.queue(video_id)
    indexed(services, video_id)
    assert first(services, 115) == "number 115"
    jobs.resume(services)
    assert services.leases.queue(video_id)


def test_one_space_s_broken_model_is_no_other_s_trouble(promoted: Promoted, tmp_path: Path) -> None:
    """The video counts as indexed where it is, and stays missing where it is not."""
    shutil.copytree(promoted.folder, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "adapters")
    shutil.rmtree(tmp_path / "blobs" / "spaces")
    video_id = a_video("number 115").id
    with closing(opened(tmp_path)) as services:
        share(services, 115)
        share(services, 115, space=B.space)
        assert isinstance(indexed(services, video_id), Indexed)
        assert jobs.lacking(services, video_id) == [A.space]


def test_what_a_space_forgets_is_gone_from_its_own(services: Services) -> None:
    """Another space that has it, too, finds it as before."""
    services.library.forget(A.scopes, a_video("number 20").id)
    assert first(services, 20) != "number 20"
    assert "number 20" in {hit.title for hit in call(services, Find(caller=B, queries=("number 20",))).hits}


def test_a_space_that_leaves_takes_its_model_along(services: Services, tmp_path: Path) -> None:
    """Collections, adapter, report, record and a retrain under way; the other space keeps what it had."""
    assert files(tmp_path / "blobs" / "spaces")
    assert files(tmp_path / "adapters")
    call(services, Retrain(caller=A))
    services.spaces.leave(A.space, datetime.now(UTC) - timedelta(days=8))
    forget_left(services)
    assert not files(tmp_path / "blobs" / "spaces") + files(tmp_path / "adapters")
    assert [name for name in services.points.collections() if "@" in name] == []
    assert [record.name for record in services.generations.all()] == ["base"]
    assert retraining.retrain(services, cast(Task, Recorder()), "incident") == RetrainFinished(outcome="cancelled")
    assert call(services, Find(caller=A, queries=("number 42",))).hits == ()
    assert first(services, ONLY_B, B) == f"number {ONLY_B}"


def test_another_space_s_retrain_is_not_one_s_own(services: Services) -> None:
    """Its admins neither see nor end it, and are told to wait; what they would teach is their own space's."""
    begun = call(services, Retrain(caller=A))
    with pytest.raises(RequestRefusedError) as refused:
        call(services, Retrain(caller=B))
    assert refused.value.code is ErrorCode.TRAINING_ELSEWHERE
    assert call(services, Retrain(caller=B, cancel=True)).job_id is None
    assert call(services, PreviewRetrain(caller=B)).pairs == 4
    running = services.generations.retraining()
    assert running is not None
    assert not running.cancelled
    assert call(services, Retrain(caller=A, cancel=True)).job_id == begun.job_id == "retrain-discord.1"


def test_few_models_are_in_memory_and_none_is_closed_in_use(services: Services) -> None:
    """The one that was longest of no use goes; who has it in hand goes on with it."""
    blobs, library = services.blobs, services.library
    for number in range(model_cache.MOST_LOADED):
        space, prefix = f"slack:{number}", f"spaces/slack.{number}/adapters/some/"
        blobs.put(f"{prefix}adapter.json", b'{"knows": true}')
        name = own_name("some", space)
        services.generations.put(GenerationRecord(name, "starter", "", prefix, space=space))
        library.open(name, SIZE, None)
        library.switch(name, space)
    in_use = services.models.serving(A.space)
    served = [services.models.serving(f"slack:{number}") for number in range(model_cache.MOST_LOADED)]
    assert len({id(model) for model in served}) == model_cache.MOST_LOADED
    assert services.models.serving("slack:0") is served[0]
    assert in_use.texts(["number 1"])
    assert services.models.serving(A.space) is not in_use
    assert services.models.serving("slack:1") is not served[1]
