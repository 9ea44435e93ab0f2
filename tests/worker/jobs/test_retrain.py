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

from indexer.errors import StoreUnavailableError
from indexer.types import Moment
from tests.support.indexer_fakes import a_video, moment_id
from tests.support.toy_model import SIZE, Student, Teacher, load, numbered
from tests.worker.handlers.test_spaces import call
from worker.handlers.spaces import RequestRefusedError
from worker.jobs import retrain as retraining
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import (
    Caller,
    Find,
    JobFailed,
    ListModels,
    PreviewRetrain,
    Retrain,
    RetrainFinished,
    RetrainStarted,
    Rollback,
    Update,
)
from worker.queue.app import make_app
from worker.queue.memory_backend import MemoryResultStore
from worker.services import Services
from worker.settings import Settings

ADMIN = Caller(space="discord:1", user_id="zoe", is_admin=True)
ANN = Caller(space="discord:1", user_id="ann")
VIDEOS = 110


class Recorder:
    """A task that remembers what it told on its way, and keeps its end as Celery does."""

    def __init__(self, services: Services | None = None, job: str = "") -> None:
        self.told: list[dict[str, Any]] = []
        self._parts, self._job = services, job

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
def open_parts(tmp_path: Path, teacher: Teacher, loader: Loader) -> Iterator[Callable[[], Services]]:
    """A worker process's parts; opened again, the former process is dead."""
    opened: list[Services] = []
    settings = Settings(data_dir=tmp_path)

    def open_one() -> Services:
        while opened:
            opened.pop().close()
        opened.append(Services(settings, make_app(settings, MemoryResultStore()), threading.Event(), loader, teacher))
        return opened[0]

    yield open_one
    while opened:
        opened.pop().close()


@pytest.fixture(scope="session")
def library_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of an installation with many videos, made once."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("library"))
    with closing(
        Services(settings, make_app(settings, MemoryResultStore()), threading.Event(), load, Teacher())
    ) as services:
        services.library.open("base", SIZE, None)
        for number in range(VIDEOS):
            share(services, number)
    return settings.data_dir


@pytest.fixture
def services(open_parts: Callable[[], Services], library_folder: Path, tmp_path: Path) -> Services:
    shutil.copytree(library_folder, tmp_path, dirs_exist_ok=True)
    return open_parts()


def share(services: Services, number: int, space: str = "discord:1", generation: str = "base") -> None:
    """A video titled by its number, with one picture of that number."""
    video = a_video(f"number {number}")
    key = f"videos/{video.id}/0.jpg"
    services.blobs.put(key, numbered(number))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    services.library.submit(video.id, video.link, video.link, space, f"person{number % 5}", at)
    [vector] = Student().frames([picture_of(number)])
    moment = Moment(moment_id(video, 0), video.id, 0.0, 5.0, key, video.title, vector, frames=(key,))
    assert services.library.put_moments(video, [moment], generation)


def picture_of(number: int) -> Any:
    return np.asarray(Image.open(io.BytesIO(numbered(number))))


def ask(services: Services) -> None:
    call(services, Retrain(caller=ADMIN))


def work(services: Services, recorder: Recorder | None = None) -> Update:
    """What the train worker does with the job that was sent."""
    return retraining.retrain(services, cast(Task, recorder or Recorder()), "incident")


def first(services: Services, number: int) -> str:
    """The best hit by looks alone."""
    found = call(services, Find(caller=ANN, queries=(f"number {number} please",)))
    return found.hits[0].title if found.hits else ""


def answers(services: Services) -> list[Any]:
    asked = [call(services, Find(caller=ANN, queries=(f"number {number} please",))) for number in range(0, VIDEOS, 10)]
    return [found.model_dump() for found in asked]


def live(services: Services) -> str:
    return next(each.name for each in call(services, ListModels(caller=ANN)).generations if each.live)


def test_what_was_taught_is_found(services: Services) -> None:
    """From the lessons alone to other answers: told step by step, figures at the end, the picture kept."""
    ask(services)
    recorder = Recorder()
    learned = work(services, recorder)
    assert isinstance(learned, RetrainFinished)
    assert learned.outcome == "promoted"
    assert learned.r5 == 1.0
    assert (learned.r5_before or 0) < 0.9
    assert learned.questions >= 8
    assert services.blobs.get(learned.picture or "").startswith(b"\x89PNG")
    assert recorder.told[0]["stage"] == "gather"
    assert {"train", "evaluate", "embed"} <= {told["stage"] for told in recorder.told}
    assert live(services).startswith("taught-")
    assert isinstance(services.models.current("discord:1").texts(["number 42"]), list)
    assert first(services, 42) == "number 42"
    assert services.generations.retraining() is None


@pytest.mark.parametrize(
    ("adapter", "outcome"),
    [({}, "not_better"), ({"knows": True, "confused": True}, "forgets")],
)
def test_what_is_not_better_changes_nothing(
    services: Services, teacher: Teacher, adapter: dict[str, Any], outcome: str
) -> None:
    """Nothing learnt, or the rest of the world forgotten: told with figures, and the search is as it was."""
    before = answers(services)
    teacher.adapter = adapter
    ask(services)
    learned = work(services)
    assert isinstance(learned, RetrainFinished)
    assert learned.outcome == outcome
    assert learned.r5 is not None
    assert (live(services), answers(services)) == ("base", before)


def test_going_back_gives_what_there_was(services: Services) -> None:
    """The same answers to the last bit, and forth again, too."""
    before = answers(services)
    ask(services)
    work(services)
    services.models.current("discord:1")
    after = answers(services)
    assert after != before
    call(services, Rollback(caller=ADMIN))
    services.models.current("discord:1")
    assert answers(services) == before
    call(services, Rollback(caller=ADMIN))
    services.models.current("discord:1")
    assert answers(services) == after


def test_there_is_no_way_back_from_the_first(services: Services) -> None:
    """Without another model there is a sentence."""
    with pytest.raises(RequestRefusedError) as refused:
        call(services, Rollback(caller=ADMIN))
    assert refused.value.code is ErrorCode.NO_OTHER_MODEL


def test_a_later_retrain_goes_on_from_the_earlier(services: Services, teacher: Teacher) -> None:
    """It starts from the adapter in use, and only two generations are kept."""
    for number in range(3):
        teacher.adapter = {"knows": True, "generation": f"taught-{number}"} if number > 9 else teacher.adapter
        services.models.current("discord:1")
        ask(services)
        work(services)
    assert teacher.bases[0] is None
    assert teacher.bases[1] is not None
    assert len(call(services, ListModels(caller=ANN)).generations) == 2


@pytest.mark.parametrize("stage", ["gather", "train", "evaluate", "embed", "switch"])
def test_a_killed_trainer_s_work_is_gone_on_with(
    services: Services, open_parts: Callable[[], Services], stage: str, teacher: Teacher
) -> None:
    """Whenever it dies, searches go on as before, and the next worker ends what it began, once."""

    class Killed(BaseException):
        pass

    class Killer(Recorder):
        def update_state(self, state: str, meta: dict[str, Any]) -> None:
            if meta.get("stage") == stage:
                raise Killed

    ask(services)
    before = answers(services)
    with pytest.raises(Killed):
        work(services, Killer())
    assert answers(services) == before
    again = open_parts()
    retraining.resume(again)
    learned = work(again)
    assert isinstance(learned, RetrainFinished)
    assert learned.outcome == "promoted"
    assert again.library.missing(live(again)) == []
    assert first(again, 42) == "number 42"
    if stage in ("embed", "switch"):
        assert len(teacher.taught) == 1


def test_a_stopped_worker_gives_the_job_back(services: Services, teacher: Teacher) -> None:
    """Told to shut down, it leaves at the next step, and the job is queued again."""
    teacher.stops = lambda step: services.stopping.set()
    ask(services)
    with pytest.raises(Reject) as rejected:
        work(services)
    assert rejected.value.requeue
    assert services.generations.retraining() is not None


def test_nobody_to_tell_ends_nothing(services: Services) -> None:
    """Where the queue is away only the progress is lost."""

    class Deaf(Recorder):
        def update_state(self, state: str, meta: dict[str, Any]) -> None:
            super().update_state(state, meta)
            raise RedisError("away")

    recorder = Deaf()
    ask(services)
    learned = work(services, recorder)
    assert isinstance(learned, RetrainFinished)
    assert learned.outcome == "promoted"
    assert len(recorder.told) == 1


def test_a_store_that_is_away_ends_nothing(services: Services, teacher: Teacher) -> None:
    """The retrain stays on record, and is gone on with when the store is back."""

    def away(step: int) -> None:
        teacher.stops = lambda step: None
        raise StoreUnavailableError("away")

    teacher.stops = away
    ask(services)
    with pytest.raises(Ignore):
        work(services)
    assert services.leases.queue(retraining.CLAIM)
    learned = work(services)
    assert isinstance(learned, RetrainFinished)
    assert learned.outcome == "promoted"
    with pytest.raises(Ignore):
        work(services)


def test_an_admin_may_end_it(services: Services, teacher: Teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled, it ends at its next checkpoint and changes nothing."""
    monkeypatch.setattr(retraining, "LOOK_EVERY_S", 0.0)
    teacher.stops = lambda step: call(services, Retrain(caller=ADMIN, cancel=True)) and None  # type: ignore[func-returns-value]
    ask(services)
    assert work(services) == RetrainFinished(outcome="cancelled")
    assert live(services) == "base"
    assert call(services, Retrain(caller=ADMIN, cancel=True)).job_id is None


def test_a_second_request_is_told_of_the_first(services: Services) -> None:
    """There is one at a time."""
    assert call(services, Retrain(caller=ADMIN)).begun
    second = call(services, Retrain(caller=ADMIN))
    assert (second.begun, second.job_id) == (False, retraining.job_id("discord:1"))


def test_who_comes_late_is_told_how_it_ended(services: Services) -> None:
    """Asked without beginning one: the one that runs, then the one that has ended, and before there was any, none."""
    assert call(services, Retrain(caller=ADMIN, begin=False)).job_id is None
    ask(services)
    job = retraining.job_id("discord:1")
    assert call(services, Retrain(caller=ADMIN, begin=False)) == RetrainStarted(job_id=job)
    work(services, Recorder(services, job))
    assert call(services, Retrain(caller=ADMIN, begin=False)) == RetrainStarted(job_id=job)
    assert services.app.AsyncResult(job).result["outcome"] == "promoted"
    assert services.generations.retraining() is None


def test_what_fails_is_told_and_over(services: Services, teacher: Teacher) -> None:
    """A fault of ours ends the retrain with a code; the next one may begin."""

    def fail(step: int) -> None:
        raise RuntimeError("a fault of ours")

    teacher.stops = fail
    ask(services)
    assert work(services) == JobFailed(code=ErrorCode.INTERNAL, correlation_id="incident")
    assert call(services, Retrain(caller=ADMIN)).begun


def test_who_is_no_admin_is_refused(services: Services) -> None:
    """At the worker, whatever a frontend forgot."""
    for request in (Retrain(caller=ANN), PreviewRetrain(caller=ANN), Rollback(caller=ANN)):
        with pytest.raises(RequestRefusedError) as refused:
            call(services, request)  # type: ignore[arg-type]
        assert refused.value.code is ErrorCode.ADMINS_ONLY


@pytest.fixture
def together(services: Services) -> Services:
    """An installation of one adapter for all."""
    services.settings = services.models._settings = services.settings.model_copy(
        update={"adapter_scope": "installation"}
    )
    return services


def test_spaces_learn_together_only_by_a_setting(together: Services, teacher: Teacher) -> None:
    """Then one adapter learns from all, all search with it and go back with it, and find what was added meanwhile."""
    share(together, 111, space="slack:2")
    assert call(together, PreviewRetrain(caller=ADMIN)).pairs == VIDEOS + 1
    ask(together)
    work(together)
    assert {pair.text for pair in teacher.taught[0]} >= {"number 3", "number 111"}
    assert live(together) == together.library.generation() == together.library.generation("slack:2")
    share(together, 115, generation=live(together))
    call(together, Rollback(caller=ADMIN))
    assert live(together) == "base"
    assert together.library.missing("base") == [a_video("number 115").id]
    retraining.catch_up(together)
    assert together.library.missing("base") == []


def test_searches_never_wait_for_a_new_model(services: Services, loader: Loader) -> None:
    """While the next model is being loaded, the one before answers, by its own vectors."""
    before = answers(services)
    ask(services)
    work(services)
    loader.may.clear()
    loader.begun.clear()
    assert answers(services) == before
    assert loader.begun.wait(30)
    assert answers(services) == before
    loader.may.set()
    services.models.current("discord:1")
    assert first(services, 42) == "number 42"
