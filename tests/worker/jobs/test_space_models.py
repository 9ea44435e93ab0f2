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
from worker.handlers.spaces import Refusal, forget_left
from worker.jobs import index as jobs
from worker.jobs import retrain as retraining
from worker.protocol.error_codes import Code
from worker.protocol.messages import (
    Asker,
    Find,
    Indexed,
    Learned,
    PreviewRetrain,
    ReadModels,
    Retrain,
    Rollback,
    Status,
    Submit,
    Update,
)
from worker.queue.app import make_app
from worker.queue.memory_backend import Results
from worker.services import Parts
from worker.settings import Settings

__all__ = ["library_folder"]

A = Asker(space="discord:1", person="zoe", admin=True)
B = Asker(space="slack:2", person="kim", admin=True)
ONLY_B = 200
"""The number of a video that nobody else has."""


def opened(folder: Path, teacher: Teacher | None = None) -> Parts:
    settings = Settings(data_dir=folder)
    return Parts(settings, make_app(settings, Results()), threading.Event(), load, teacher or Teacher())


def answers(parts: Parts, asker: Asker) -> list[Any]:
    asked = [f"number {number} please" for number in (*range(0, VIDEOS, 20), ONLY_B)]
    return [call(parts, Find(asker=asker, queries=(words,))).model_dump() for words in asked]


def first(parts: Parts, number: int, asker: Asker = A) -> str:
    found = call(parts, Find(asker=asker, queries=(f"number {number} please",)))
    return found.hits[0].title if found.hits else ""


def indexed(parts: Parts, video_id: str) -> Update:
    """What the index worker does with the job that was sent."""
    return jobs.index(parts, cast(Task, Recorder()), video_id, "incident")


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
    with closing(opened(folder, teacher)) as parts:
        for number in (0, 1, 20, ONLY_B):
            share(parts, number, space=B.space)
        before = {asker.space: answers(parts, asker) for asker in (A, B)}
        call(parts, Retrain(asker=A))
        learned = retraining.retrain(parts, cast(Task, Recorder()), "incident")
    return Promoted(folder, learned, {pair.text for pair in teacher.taught[0]}, before)


@pytest.fixture
def open_parts(promoted: Promoted, tmp_path: Path) -> Iterator[Callable[[], Parts]]:
    shutil.copytree(promoted.folder, tmp_path, dirs_exist_ok=True)
    running: list[Parts] = []

    def open_one() -> Parts:
        while running:
            running.pop().close()
        running.append(opened(tmp_path))
        running[0].models.current(A.space)
        return running[0]

    yield open_one
    while running:
        running.pop().close()


@pytest.fixture
def parts(open_parts: Callable[[], Parts]) -> Parts:
    return open_parts()


def test_what_one_space_taught_changes_its_answers_only(parts: Parts, promoted: Promoted) -> None:
    """The other's answers, generation and models are the same to the last bit, and its videos taught nothing."""
    assert isinstance(promoted.learned, Learned)
    assert promoted.learned.outcome == "promoted"
    assert f"number {ONLY_B}" not in promoted.taught
    assert first(parts, 42) == "number 42"
    assert answers(parts, A) != promoted.before[A.space]
    assert answers(parts, B) == promoted.before[B.space]
    of_a, of_b = (call(parts, Status(asker=asker)).generation for asker in (A, B))
    assert (of_a.endswith("@discord.1"), of_b) == (True, "base")
    assert [each.name for each in call(parts, ReadModels(asker=A)).generations] == [of_a, "base"]
    assert [each.name for each in call(parts, ReadModels(asker=B)).generations] == ["base"]
    with pytest.raises(Refusal) as refused:
        call(parts, Rollback(asker=B, to=of_a))
    assert refused.value.code is Code.NO_OTHER_MODEL


def test_going_back_gives_the_very_answers_of_before(open_parts: Callable[[], Parts], promoted: Promoted) -> None:
    """To the last bit; and forth again, with what was added meanwhile."""
    after = answers(open_parts(), A)
    parts = open_parts()
    live = next(each.name for each in call(parts, Rollback(asker=A)).generations if each.live)
    parts.models.current(A.space)
    assert (live, answers(parts, A), answers(parts, B)) == ("base", promoted.before[A.space], promoted.before[B.space])
    call(parts, Rollback(asker=A))
    parts = open_parts()
    assert answers(parts, A) == after
    call(parts, Rollback(asker=A))
    share(parts, 115)
    call(parts, Rollback(asker=A))
    indexed(parts, a_video("number 115").id)
    assert first(parts, 115) == "number 115"


def test_a_new_video_is_found_by_the_space_s_own_model(parts: Parts, tmp_path: Path) -> None:
    """The job ends when the video can be found there, too, by the whole way of a link."""
    file = clip(tmp_path / "red.mp4", "red", seconds=1)
    submitted = call(parts, Submit(asker=A, link=file.as_uri(), local_files=True))
    assert submitted.job_id
    ended = indexed(parts, submitted.video_id)
    assert isinstance(ended, Indexed)
    assert ended.status == "indexed"
    found = call(parts, Find(asker=A, queries=("red",), in_link=file.as_uri()))
    assert [hit.title for hit in found.hits] == ["red"]
    assert parts.library.missing(parts.library.generation(A.space) or "") == []


def test_a_video_that_another_had_is_told_when_it_is_found(parts: Parts) -> None:
    """Submitted by a space with its own model, it has a job; for others it is there at once."""
    video = a_video(f"number {ONLY_B}")
    assert first(parts, ONLY_B) != video.title
    parts.library.submit(video.id, video.link, video.link, A.space, "zoe", datetime.now(UTC))
    assert jobs.lacking(parts, video.id) == [A.space]
    assert isinstance(indexed(parts, video.id), Indexed)
    assert first(parts, ONLY_B) == video.title


def test_submitting_what_another_had_gives_a_job(parts: Parts, tmp_path: Path) -> None:
    """The submitter follows it, and is told of the video as of any other; the next one is told at once."""
    file = clip(tmp_path / "blue.mp4", "blue", seconds=1)
    submit = Submit(asker=B, link=file.as_uri(), local_files=True)
    indexed(parts, call(parts, submit).video_id)
    mine = call(parts, submit.model_copy(update={"asker": A}))
    assert (mine.job_id, mine.indexed) == (jobs.job_id(mine.video_id), None)
    ended = indexed(parts, mine.video_id)
    assert isinstance(ended, Indexed)
    assert ended.status == "indexed"
    assert call(parts, Find(asker=A, queries=("blue",), in_link=file.as_uri())).hits
    for asker in (A, B):
        again = call(parts, submit.model_copy(update={"asker": asker}))
        assert again.job_id is None


def test_what_a_killed_worker_left_is_done_later(parts: Parts) -> None:
    """Killed between the two embeddings, the record tells what is missing, and a round makes its job."""
    share(parts, 115)
    video_id = a_video("number 115").id
    jobs.resume(parts)
    assert not parts.claims.queue(video_id)
    indexed(parts, video_id)
    assert first(parts, 115) == "number 115"
    jobs.resume(parts)
    assert parts.claims.queue(video_id)


def test_one_space_s_broken_model_is_no_other_s_trouble(promoted: Promoted, tmp_path: Path) -> None:
    """The video counts as indexed where it is, and stays missing where it is not."""
    shutil.copytree(promoted.folder, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "adapters")
    shutil.rmtree(tmp_path / "blobs" / "spaces")
    video_id = a_video("number 115").id
    with closing(opened(tmp_path)) as parts:
        share(parts, 115)
        share(parts, 115, space=B.space)
        assert isinstance(indexed(parts, video_id), Indexed)
        assert jobs.lacking(parts, video_id) == [A.space]


def test_what_a_space_forgets_is_gone_from_its_own(parts: Parts) -> None:
    """Another space that has it, too, finds it as before."""
    parts.library.forget(A.scopes, a_video("number 20").id)
    assert first(parts, 20) != "number 20"
    assert "number 20" in {hit.title for hit in call(parts, Find(asker=B, queries=("number 20",))).hits}


def test_a_space_that_leaves_takes_its_model_along(parts: Parts, tmp_path: Path) -> None:
    """Collections, adapter, report, record and a retrain under way; the other space keeps what it had."""
    assert files(tmp_path / "blobs" / "spaces")
    assert files(tmp_path / "adapters")
    call(parts, Retrain(asker=A))
    parts.spaces.leave(A.space, datetime.now(UTC) - timedelta(days=8))
    forget_left(parts)
    assert not files(tmp_path / "blobs" / "spaces") + files(tmp_path / "adapters")
    assert [name for name in parts.points.collections() if "@" in name] == []
    assert [record.name for record in parts.generations.all()] == ["base"]
    assert retraining.retrain(parts, cast(Task, Recorder()), "incident") == Learned(outcome="cancelled")
    assert call(parts, Find(asker=A, queries=("number 42",))).hits == ()
    assert first(parts, ONLY_B, B) == f"number {ONLY_B}"


def test_another_space_s_retrain_is_not_one_s_own(parts: Parts) -> None:
    """Its admins neither see nor end it, and are told to wait; what they would teach is their own space's."""
    begun = call(parts, Retrain(asker=A))
    with pytest.raises(Refusal) as refused:
        call(parts, Retrain(asker=B))
    assert refused.value.code is Code.TRAINING_ELSEWHERE
    assert call(parts, Retrain(asker=B, cancel=True)).job_id is None
    assert call(parts, PreviewRetrain(asker=B)).pairs == 4
    running = parts.generations.retraining()
    assert running is not None
    assert not running.cancelled
    assert call(parts, Retrain(asker=A, cancel=True)).job_id == begun.job_id == "retrain-discord.1"


def test_few_models_are_in_memory_and_none_is_closed_in_use(parts: Parts) -> None:
    """The one that was longest of no use goes; who has it in hand goes on with it."""
    blobs, library = parts.blobs, parts.library
    for number in range(model_cache.MOST_LOADED):
        space, prefix = f"slack:{number}", f"spaces/slack.{number}/adapters/some/"
        blobs.put(f"{prefix}adapter.json", b'{"knows": true}')
        name = own_name("some", space)
        parts.generations.put(GenerationRecord(name, "starter", "", prefix, space=space))
        library.open(name, SIZE, None)
        library.switch(name, space)
    in_use = parts.models.serving(A.space)
    served = [parts.models.serving(f"slack:{number}") for number in range(model_cache.MOST_LOADED)]
    assert len({id(model) for model in served}) == model_cache.MOST_LOADED
    assert parts.models.serving("slack:0") is served[0]
    assert in_use.texts(["number 1"])
    assert parts.models.serving(A.space) is not in_use
    assert parts.models.serving("slack:1") is not served[1]
