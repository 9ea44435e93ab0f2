"""The index job and its queue: one job per waiting video, retries, failures, and copies of a job."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest
from celery.exceptions import Ignore, Reject, Retry
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from indexer.blobs import video_prefix
from indexer.errors import OtherAddressError, StoreUnavailableError, VideoNotFoundError
from indexer.ingest.ingest import IngestPipeline
from indexer.link.canonical import canonicalize
from indexer.sandbox.guard import SsrfGuard
from indexer.stages import IndexStage
from indexer.store.records import IndexStatus, NewSubmission, VideoRecord
from indexer.store.stores import open_stores
from indexer.vectors.vector_store import Filter
from model.errors import EncoderMemoryError
from model.ports import Encoder as ModelEncoder
from tests.support.indexer.fakes import InterruptedVectorStore, make_moments, make_video, raise_store_unavailable
from tests.support.servers.network import free_port
from tests.support.worker.callers import ANN, OTHER_SPACE
from tests.support.worker.recording_task import RecordingTask
from tests.support.worker.services import FAKE, add_video, create_fake_generation, handle, local_link, open_services
from worker.handlers.errors import RequestRefusedError
from worker.job_leases import JobLeases
from worker.jobs.index import IndexJob
from worker.jobs.work_dirs import video_work_dir
from worker.leases import MemoryLeaseStore, RedisLeaseStore
from worker.models.loading import ModelChoice
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Forget, GetVideoStatus, ListLibrary, Submit
from worker.protocol.updates import Indexed, IndexOutcome, JobFailed, Joined
from worker.queue.app import count_waiting, make_app
from worker.queue.errors import QueueUnavailableError
from worker.services import Services
from worker.settings import Settings

VIDEO = make_video("dog")
LOOPBACK = (IPv4Network("127.0.0.0/8"),)
BLOB = f"{video_prefix(VIDEO.id)}0.jpg"
RUN_LEASE = f"run:{VIDEO.id}"
CORRELATION_ID = "abc123"

Pipeline: TypeAlias = Callable[[VideoRecord, Path, Callable[[IndexStage, float], None]], VideoRecord | None]


class UnreachableResultBackend(RecordingTask):
    """A task whose progress cannot be published."""

    def update_state(self, state: str, meta: dict[str, Any]) -> None:
        raise RedisConnectionError


class UnreachableQueue(RecordingTask):
    """A task that cannot be retried: Celery rejects it then."""

    def retry(self, countdown: float, throw: bool) -> Retry:
        raise Reject("the queue is unavailable")


class OwnerRecordingLeases(MemoryLeaseStore):
    """Records who acquired a lease last."""

    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[str, str] = {}

    def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        self.owners[name] = owner
        return super().acquire(name, owner, ttl_s)


class InterruptedLeases(MemoryLeaseStore):
    """Calls a function before a job's lease is released for the first time."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        super().__init__()
        self._interrupt: Callable[[], None] | None = interrupt

    def release(self, name: str, owner: str) -> None:
        if (name, owner) == (f"job:{VIDEO.id}", "running") and (interrupt := self._interrupt):
            self._interrupt = None
            interrupt()
        super().release(name, owner)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Services with one submitted video."""
    with open_services(Settings(data_dir=tmp_path)) as opened:
        opened.stores.submissions.submit(
            NewSubmission(VIDEO.id, VIDEO.link, VIDEO.link, ANN.space, ANN.user_id, datetime.now(UTC))
        )
        yield opened


def make_pipeline(services: Services, interrupt: Callable[[], None] = lambda: None) -> Pipeline:
    """Return a pipeline that needs no site. `interrupt` is called before the moments are stored."""

    def index(record: VideoRecord, folder: Path, progress: Callable[[IndexStage, float], None]) -> VideoRecord | None:
        progress(IndexStage.FETCH, 0.0)
        services.blobs.put(BLOB, b"picture")
        interrupt()
        create_fake_generation(services)
        services.stores.publisher.publish_moments(VIDEO, make_moments(VIDEO, "dog"), FAKE)
        return services.stores.videos.get(VIDEO.id)

    return index


def raise_error(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def make_job(services: Services, pipeline: Pipeline) -> IndexJob:
    return replace(services.make_index_job(), build_pipeline=lambda: cast(IngestPipeline, pipeline))


def run(job: IndexJob, task: RecordingTask | None = None) -> Any:
    return job(task or RecordingTask(), VIDEO.id, CORRELATION_ID)


def status_of(services: Services) -> IndexStatus:
    record = services.stores.videos.get(VIDEO.id)
    assert record is not None
    return record.status


def test_job_that_could_not_be_sent_holds_no_lease(services: Services) -> None:
    """The video can be queued again as soon as the queue can be reached."""
    url = SecretStr(f"redis://127.0.0.1:{free_port()}/0")
    app = make_app(services.settings.model_copy(update={"redis_url": url}))
    app.conf.result_backend_max_retries = 0
    with pytest.raises(QueueUnavailableError):
        replace(services.make_index_queue(), app=app).enqueue(VIDEO.id)
    assert services.leases.try_queue(VIDEO.id)


def test_lost_job_is_queued_again(services: Services) -> None:
    """A job is lost if its message is gone and no worker runs it. Waiting, running and delayed jobs are not."""
    settings = services.settings.model_copy(update={"redis_url": SecretStr("redis://elsewhere")})
    queue = replace(services.make_index_queue(), settings=settings)
    services.app.control.purge()
    queue.enqueue(VIDEO.id)
    queue.requeue_lost_jobs()
    assert count_waiting(services.app, "index") == 1
    services.app.control.purge()  # The worker that took the message was killed.
    queue.requeue_lost_jobs()
    assert count_waiting(services.app, "index") == 1
    services.app.control.purge()
    with services.leases.hold(VIDEO.id, "other"):
        queue.requeue_lost_jobs()
    services.leases.requeue(VIDEO.id, 20)
    queue.requeue_lost_jobs()
    assert count_waiting(services.app, "index") == 0


def test_copy_of_running_job_is_ignored(services: Services) -> None:
    """`Reject` would be published as a failure of the job, to all who follow it."""
    with services.leases.hold(VIDEO.id, "other"), pytest.raises(Ignore):
        run(make_job(services, make_pipeline(services)))
    assert status_of(services) is IndexStatus.WAITING


def test_job_goes_back_to_its_queue_if_redis_cannot_be_reached(services: Services) -> None:
    away = JobLeases(RedisLeaseStore(Redis.from_url(f"redis://127.0.0.1:{free_port()}/0")))
    with pytest.raises(Reject) as rejected:
        run(replace(services.make_index_job(), leases=away))
    assert rejected.value.requeue


def test_copy_of_failed_job_returns_its_failure(services: Services) -> None:
    """The files of its first run are deleted."""
    services.stores.publisher.record_failure(VIDEO.id, ErrorCode.NOT_FOUND)
    remains = video_work_dir(services.settings.data_dir, VIDEO.id) / "media"
    remains.mkdir(parents=True)
    assert run(services.make_index_job()) == JobFailed(code=ErrorCode.NOT_FOUND, correlation_id=CORRELATION_ID)
    assert not remains.parent.exists()


def test_job_goes_on_if_progress_cannot_be_published(services: Services) -> None:
    assert isinstance(run(make_job(services, make_pipeline(services)), UnreachableResultBackend()), Indexed)


def test_failed_job_deletes_its_blobs(services: Services) -> None:
    job = make_job(services, make_pipeline(services, raise_error(VideoNotFoundError())))
    assert run(job).code is ErrorCode.NOT_FOUND
    with pytest.raises(KeyError):
        services.blobs.get(BLOB)


def test_failure_is_reported_only_after_it_was_recorded(services: Services) -> None:
    """While the store is unavailable the video waits, even after the last retry."""
    job = make_job(services, make_pipeline(services, raise_error(StoreUnavailableError())))
    stores = open_stores(InterruptedVectorStore(services.vectors, 1, raise_store_unavailable))
    with pytest.raises(Retry):
        run(replace(job, stores=stores), RecordingTask(attempt=9))
    assert status_of(services) is IndexStatus.WAITING


@pytest.mark.parametrize("attempt", [0, 2, 30])
def test_link_never_fails_because_memory_ran_out(services: Services, attempt: int) -> None:
    """It is no fault of the video, which waits until there is memory again."""
    job = make_job(services, make_pipeline(services, raise_error(EncoderMemoryError("CUDA out of memory"))))
    with pytest.raises(Retry):
        run(job, RecordingTask(attempt=attempt))
    assert status_of(services) is IndexStatus.WAITING


def test_model_that_does_not_fit_into_memory_is_loaded_later(services: Services, tmp_path: Path) -> None:
    def load(settings: Settings, choice: ModelChoice, on_fetch: object) -> ModelEncoder:
        raise RuntimeError("CUDA error: out of memory")

    with open_services(Settings(data_dir=tmp_path / "other"), load) as opened, pytest.raises(EncoderMemoryError):
        opened.models.get_current()


def test_retry_without_queue_leaves_the_video_waiting(services: Services) -> None:
    """Celery would report the job as failed. It is queued again from the record, and reported when it has ended."""
    job = make_job(services, make_pipeline(services, raise_error(StoreUnavailableError())))
    with pytest.raises(Ignore):
        run(job, UnreachableQueue())
    assert status_of(services) is IndexStatus.WAITING


@pytest.mark.parametrize("has_failed_before", [False, True])
def test_link_that_is_submitted_again_as_its_job_fails_is_indexed_again(
    services: Services, has_failed_before: bool
) -> None:
    """The lease is still held then, so no other worker would do it. Who follows the job gets no failure."""

    def submit_again() -> None:
        assert status_of(services) is IndexStatus.FAILED
        assert not leases.try_queue(VIDEO.id)
        services.stores.submissions.submit(
            NewSubmission(VIDEO.id, VIDEO.link, VIDEO.link, OTHER_SPACE.space, "bob", datetime.now(UTC))
        )

    leases = JobLeases(InterruptedLeases(submit_again))
    if has_failed_before:
        services.stores.publisher.record_failure(VIDEO.id, ErrorCode.NOT_FOUND)
    failing = replace(make_job(services, make_pipeline(services, raise_error(VideoNotFoundError()))), leases=leases)
    with pytest.raises(Retry):
        run(failing)
    assert isinstance(run(replace(make_job(services, make_pipeline(services)), leases=leases)), Indexed)


def test_stalled_job_that_was_taken_over_reports_no_failure(services: Services) -> None:
    """Another worker runs the job now, so the stalled one must neither fail the video nor delete its blobs."""
    leases = OwnerRecordingLeases()

    def take_over() -> None:
        leases.release(RUN_LEASE, leases.owners[RUN_LEASE])
        assert leases.acquire(RUN_LEASE, "another", 60)
        raise VideoNotFoundError

    with pytest.raises(Ignore):
        run(replace(make_job(services, make_pipeline(services, take_over)), leases=JobLeases(leases)))
    assert status_of(services) is IndexStatus.WAITING
    assert services.blobs.get(BLOB)


def test_stalled_job_that_fails_keeps_what_another_worker_stored(services: Services) -> None:
    """It reports that the video is indexed."""
    index = make_pipeline(services)

    def index_and_fail(
        record: VideoRecord, folder: Path, progress: Callable[[IndexStage, float], None]
    ) -> VideoRecord | None:
        index(record, folder, progress)
        raise VideoNotFoundError

    assert isinstance(run(make_job(services, index_and_fail)), Indexed)
    assert services.blobs.get(BLOB)


def test_stalled_job_that_succeeds_stores_nothing_if_another_worker_reported_failure(services: Services) -> None:
    def fail_meanwhile() -> None:
        services.stores.publisher.record_failure(VIDEO.id, ErrorCode.UNREACHABLE)

    outcome = run(make_job(services, make_pipeline(services, fail_meanwhile)))
    assert outcome == JobFailed(code=ErrorCode.UNREACHABLE, correlation_id=CORRELATION_ID)
    assert services.vectors.count(FAKE.collection_name, Filter()) == 0


def test_video_status_returns_outcome_or_queues_lost_job(services: Services) -> None:
    """Other spaces cannot ask for it."""
    request = GetVideoStatus(caller=ANN, video_id=VIDEO.id)
    assert handle(services, request).update is None
    assert not services.leases.try_queue(VIDEO.id)
    run(make_job(services, make_pipeline(services)))
    update = handle(services, request).update
    assert isinstance(update, Indexed)
    assert update.status is IndexOutcome.INDEXED
    with pytest.raises(RequestRefusedError):
        handle(services, GetVideoStatus(caller=OTHER_SPACE, video_id=VIDEO.id))


def test_video_status_deletes_the_late_result_of_an_earlier_attempt(services: Services) -> None:
    """Those who follow the job of a video that waits would be shown it again."""
    job_id = services.make_index_queue().enqueue(VIDEO.id)
    services.app.backend.store_result(job_id, {"kind": "failed"}, "SUCCESS")
    assert handle(services, GetVideoStatus(caller=ANN, video_id=VIDEO.id)).update is None
    assert not services.app.AsyncResult(job_id).ready()


def test_link_to_a_known_video_joins_it(tmp_path: Path) -> None:
    """Its job ends with the known address. Everything that named the link names the video from then on."""
    settings = Settings(data_dir=tmp_path, allow_networks=LOOPBACK)
    with open_services(settings) as services:
        known = add_video(services, "known", ANN)
        guard = SsrfGuard(resolve=lambda host: [])
        services.guard = guard
        short = "https://vm.tiktok.com/ZMabc/"
        submitted = handle(services, Submit(caller=ANN, link=short))
        other = handle(services, Submit(caller=OTHER_SPACE, link=short))
        assert submitted.job_id == other.job_id

        job = make_job(services, make_pipeline(services, raise_error(OtherAddressError(known))))
        joined = job(RecordingTask(), submitted.video_id, CORRELATION_ID)
        assert joined == Joined(link=known)
        assert job(RecordingTask(), submitted.video_id, CORRELATION_ID) == joined
        status = GetVideoStatus(caller=ANN, video_id=submitted.video_id)
        assert handle(services, status).update == joined

        again = handle(services, Submit(caller=ANN, link=short, at=submitted_at(services, known, ANN) + 60))
        assert again.link == known
        assert again.indexed is not None
        assert again.indexed.status is IndexOutcome.ALREADY
        assert handle(services, ListLibrary(caller=OTHER_SPACE)).total == 1
        assert handle(services, Forget(caller=ANN, link=short)).links == (known,)
        assert handle(services, ListLibrary(caller=ANN)).total == 0
        assert handle(services, ListLibrary(caller=OTHER_SPACE)).total == 1


def test_joined_video_is_new_for_a_space_that_did_not_have_it(tmp_path: Path) -> None:
    """Otherwise the answer would reveal that another space has it."""
    with open_services(Settings(data_dir=tmp_path, allow_networks=LOOPBACK)) as services:
        known = add_video(services, "known", OTHER_SPACE)
        short, at = local_link("short"), time.time()
        submitted = handle(services, Submit(caller=ANN, link=short, at=at))
        job = make_job(services, make_pipeline(services, raise_error(OtherAddressError(known))))
        assert job(RecordingTask(), submitted.video_id, CORRELATION_ID) == Joined(link=known)
        answer = handle(services, Submit(caller=ANN, link=known, at=at))
        assert answer.indexed is not None
        assert answer.indexed.status is IndexOutcome.INDEXED


def test_unknown_video_behind_a_short_link_gets_its_own_job(tmp_path: Path) -> None:
    with open_services(Settings(data_dir=tmp_path, allow_networks=LOOPBACK)) as services:
        submitted = handle(services, Submit(caller=ANN, link=local_link("short")))
        job = make_job(services, make_pipeline(services, raise_error(OtherAddressError(local_link("long")))))
        assert job(RecordingTask(), submitted.video_id, CORRELATION_ID) == Joined(link=local_link("long"))
        assert [record.link for record in services.stores.videos.list_waiting()] == [local_link("long")]
        answer = handle(services, Submit(caller=ANN, link=local_link("short")))
        assert (answer.link, answer.indexed) == (local_link("long"), None)
        assert answer.job_id == services.make_index_queue().job_id(answer.video_id)


def submitted_at(services: Services, link: str, caller: Caller) -> float:
    [submission] = services.stores.submissions.of_video(caller.space, canonicalize(link).video_id)
    return datetime.fromisoformat(submission.at).timestamp()
