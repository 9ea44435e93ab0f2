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
from indexer.vectors.vector_store import Where
from tests.conftest import free_port
from tests.support.indexer_fakes import Between, a_video, crash, some_moments
from worker.handlers.library import ANSWERS
from worker.handlers.spaces import Refusal
from worker.jobs.index import index, resume, send_index
from worker.leases import Claims, MemoryLeases
from worker.protocol.error_codes import Code
from worker.protocol.messages import Asker, Failed, Indexed, Standing
from worker.queue.app import make_app
from worker.queue.app import waiting as waiting_in
from worker.queue.memory_backend import Results
from worker.services import Parts, work_folder
from worker.settings import Settings

VIDEO = a_video("dog")
RUN = f"run:{VIDEO.id}"
Ingesting: TypeAlias = Callable[[VideoRecord, Path, Callable[[str, float], None]], VideoRecord | None]
ANN = Asker(space="discord:1", person="ann")


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


class Noting(MemoryLeases):
    """Knows who took a lease last."""

    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[str, str] = {}

    def take(self, name: str, owner: str, seconds: float) -> bool:
        self.owners[name] = owner
        return super().take(name, owner, seconds)


class Here(Parts):
    """Where nothing is fetched: a job's work is what the test says."""

    work: Ingesting

    def ingest(self) -> Any:
        return self.work


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Here]:
    settings = Settings(data_dir=tmp_path)
    nothing: Any = None
    with closing(Here(settings, make_app(settings, Results()), threading.Event(), nothing, nothing)) as one:
        yield one


@pytest.fixture
def waiting(parts: Here) -> VideoRecord:
    return parts.library.submit(VIDEO.id, VIDEO.link, VIDEO.link, ANN.space, ANN.person, datetime.now(UTC))


def works(parts: Here, fails: Callable[[], None] = lambda: None) -> None:
    """What is fetched and decoded is there at once; then something may happen."""

    def ingest(record: VideoRecord, folder: Path, progress: Callable[[str, float], None]) -> VideoRecord | None:
        progress("fetch", 0.0)
        parts.blobs.put(f"{video_prefix(VIDEO.id)}0.jpg", b"picture")
        fails()
        parts.library.open("fake", 8, 8)
        parts.library.put_moments(VIDEO, some_moments(VIDEO, "dog"), "fake")
        return parts.library.video(VIDEO.id)

    parts.work = ingest


def with_(error: IndexerError) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def run(parts: Parts, task: StandInTask | None = None) -> Any:
    return index(parts, cast(Task, task or StandInTask()), VIDEO.id, "incident")


def test_a_job_that_was_not_sent_holds_no_claim(tmp_path: Path) -> None:
    """Where the queue can't be reached, the video can be queued again as soon as it can."""
    app = make_app(Settings(data_dir=tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    app.conf.result_backend_max_retries = 0
    claims = Claims(MemoryLeases())
    with pytest.raises((OperationalError, RedisError, BackendError)):
        send_index(cast(Parts, SimpleNamespace(claims=claims, app=app)), "video")
    assert claims.queue("video")


def test_what_a_dead_worker_took_along_is_sent_again(parts: Here, waiting: VideoRecord) -> None:
    """A job whose message waits has no second one; where nothing waits and nobody runs it, it gets a new one."""
    parts.settings = parts.settings.model_copy(update={"redis_url": SecretStr("redis://elsewhere")})
    parts.app.control.purge()
    send_index(parts, VIDEO.id)
    resume(parts)
    assert waiting_in(parts.app, "index") == 1
    parts.app.control.purge()  # as by a worker that was killed with it in hand
    resume(parts)
    assert waiting_in(parts.app, "index") == 1
    parts.app.control.purge()
    with parts.claims.running(VIDEO.id, "other"):
        resume(parts)
    parts.claims.requeue(VIDEO.id, 20)
    resume(parts)
    assert waiting_in(parts.app, "index") == 0


def test_a_copy_tells_nothing(parts: Here, waiting: VideoRecord) -> None:
    """Delivered again while it runs, a job is left alone: `Reject` would have been told to all as its failure."""
    with parts.claims.running(VIDEO.id, "other"), pytest.raises(Ignore):
        run(parts)


def test_a_late_copy_tells_how_it_ended(parts: Here, waiting: VideoRecord) -> None:
    """Delivered again after it failed, a job is told of as failed; what its worker left in the work folder goes."""
    parts.library.fail(VIDEO.id, Code.NOT_FOUND)
    left = work_folder(parts.settings, VIDEO.id) / "media"
    left.mkdir(parents=True)
    assert run(parts) == Failed(code=Code.NOT_FOUND, incident="incident")
    assert not left.parent.exists()


def test_progress_that_nobody_hears_stops_nothing(parts: Here, waiting: VideoRecord) -> None:
    """While Redis is away the job goes on."""
    works(parts)
    assert isinstance(run(parts, StandInTask(fails=RedisAway())), Indexed)


def test_what_failed_leaves_no_pictures(parts: Here, waiting: VideoRecord) -> None:
    """Neither on record nor in the blob store."""
    works(parts, with_(NotFound()))
    assert run(parts).code is Code.NOT_FOUND
    with pytest.raises(KeyError):
        parts.blobs.get(f"{video_prefix(VIDEO.id)}0.jpg")


def test_a_failure_is_told_once_it_is_on_record(parts: Here, waiting: VideoRecord) -> None:
    """While the store is away a video goes on waiting, however often it was tried."""

    def goes_away() -> None:
        parts.library = Library(Between(parts.points, 1, crash))
        raise StoreUnavailable

    works(parts, goes_away)
    with pytest.raises(Retry):
        run(parts, StandInTask(attempt=9))
    record = parts.library.video(VIDEO.id)
    assert record is not None
    assert record.status == "waiting"


def test_without_the_queue_a_retry_is_left_to_the_record(parts: Here, waiting: VideoRecord) -> None:
    """Celery gives such a job up as failed; here it waits on record, and is told of only when it ends."""
    works(parts, with_(StoreUnavailable()))
    with pytest.raises(Ignore):
        run(parts, StandInTask(queue_is_away=True))
    assert parts.library.waiting()


def test_a_job_that_was_taken_over_tells_nothing(parts: Here, waiting: VideoRecord) -> None:
    """A worker that stood still fails its video no more once another has it."""
    leases = Noting()
    parts.claims = Claims(leases)

    def taken_over() -> None:
        leases.drop(RUN, leases.owners[RUN])
        assert leases.take(RUN, "another", 60)
        raise NotFound

    works(parts, taken_over)
    with pytest.raises(Ignore):
        run(parts)
    assert parts.library.waiting()
    assert parts.blobs.get(f"{video_prefix(VIDEO.id)}0.jpg")


def test_a_job_that_another_ended_is_told_of_so(parts: Here, waiting: VideoRecord) -> None:
    """A worker that stood still and then fails takes away nothing of what another stored meanwhile."""
    works(parts)
    whole = parts.work

    def overtaken(record: VideoRecord, folder: Path, progress: Callable[[str, float], None]) -> VideoRecord | None:
        whole(record, folder, progress)
        raise NotFound

    parts.work = overtaken
    assert isinstance(run(parts), Indexed)
    assert parts.blobs.get(f"{video_prefix(VIDEO.id)}0.jpg")


def test_what_was_told_to_have_failed_is_not_found_after_all(parts: Here, waiting: VideoRecord) -> None:
    """A worker that stood still and then succeeds keeps nothing of what another failed meanwhile."""
    works(parts, lambda: parts.library.fail(VIDEO.id, Code.UNREACHABLE))
    assert run(parts) == Failed(code=Code.UNREACHABLE, incident="incident")
    assert parts.points.count("moments", Where()) == 0


def test_who_hears_nothing_can_ask(parts: Here, waiting: VideoRecord) -> None:
    """How a job stands is on record; a waiting video gets its job anew; other spaces are told nothing."""
    request = Standing(asker=ANN, video_id=VIDEO.id)
    assert ANSWERS["standing"](parts, request).update is None  # type: ignore[attr-defined]
    assert not parts.claims.queue(VIDEO.id)
    works(parts)
    run(parts)
    assert ANSWERS["standing"](parts, request).update.status == "indexed"  # type: ignore[attr-defined]
    with pytest.raises(Refusal):
        ANSWERS["standing"](parts, Standing(asker=Asker(space="slack:2", person="ann"), video_id=VIDEO.id))
