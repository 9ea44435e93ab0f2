"""One job for each waiting video, also when the queue fails, and told of as it is on record."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import pytest
from celery import Task
from celery.exceptions import BackendError, Ignore, Reject, Retry
from kombu.exceptions import OperationalError
from pydantic import SecretStr
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import RedisError

from indexer.errors import IndexerError, NotFound, StoreUnavailable
from indexer.store.blobs import video_prefix
from indexer.store.library import Library
from indexer.store.records import VideoRecord
from indexer.vectors.vector_store import Filter
from tests.conftest import free_port
from tests.support.indexer_fakes import Between, a_video, crash, some_moments
from worker.handlers.library import ANSWERS
from worker.handlers.spaces import RequestRefusedError
from worker.jobs.index import index, resume, send_index
from worker.leases import JobLeases, MemoryLeaseStore
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller, GetVideoStatus, Indexed, JobFailed
from worker.queue.app import make_app
from worker.queue.app import waiting as waiting_in
from worker.queue.memory_backend import MemoryResultStore
from worker.services import Services, work_folder
from worker.settings import Settings

VIDEO = a_video("dog")
RUN = f"run:{VIDEO.id}"
Ingesting: TypeAlias = Callable[[VideoRecord, Path, Callable[[str, float], None]], VideoRecord | None]
ANN = Caller(space="discord:1", user_id="ann")


class StandInTask:
    """A task as Celery binds it, with what it was told."""

    def __init__(self, attempt: int = 0, fails: Exception | None = None, queue_is_away: bool = False) -> None:
        self.request = SimpleNamespace(retries=attempt)
        self.states: list[Any] = []
        self._fails, self._queue_is_away = fails, queue_is_away

    def update_state(self, state: str, meta: Any) -> None:
        if self._fails:
            raise self._fails
        self.states.append(meta)

    def retry(self, countdown: float, throw: bool) -> Retry:
        if self._queue_is_away:
            raise Reject("as Celery does")
        return Retry(when=countdown)


class Noting(MemoryLeaseStore):
    """Knows who took a lease last."""

    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[str, str] = {}

    def take(self, name: str, owner: str, seconds: float) -> bool:
        self.owners[name] = owner
        return super().take(name, owner, seconds)


class Here(Services):
    """Where nothing is fetched: a job's work is what the test says."""

    work: Ingesting

    def ingest(self) -> Any:
        return self.work


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Here]:
    settings = Settings(data_dir=tmp_path)
    nothing: Any = None
    with closing(Here(settings, make_app(settings, MemoryResultStore()), threading.Event(), nothing, nothing)) as one:
        yield one


@pytest.fixture
def waiting(services: Here) -> VideoRecord:
    return services.library.submit(VIDEO.id, VIDEO.link, VIDEO.link, ANN.space, ANN.user_id, datetime.now(UTC))


def works(services: Here, fails: Callable[[], None] = lambda: None) -> None:
    """What is fetched and decoded is there at once; then something may happen."""

    def ingest(record: VideoRecord, folder: Path, progress: Callable[[str, float], None]) -> VideoRecord | None:
        progress("fetch", 0.0)
        services.blobs.put(f"{video_prefix(VIDEO.id)}0.jpg", b"picture")
        fails()
        services.library.open("fake", 8, 8)
        services.library.put_moments(VIDEO, some_moments(VIDEO, "dog"), "fake")
        return services.library.video(VIDEO.id)

    services.work = ingest


def with_(error: IndexerError) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def run(services: Services, task: StandInTask | None = None) -> Any:
    return index(services, cast(Task, task or StandInTask()), VIDEO.id, "incident")


def test_a_job_that_was_not_sent_holds_no_claim(tmp_path: Path) -> None:
    """Where the queue can't be reached, the video can be queued again as soon as it can."""
    app = make_app(Settings(data_dir=tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    app.conf.result_backend_max_retries = 0
    leases = JobLeases(MemoryLeaseStore())
    with pytest.raises((OperationalError, RedisError, BackendError)):
        send_index(cast(Services, SimpleNamespace(leases=leases, app=app)), "video")
    assert leases.queue("video")


def test_what_a_dead_worker_took_along_is_sent_again(services: Here, waiting: VideoRecord) -> None:
    """A job whose message waits has no second one; where nothing waits and nobody runs it, it gets a new one."""
    services.settings = services.settings.model_copy(update={"redis_url": SecretStr("redis://elsewhere")})
    services.app.control.purge()
    send_index(services, VIDEO.id)
    resume(services)
    assert waiting_in(services.app, "index") == 1
    services.app.control.purge()  # as by a worker that was killed with it in hand
    resume(services)
    assert waiting_in(services.app, "index") == 1
    services.app.control.purge()
    with services.leases.running(VIDEO.id, "other"):
        resume(services)
    services.leases.requeue(VIDEO.id, 20)
    resume(services)
    assert waiting_in(services.app, "index") == 0


def test_a_copy_tells_nothing(services: Here, waiting: VideoRecord) -> None:
    """Delivered again while it runs, a job is left alone: `Reject` would have been told to all as its failure."""
    with services.leases.running(VIDEO.id, "other"), pytest.raises(Ignore):
        run(services)


def test_a_late_copy_tells_how_it_ended(services: Here, waiting: VideoRecord) -> None:
    """Delivered again after it failed, a job is told of as failed; what its worker left in the work folder goes."""
    services.library.fail(VIDEO.id, ErrorCode.NOT_FOUND)
    left = work_folder(services.settings, VIDEO.id) / "media"
    left.mkdir(parents=True)
    assert run(services) == JobFailed(code=ErrorCode.NOT_FOUND, correlation_id="incident")
    assert not left.parent.exists()


def test_progress_that_nobody_hears_stops_nothing(services: Here, waiting: VideoRecord) -> None:
    """While Redis is away the job goes on."""
    works(services)
    assert isinstance(run(services, StandInTask(fails=RedisAway())), Indexed)


def test_what_failed_leaves_no_pictures(services: Here, waiting: VideoRecord) -> None:
    """Neither on record nor in the blob store."""
    works(services, with_(NotFound()))
    assert run(services).code is ErrorCode.NOT_FOUND
    with pytest.raises(KeyError):
        services.blobs.get(f"{video_prefix(VIDEO.id)}0.jpg")


def test_a_failure_is_told_once_it_is_on_record(services: Here, waiting: VideoRecord) -> None:
    """While the store is away a video goes on waiting, however often it was tried."""

    def goes_away() -> None:
        services.library = Library(Between(services.points, 1, crash))
        raise StoreUnavailable

    works(services, goes_away)
    with pytest.raises(Retry):
        run(services, StandInTask(attempt=9))
    record = services.library.video(VIDEO.id)
    assert record is not None
    assert record.status == "waiting"


def test_without_the_queue_a_retry_is_left_to_the_record(services: Here, waiting: VideoRecord) -> None:
    """Celery gives such a job up as failed; here it waits on record, and is told of only when it ends."""
    works(services, with_(StoreUnavailable()))
    with pytest.raises(Ignore):
        run(services, StandInTask(queue_is_away=True))
    assert services.library.waiting()


def test_a_job_that_was_taken_over_tells_nothing(services: Here, waiting: VideoRecord) -> None:
    """A worker that stood still fails its video no more once another has it."""
    leases = Noting()
    services.leases = JobLeases(leases)

    def taken_over() -> None:
        leases.drop(RUN, leases.owners[RUN])
        assert leases.take(RUN, "another", 60)
        raise NotFound

    works(services, taken_over)
    with pytest.raises(Ignore):
        run(services)
    assert services.library.waiting()
    assert services.blobs.get(f"{video_prefix(VIDEO.id)}0.jpg")


def test_a_job_that_another_ended_is_told_of_so(services: Here, waiting: VideoRecord) -> None:
    """A worker that stood still and then fails takes away nothing of what another stored meanwhile."""
    works(services)
    whole = services.work

    def overtaken(record: VideoRecord, folder: Path, progress: Callable[[str, float], None]) -> VideoRecord | None:
        whole(record, folder, progress)
        raise NotFound

    services.work = overtaken
    assert isinstance(run(services), Indexed)
    assert services.blobs.get(f"{video_prefix(VIDEO.id)}0.jpg")


def test_what_was_told_to_have_failed_is_not_found_after_all(services: Here, waiting: VideoRecord) -> None:
    """A worker that stood still and then succeeds keeps nothing of what another failed meanwhile."""
    works(services, lambda: services.library.fail(VIDEO.id, ErrorCode.UNREACHABLE))
    assert run(services) == JobFailed(code=ErrorCode.UNREACHABLE, correlation_id="incident")
    assert services.points.count("moments", Filter()) == 0


def test_who_hears_nothing_can_ask(services: Here, waiting: VideoRecord) -> None:
    """How a job stands is on record; a waiting video gets its job anew; other spaces are told nothing."""
    request = GetVideoStatus(caller=ANN, video_id=VIDEO.id)
    assert ANSWERS["standing"](services, request).update is None  # type: ignore[attr-defined]
    assert not services.leases.queue(VIDEO.id)
    works(services)
    run(services)
    assert ANSWERS["standing"](services, request).update.status == "indexed"  # type: ignore[attr-defined]
    with pytest.raises(RequestRefusedError):
        ANSWERS["standing"](services, GetVideoStatus(caller=Caller(space="slack:2", user_id="ann"), video_id=VIDEO.id))
