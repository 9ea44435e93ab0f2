"""`/retrain` from the lessons to the switch, over the store in process and a model that is taught quickly."""

import io
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from celery import Task
from celery.exceptions import Ignore, Reject
from PIL import Image
from redis.exceptions import RedisError

from indexer.errors import StoreUnavailable
from indexer.types import Moment
from tests.support.indexer_fakes import a_video, moment_id
from tests.support.toy_model import SIZE, Student, Teacher, load, numbered
from tests.worker.handlers.test_spaces import call
from worker.handlers.spaces import Refusal
from worker.jobs import retrain as retraining
from worker.protocol.error_codes import Code
from worker.protocol.messages import (
    Asker,
    Failed,
    Find,
    Learned,
    PreviewRetrain,
    ReadModels,
    Retrain,
    Rollback,
    Training,
    Update,
)
from worker.queue.app import make_app
from worker.queue.memory_backend import Results
from worker.services import Parts
from worker.settings import Settings

ADMIN = Asker(space="discord:1", person="zoe", admin=True)
ANN = Asker(space="discord:1", person="ann")
VIDEOS = 110


class Recorder:
    """A task that remembers what it told on its way, and keeps its end as Celery does."""

    def __init__(self, parts: Parts | None = None, job: str = "") -> None:
        self.told: list[dict[str, Any]] = []
        self._parts, self._job = parts, job

    def update_state(self, state: str, meta: dict[str, Any]) -> None:
        if state == "PROGRESS":
            self.told.append(meta)
        elif self._parts:
            self._parts.app.backend.store_result(self._job, meta, state)


@pytest.fixture
def teacher() -> Teacher:
    return Teacher()


class Loader:
    """Loads a model when it may."""

    def __init__(self) -> None:
        self.begun, self.may = threading.Event(), threading.Event()
        self.may.set()

    def __call__(self, settings: Settings, adapter: Path | None) -> Any:
        self.begun.set()
        assert self.may.wait(30)
        return load(settings, adapter)


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture
def open_parts(tmp_path: Path, teacher: Teacher, loader: Loader) -> Iterator[Callable[[], Parts]]:
    """A worker process's parts; opened again, the former process is dead."""
    opened: list[Parts] = []
    settings = Settings(data_dir=tmp_path)

    def open_one() -> Parts:
        while opened:
            opened.pop().close()
        opened.append(Parts(settings, make_app(settings, Results()), threading.Event(), loader, teacher))
        return opened[0]

    yield open_one
    while opened:
        opened.pop().close()


@pytest.fixture(scope="session")
def library_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of an installation with many videos, made once."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("library"))
    with closing(Parts(settings, make_app(settings, Results()), threading.Event(), load, Teacher())) as parts:
        parts.library.open("base", SIZE, None)
        for number in range(VIDEOS):
            share(parts, number)
    return settings.data_dir


@pytest.fixture
def parts(open_parts: Callable[[], Parts], library_folder: Path, tmp_path: Path) -> Parts:
    shutil.copytree(library_folder, tmp_path, dirs_exist_ok=True)
    return open_parts()


def share(parts: Parts, number: int, space: str = "discord:1", generation: str = "base") -> None:
    """A video titled by its number, with one picture of that number."""
    video = a_video(f"number {number}")
    key = f"videos/{video.id}/0.jpg"
    parts.blobs.put(key, numbered(number))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    parts.library.submit(video.id, video.link, video.link, space, f"person{number % 5}", at)
    [vector] = Student().frames([picture_of(number)])
    moment = Moment(moment_id(video, 0), video.id, 0.0, 5.0, key, video.title, vector, frames=(key,))
    assert parts.library.put_moments(video, [moment], generation)


def picture_of(number: int) -> Any:
    return np.asarray(Image.open(io.BytesIO(numbered(number))))


def ask(parts: Parts) -> None:
    call(parts, Retrain(asker=ADMIN))


def work(parts: Parts, recorder: Recorder | None = None) -> Update:
    """What the train worker does with the job that was sent."""
    return retraining.retrain(parts, cast(Task, recorder or Recorder()), "incident")


def first(parts: Parts, number: int) -> str:
    """The best hit by looks alone."""
    found = call(parts, Find(asker=ANN, queries=(f"number {number} please",)))
    return found.hits[0].title if found.hits else ""


def answers(parts: Parts) -> list[Any]:
    asked = [call(parts, Find(asker=ANN, queries=(f"number {number} please",))) for number in range(0, VIDEOS, 10)]
    return [found.model_dump() for found in asked]


def live(parts: Parts) -> str:
    return next(each.name for each in call(parts, ReadModels(asker=ANN)).generations if each.live)


def test_what_was_taught_is_found(parts: Parts) -> None:
    """From the lessons alone to other answers: told step by step, figures at the end, the picture kept."""
    ask(parts)
    recorder = Recorder()
    learned = work(parts, recorder)
    assert isinstance(learned, Learned)
    assert learned.outcome == "promoted"
    assert learned.r5 == 1.0
    assert (learned.r5_before or 0) < 0.9
    assert learned.questions >= 8
    assert parts.blobs.get(learned.picture or "").startswith(b"\x89PNG")
    assert recorder.told[0]["stage"] == "gather"
    assert {"train", "evaluate", "embed"} <= {told["stage"] for told in recorder.told}
    assert live(parts).startswith("taught-")
    assert isinstance(parts.models.current("discord:1").texts(["number 42"]), list)
    assert first(parts, 42) == "number 42"
    assert parts.generations.retraining() is None


@pytest.mark.parametrize(
    ("adapter", "outcome"),
    [({}, "not_better"), ({"knows": True, "confused": True}, "forgets")],
)
def test_what_is_not_better_changes_nothing(
    parts: Parts, teacher: Teacher, adapter: dict[str, Any], outcome: str
) -> None:
    """Nothing learnt, or the rest of the world forgotten: told with figures, and the search is as it was."""
    before = answers(parts)
    teacher.adapter = adapter
    ask(parts)
    learned = work(parts)
    assert isinstance(learned, Learned)
    assert learned.outcome == outcome
    assert learned.r5 is not None
    assert (live(parts), answers(parts)) == ("base", before)


def test_going_back_gives_what_there_was(parts: Parts) -> None:
    """The same answers to the last bit, and forth again, too."""
    before = answers(parts)
    ask(parts)
    work(parts)
    parts.models.current("discord:1")
    after = answers(parts)
    assert after != before
    call(parts, Rollback(asker=ADMIN))
    parts.models.current("discord:1")
    assert answers(parts) == before
    call(parts, Rollback(asker=ADMIN))
    parts.models.current("discord:1")
    assert answers(parts) == after


def test_there_is_no_way_back_from_the_first(parts: Parts) -> None:
    """Without another model there is a sentence."""
    with pytest.raises(Refusal) as refused:
        call(parts, Rollback(asker=ADMIN))
    assert refused.value.code is Code.NO_OTHER_MODEL


def test_a_later_retrain_goes_on_from_the_earlier(parts: Parts, teacher: Teacher) -> None:
    """It starts from the adapter in use, and only two generations are kept."""
    for number in range(3):
        teacher.adapter = {"knows": True, "generation": f"taught-{number}"} if number > 9 else teacher.adapter
        parts.models.current("discord:1")
        ask(parts)
        work(parts)
    assert teacher.bases[0] is None
    assert teacher.bases[1] is not None
    assert len(call(parts, ReadModels(asker=ANN)).generations) == 2


@pytest.mark.parametrize("stage", ["gather", "train", "evaluate", "embed", "switch"])
def test_a_killed_trainer_s_work_is_gone_on_with(
    parts: Parts, open_parts: Callable[[], Parts], stage: str, teacher: Teacher
) -> None:
    """Whenever it dies, searches go on as before, and the next worker ends what it began, once."""

    class Killed(BaseException):
        pass

    class Killer(Recorder):
        def update_state(self, state: str, meta: dict[str, Any]) -> None:
            if meta.get("stage") == stage:
                raise Killed

    ask(parts)
    before = answers(parts)
    with pytest.raises(Killed):
        work(parts, Killer())
    assert answers(parts) == before
    again = open_parts()
    retraining.resume(again)
    learned = work(again)
    assert isinstance(learned, Learned)
    assert learned.outcome == "promoted"
    assert again.library.missing(live(again)) == []
    assert first(again, 42) == "number 42"
    if stage in ("embed", "switch"):
        assert len(teacher.taught) == 1


def test_a_stopped_worker_gives_the_job_back(parts: Parts, teacher: Teacher) -> None:
    """Told to shut down, it leaves at the next step, and the job is queued again."""
    teacher.stops = lambda step: parts.stopping.set()
    ask(parts)
    with pytest.raises(Reject) as rejected:
        work(parts)
    assert rejected.value.requeue
    assert parts.generations.retraining() is not None


def test_nobody_to_tell_ends_nothing(parts: Parts) -> None:
    """Where the queue is away only the progress is lost."""

    class Deaf(Recorder):
        def update_state(self, state: str, meta: dict[str, Any]) -> None:
            super().update_state(state, meta)
            raise RedisError("away")

    recorder = Deaf()
    ask(parts)
    learned = work(parts, recorder)
    assert isinstance(learned, Learned)
    assert learned.outcome == "promoted"
    assert len(recorder.told) == 1


def test_a_store_that_is_away_ends_nothing(parts: Parts, teacher: Teacher) -> None:
    """The retrain stays on record, and is gone on with when the store is back."""

    def away(step: int) -> None:
        teacher.stops = lambda step: None
        raise StoreUnavailable("away")

    teacher.stops = away
    ask(parts)
    with pytest.raises(Ignore):
        work(parts)
    assert parts.claims.queue(retraining.CLAIM)
    learned = work(parts)
    assert isinstance(learned, Learned)
    assert learned.outcome == "promoted"
    with pytest.raises(Ignore):
        work(parts)


def test_an_admin_may_end_it(parts: Parts, teacher: Teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled, it ends at its next checkpoint and changes nothing."""
    monkeypatch.setattr(retraining, "LOOK_EVERY_S", 0.0)
    teacher.stops = lambda step: call(parts, Retrain(asker=ADMIN, cancel=True)) and None  # type: ignore[func-returns-value]
    ask(parts)
    assert work(parts) == Learned(outcome="cancelled")
    assert live(parts) == "base"
    assert call(parts, Retrain(asker=ADMIN, cancel=True)).job_id is None


def test_a_second_request_is_told_of_the_first(parts: Parts) -> None:
    """There is one at a time."""
    assert call(parts, Retrain(asker=ADMIN)).begun
    second = call(parts, Retrain(asker=ADMIN))
    assert (second.begun, second.job_id) == (False, retraining.job_id("discord:1"))


def test_who_comes_late_is_told_how_it_ended(parts: Parts) -> None:
    """Asked without beginning one: the one that runs, then the one that has ended, and before there was any, none."""
    assert call(parts, Retrain(asker=ADMIN, begin=False)).job_id is None
    ask(parts)
    job = retraining.job_id("discord:1")
    assert call(parts, Retrain(asker=ADMIN, begin=False)) == Training(job_id=job)
    work(parts, Recorder(parts, job))
    assert call(parts, Retrain(asker=ADMIN, begin=False)) == Training(job_id=job)
    assert parts.app.AsyncResult(job).result["outcome"] == "promoted"
    assert parts.generations.retraining() is None


def test_what_fails_is_told_and_over(parts: Parts, teacher: Teacher) -> None:
    """A fault of ours ends the retrain with a code; the next one may begin."""

    def fail(step: int) -> None:
        raise RuntimeError("a fault of ours")

    teacher.stops = fail
    ask(parts)
    assert work(parts) == Failed(code=Code.INTERNAL, incident="incident")
    assert call(parts, Retrain(asker=ADMIN)).begun


def test_who_is_no_admin_is_refused(parts: Parts) -> None:
    """At the worker, whatever a frontend forgot."""
    for request in (Retrain(asker=ANN), PreviewRetrain(asker=ANN), Rollback(asker=ANN)):
        with pytest.raises(Refusal) as refused:
            call(parts, request)  # type: ignore[arg-type]
        assert refused.value.code is Code.ADMINS_ONLY


@pytest.fixture
def together(parts: Parts) -> Parts:
    """An installation of one adapter for all."""
    parts.settings = parts.models._settings = parts.settings.model_copy(update={"adapter_scope": "installation"})
    return parts


def test_spaces_learn_together_only_by_a_setting(together: Parts, teacher: Teacher) -> None:
    """Then one adapter learns from all, all search with it and go back with it, and find what was added meanwhile."""
    share(together, 111, space="slack:2")
    assert call(together, PreviewRetrain(asker=ADMIN)).pairs == VIDEOS + 1
    ask(together)
    work(together)
    assert {pair.text for pair in teacher.taught[0]} >= {"number 3", "number 111"}
    assert live(together) == together.library.generation() == together.library.generation("slack:2")
    share(together, 115, generation=live(together))
    call(together, Rollback(asker=ADMIN))
    assert live(together) == "base"
    assert together.library.missing("base") == [a_video("number 115").id]
    retraining.catch_up(together)
    assert together.library.missing("base") == []


def test_searches_never_wait_for_a_new_model(parts: Parts, loader: Loader) -> None:
    """While the next model is being loaded, the one before answers, by its own vectors."""
    before = answers(parts)
    ask(parts)
    work(parts)
    loader.may.clear()
    loader.begun.clear()
    assert answers(parts) == before
    assert loader.begun.wait(30)
    assert answers(parts) == before
    loader.may.set()
    parts.models.current("discord:1")
    assert first(parts, 42) == "number 42"
