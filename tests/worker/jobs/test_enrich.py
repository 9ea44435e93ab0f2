"""The enrich job and its queue: pending senses, failures, copies of a job, and removal while it runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from celery.exceptions import Ignore, Reject, Retry
from pydantic import SecretStr

from indexer.enrich.pipeline import EnrichPipeline
from indexer.enrich.sources import KeptSources, SenseSources
from indexer.errors import CorruptFileError, SiteUnreachableError, StoreUnavailableError, VideoNotFoundError
from indexer.link.canonical import canonicalize
from indexer.ports import StageProgressCallback
from indexer.senses import Sense, SenseStatus
from indexer.stages import IndexStage
from indexer.store.records import NewSubmission, VideoRecord
from indexer.store.videos import VideoStore
from indexer.types import Caption, SampledFrame
from indexer.vectors.vector_store import VectorStore
from model.errors import ArtifactsMissingError, EncoderMemoryError
from tests.support.indexer.fakes import (
    FAKE,
    InterruptedVectorStore,
    make_moments,
    make_video,
    raise_store_unavailable,
)
from tests.support.worker.callers import ANN, OTHER_SPACE
from tests.support.worker.recording_task import RecordingTask
from tests.support.worker.services import create_fake_generation, handle, open_services
from worker.handlers.errors import RequestRefusedError
from worker.job_leases import JobLeases
from worker.jobs.enrich import MAX_STARTS, EnrichJob
from worker.jobs.work_dirs import work_root
from worker.leases import MemoryLeaseStore
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Enrich, Forget, GetStatus, GetVideoStatus, ListLibrary
from worker.protocol.updates import Indexed, JobFailed, Update
from worker.queue.app import count_waiting
from worker.services import Services
from worker.settings import Settings

VIDEO = replace(make_video("dog"), id=canonicalize(make_video("dog").link).video_id)
LEASE = f"enrich-{VIDEO.id}"
PENDING = dict.fromkeys(Sense, SenseStatus.PENDING)
DONE = dict.fromkeys(Sense, SenseStatus.DONE)
CORRELATION_ID = "abc123"


@dataclass
class FakePipeline:
    """Marks a sense as done, or calls what interrupts it."""

    services: Services
    interrupts: dict[Sense, Callable[[StageProgressCallback], None]] = field(default_factory=dict)
    recognized: list[Sense] = field(default_factory=list)

    def __call__(
        self, record: VideoRecord, sense: Sense, sources: KeptSources, folder: Path, progress: StageProgressCallback
    ) -> None:
        progress(IndexStage.LISTEN, 0.5)
        if sense in self.interrupts:
            self.interrupts[sense](progress)
        self.recognized.append(sense)
        self.services.stores.videos.record_sense(record.video_id, sense, SenseStatus.DONE)


def raise_error(error: BaseException) -> Callable[[StageProgressCallback], None]:
    def fail(progress: StageProgressCallback) -> None:
        raise error

    return fail


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Open services with an empty generation."""
    folder = tmp_path_factory.mktemp("installation")
    with open_services(Settings(data_dir=folder, speech="base", screen_text=True, sounds=True)) as opened:
        create_fake_generation(opened)
        yield opened


@pytest.fixture
def services(installation: Services, tmp_path: Path) -> Services:
    """Index one video, whose senses are pending and whose sources are kept."""
    installation.leases = JobLeases(MemoryLeaseStore())
    installation.app.control.purge()
    installation.stopping.clear()
    new = NewSubmission(VIDEO.id, VIDEO.link, VIDEO.link, ANN.space, ANN.user_id, datetime.now(UTC))
    installation.stores.submissions.submit(new)
    installation.sources.keep(VIDEO.id, make_sources(tmp_path))
    moments = make_moments(VIDEO, "dog")
    assert installation.stores.publisher.publish_moments(VIDEO, moments, FAKE, senses=PENDING)
    return installation


def make_sources(folder: Path) -> SenseSources:
    (folder / "sound.flac").touch()
    (folder / "0.jpg").touch()
    return SenseSources((Caption(0, 1, "hello"),), folder / "sound.flac", (SampledFrame(0.0, folder / "0.jpg"),))


def make_job(services: Services, pipeline: FakePipeline) -> EnrichJob:
    return replace(services.make_enrich_job(), build_pipeline=lambda: cast(EnrichPipeline, pipeline))


def run(job: EnrichJob, task: RecordingTask | None = None) -> Update:
    return job(task or RecordingTask(), VIDEO.id, CORRELATION_ID)


def senses_of(services: Services) -> dict[Sense, SenseStatus]:
    record = services.stores.videos.get(VIDEO.id)
    assert record is not None
    return record.senses


def is_due(services: Services) -> bool:
    return bool(services.stores.videos.list_due_enrichments())


def test_job_recognizes_what_is_pending(services: Services) -> None:
    """Then nothing is due, and the sources are deleted. A copy of the job changes nothing."""
    pipeline = FakePipeline(services)
    outcome = run(make_job(services, pipeline))
    assert isinstance(outcome, Indexed)
    assert (outcome.enrich_job, outcome.failed_senses) == (None, {})
    assert (senses_of(services), is_due(services)) == (DONE, False)
    assert services.sources.find(VIDEO.id) is None
    assert run(make_job(services, pipeline)) == outcome
    assert pipeline.recognized == list(Sense)
    assert list(work_root(services.settings.data_dir).glob("*")) == []


@pytest.mark.parametrize("sense", Sense)
def test_job_of_a_killed_worker_resumes_with_its_last_sense(services: Services, sense: Sense) -> None:
    """What was recognized before is not recognized again."""
    killed = FakePipeline(services, {sense: raise_error(SystemExit())})
    with pytest.raises(SystemExit):
        run(make_job(services, killed))
    assert is_due(services)
    resumed = FakePipeline(services)
    run(make_job(services, resumed))
    assert killed.recognized + resumed.recognized == list(Sense)
    assert (senses_of(services), is_due(services)) == (DONE, False)


def test_sense_at_which_the_process_ended_repeatedly_fails(services: Services, tmp_path: Path) -> None:
    """The others are recognized, and it can be requested again."""
    crashing = FakePipeline(services, {Sense.SHOWN: raise_error(SystemExit())})
    for _ in range(MAX_STARTS):
        with pytest.raises(SystemExit):
            run(make_job(services, crashing))
    outcome = run(make_job(services, crashing))
    assert isinstance(outcome, Indexed)
    assert (outcome.enrich_job, outcome.failed_senses) == (None, {Sense.SHOWN: ErrorCode.REPEATED_CRASH})
    assert crashing.recognized == [Sense.SAID, Sense.HEARD]
    services.stores.videos.request_senses(VIDEO.id, [Sense.SHOWN])
    services.sources.keep(VIDEO.id, make_sources(tmp_path))
    run(make_job(services, FakePipeline(services)))
    assert senses_of(services) == DONE


def test_starts_that_end_with_a_retry_do_not_count(services: Services) -> None:
    failing = FakePipeline(services, {Sense.SAID: raise_error(StoreUnavailableError())})
    for _ in range(MAX_STARTS + 1):
        with pytest.raises(Retry):
            run(make_job(services, failing))
    run(make_job(services, FakePipeline(services)))
    assert senses_of(services) == DONE


def test_sense_that_a_copy_has_recognized_does_not_fail(services: Services) -> None:
    """The copy has deleted the sources."""

    def lose_to_copy(progress: StageProgressCallback) -> None:
        services.stores.videos.record_sense(VIDEO.id, Sense.SAID, SenseStatus.DONE)
        raise CorruptFileError("the kept sound is missing")

    run(make_job(services, FakePipeline(services, {Sense.SAID: lose_to_copy})))
    assert senses_of(services) == DONE


@pytest.mark.parametrize("writes", range(1, 10))
def test_job_that_is_killed_at_any_write_is_completed(services: Services, writes: int) -> None:
    def kill() -> None:
        raise SystemExit

    vectors = InterruptedVectorStore(services.vectors, writes, kill)
    job = make_job(services, FakePipeline(services))
    try:
        run(replace(job, videos=VideoStore(cast(VectorStore, vectors))))
    except SystemExit:
        assert is_due(services)
    run(job)
    assert (senses_of(services), is_due(services)) == (DONE, False)
    assert services.sources.find(VIDEO.id) is None


@pytest.mark.parametrize(
    ("error", "code"),
    [(ArtifactsMissingError("whisper"), ErrorCode.MODEL_MISSING), (ValueError("a bug"), ErrorCode.INTERNAL)],
)
def test_failed_sense_costs_the_others_nothing(services: Services, error: Exception, code: ErrorCode) -> None:
    """It is on record, shown in the library and the status, and can be recognized again."""
    outcome = run(make_job(services, FakePipeline(services, {Sense.SHOWN: raise_error(error)})))
    assert isinstance(outcome, Indexed)
    assert (outcome.enrich_job, outcome.failed_senses) == (None, {Sense.SHOWN: code})
    assert senses_of(services) == {**DONE, Sense.SHOWN: SenseStatus.FAILED}
    [entry] = handle(services, ListLibrary(caller=ANN)).entries
    assert (entry.pending_senses, entry.failed_senses) == ((), {Sense.SHOWN: code})
    assert handle(services, GetStatus(caller=ANN)).failed_senses == {Sense.SHOWN: 1}
    assert handle(services, GetStatus(caller=OTHER_SPACE)).failed_senses == {}

    admin = ANN.model_copy(update={"is_admin": True})
    handle(services, Enrich(caller=admin, link=VIDEO.link, only_missing=True))
    assert senses_of(services) == {**DONE, Sense.SHOWN: SenseStatus.PENDING}


def test_copy_of_running_job_is_ignored(services: Services) -> None:
    with services.leases.hold(LEASE, "other"), pytest.raises(Ignore):
        run(make_job(services, FakePipeline(services)))
    assert senses_of(services) == PENDING


def test_job_goes_back_to_its_queue_at_shutdown(services: Services) -> None:
    """Its lease says that it is queued, and what was recognized is kept."""

    def stop(progress: StageProgressCallback) -> None:
        services.stopping.set()
        progress(IndexStage.READ, 0.5)

    with pytest.raises(Reject) as rejected:
        run(make_job(services, FakePipeline(services, {Sense.SHOWN: stop})))
    assert rejected.value.requeue
    assert senses_of(services) == {**PENDING, Sense.SAID: SenseStatus.DONE}
    assert not services.leases.try_queue(LEASE)


@pytest.mark.parametrize("error", [StoreUnavailableError(), EncoderMemoryError("CUDA out of memory"), OSError("disk")])
def test_fault_of_the_installation_is_retried_until_it_is_over(services: Services, error: Exception) -> None:
    """No sense fails because of it."""
    with pytest.raises(Retry):
        run(make_job(services, FakePipeline(services, {Sense.SAID: raise_error(error)})), RecordingTask(attempt=30))
    assert senses_of(services) == PENDING


def test_job_is_retried_if_its_outcome_cannot_be_recorded(services: Services) -> None:
    job = make_job(services, FakePipeline(services, {Sense.SAID: raise_error(ValueError())}))
    vectors = InterruptedVectorStore(services.vectors, 1, raise_store_unavailable)
    with pytest.raises(Retry):
        run(replace(job, videos=VideoStore(cast(VectorStore, vectors))))
    assert senses_of(services) == PENDING


def test_video_that_is_removed_meanwhile_stays_removed(services: Services) -> None:
    """The job ends at its next progress, and leaves nothing behind."""

    def remove(progress: StageProgressCallback) -> None:
        handle(services, Forget(caller=ANN, link=VIDEO.link))
        progress(IndexStage.LISTEN, 0.6)

    pipeline = FakePipeline(services, {Sense.SAID: remove})
    job = replace(make_job(services, pipeline), check_removed_every_s=0.0)
    assert run(job) == JobFailed(code=ErrorCode.NOT_IN_LIBRARY, correlation_id=CORRELATION_ID)
    assert pipeline.recognized == []
    assert services.stores.videos.get(VIDEO.id) is None
    assert list(services.blobs.all_keys()) == []


def test_sense_that_is_requested_again_meanwhile_gets_another_run(services: Services) -> None:
    def request(progress: StageProgressCallback) -> None:
        services.stores.videos.request_senses(VIDEO.id, [Sense.SAID])

    with pytest.raises(Retry):
        run(make_job(services, FakePipeline(services, {Sense.HEARD: request})))
    assert is_due(services)


def test_sources_that_are_not_kept_are_fetched_again(services: Services, tmp_path: Path) -> None:
    """A sense without a source is off then: the video has changed, or the settings."""
    services.sources.delete(VIDEO.id)

    def fetch(record: VideoRecord, folder: Path, progress: StageProgressCallback) -> SenseSources:
        progress(IndexStage.FETCH, 0.5)
        return replace(make_sources(tmp_path), frames=())

    run(replace(make_job(services, FakePipeline(services)), fetch_sources=fetch))
    assert senses_of(services) == {**DONE, Sense.SHOWN: SenseStatus.OFF}


@pytest.mark.parametrize(("attempt", "error"), [(0, VideoNotFoundError()), (2, SiteUnreachableError())])
def test_senses_fail_if_the_video_cannot_be_fetched_again(services: Services, attempt: int, error: Exception) -> None:
    """After the retries, if the error is transient. The video itself is still found."""
    services.sources.delete(VIDEO.id)

    def fetch(record: VideoRecord, folder: Path, progress: StageProgressCallback) -> SenseSources:
        raise error

    outcome = run(replace(make_job(services, FakePipeline(services)), fetch_sources=fetch), RecordingTask(attempt))
    assert isinstance(outcome, Indexed)
    assert set(outcome.failed_senses) == set(Sense)
    assert not is_due(services)


def test_transient_error_of_the_site_is_retried(services: Services) -> None:
    services.sources.delete(VIDEO.id)

    def fetch(record: VideoRecord, folder: Path, progress: StageProgressCallback) -> SenseSources:
        raise SiteUnreachableError

    with pytest.raises(Retry):
        run(replace(make_job(services, FakePipeline(services)), fetch_sources=fetch))
    assert senses_of(services) == PENDING


def test_lost_job_is_queued_again(services: Services) -> None:
    """Its message is gone, and no worker runs it."""
    settings = services.settings.model_copy(update={"redis_url": SecretStr("redis://elsewhere")})
    queue = replace(services.make_enrich_queue(), settings=settings)
    services.app.control.purge()
    queue.enqueue(VIDEO.id)
    queue.requeue_lost_jobs()
    assert count_waiting(services.app, "enrich") == 1
    services.app.control.purge()
    queue.requeue_lost_jobs()
    assert count_waiting(services.app, "enrich") == 1
    services.app.control.purge()
    with services.leases.hold(LEASE, "other"):
        queue.requeue_lost_jobs()
    assert count_waiting(services.app, "enrich") == 0


def test_video_status_names_the_enrich_job_and_queues_it_if_it_was_lost(services: Services) -> None:
    update = handle(services, GetVideoStatus(caller=ANN, video_id=VIDEO.id)).update
    assert isinstance(update, Indexed)
    assert update.enrich_job == LEASE
    assert not services.leases.try_queue(LEASE)
    assert handle(services, GetStatus(caller=ANN)).listening == 1
    assert handle(services, GetStatus(caller=OTHER_SPACE)).listening == 0


def test_video_status_deletes_the_late_result_of_an_earlier_enrich_job(services: Services) -> None:
    services.make_enrich_queue().enqueue(VIDEO.id)
    services.app.backend.store_result(LEASE, {"kind": "failed"}, "SUCCESS")
    assert isinstance(handle(services, GetVideoStatus(caller=ANN, video_id=VIDEO.id)).update, Indexed)
    assert not services.app.AsyncResult(LEASE).ready()


def test_enrich_request_is_for_admins_and_visible_videos(services: Services) -> None:
    admin = ANN.model_copy(update={"is_admin": True})
    for caller, link, code in (
        (ANN, VIDEO.link, ErrorCode.ADMINS_ONLY),
        (admin, "https://video.example/unknown", ErrorCode.NOT_IN_LIBRARY),
        (OTHER_SPACE.model_copy(update={"is_admin": True}), VIDEO.link, ErrorCode.NOT_IN_LIBRARY),
    ):
        with pytest.raises(RequestRefusedError) as refused:
            handle(services, Enrich(caller=caller, link=link))
        assert refused.value.code is code


def test_enriched_video_is_enriched_again_only_if_it_is_named(services: Services) -> None:
    run(make_job(services, FakePipeline(services)))
    admin = ANN.model_copy(update={"is_admin": True})
    complete = handle(services, Enrich(caller=admin, link=VIDEO.link, only_missing=True))
    assert complete.indexed is not None
    assert complete.indexed.enrich_job is None
    named = handle(services, Enrich(caller=admin, link=VIDEO.link))
    assert named.indexed is not None
    assert named.indexed.enrich_job == LEASE
    assert senses_of(services) == PENDING
