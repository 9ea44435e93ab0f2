"""The retrain, from the training data to the switch: on the embedded store and with a toy model."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import Ignore, Reject
from redis.exceptions import RedisError

from indexer.errors import StoreUnavailableError
from tests.support.indexer.fakes import make_video
from tests.support.model.toy_model import PausableLoader, ToyTrainer, load_toy_encoder
from tests.support.worker.callers import ADMIN, ANN, OTHER_SPACE
from tests.support.worker.recording_task import RecordingTask
from tests.support.worker.services import handle, open_services
from tests.support.worker.toy_library import (
    BASE,
    CORRELATION_ID,
    VIDEO_COUNT,
    add_numbered_video,
    find_number,
    make_toy_settings,
    run_retrain,
    search_results,
    start_retrain,
)
from worker.handlers.errors import RequestRefusedError
from worker.jobs.retrain_queue import RETRAIN_LEASE, RetrainQueue
from worker.jobs.rollout import catch_up
from worker.protocol.error_codes import ErrorCode
from worker.protocol.models import ListModels, PreviewRetrain, Retrain, RetrainStarted, Rollback
from worker.protocol.updates import JobFailed, RetrainFinished, RetrainOutcome
from worker.services import Services


class KilledError(BaseException):
    """The process is killed. Code under test does not catch it."""


def live_model(services: Services) -> str:
    return next(each.name for each in handle(services, ListModels(caller=ANN)).generations if each.live)


def test_better_adapter_is_promoted(services: Services) -> None:
    """Progress is published stage by stage; the outcome has the figures and the key of the report's picture."""
    start_retrain(services)
    task = RecordingTask()
    outcome = run_retrain(services, task)
    assert isinstance(outcome, RetrainFinished)
    assert outcome.outcome is RetrainOutcome.PROMOTED
    assert outcome.r5 == 1.0
    assert (outcome.r5_before or 0) < 0.9
    assert outcome.questions >= 8
    assert services.blobs.get(outcome.picture or "").startswith(b"\x89PNG")
    assert task.progress[0]["stage"] == "gather"
    assert {"train", "evaluate", "embed"} <= {update["stage"] for update in task.progress}
    assert live_model(services).startswith("taught-")
    assert isinstance(services.models.get_current(ANN.space).encode_texts(["number 42"]), list)
    assert find_number(services, 42) == "number 42"
    assert services.stores.retrains.get_current() is None


@pytest.mark.parametrize(
    ("adapter", "expected"),
    [({}, RetrainOutcome.NOT_BETTER), ({"knows": True, "confused": True}, RetrainOutcome.FORGETS)],
)
def test_adapter_that_is_not_better_changes_nothing(
    services: Services, trainer: ToyTrainer, adapter: dict[str, Any], expected: RetrainOutcome
) -> None:
    """It has learned nothing, or it has lost general knowledge. The figures are in the outcome."""
    before = search_results(services)
    trainer.adapter, trainer.diverged_at = adapter, 2
    start_retrain(services)
    outcome = run_retrain(services)
    assert isinstance(outcome, RetrainFinished)
    assert outcome.outcome is expected
    assert outcome.diverged_at == 2
    assert outcome.r5 is not None
    assert (live_model(services), search_results(services)) == ("base", before)


def test_rollback_restores_identical_results(services: Services) -> None:
    """A second rollback returns to the retrained model, with identical results, too."""
    before = search_results(services)
    start_retrain(services)
    run_retrain(services)
    services.models.get_current(ANN.space)
    after = search_results(services)
    assert after != before
    handle(services, Rollback(caller=ADMIN))
    services.models.get_current(ANN.space)
    assert search_results(services) == before
    handle(services, Rollback(caller=ADMIN))
    services.models.get_current(ANN.space)
    assert search_results(services) == after


def test_rollback_without_other_model_is_refused(services: Services) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        handle(services, Rollback(caller=ADMIN))
    assert refused.value.code is ErrorCode.NO_OTHER_MODEL


def test_second_retrain_starts_from_current_adapter(services: Services, trainer: ToyTrainer) -> None:
    """No more than two generations are kept."""
    for _ in range(3):
        services.models.get_current(ANN.space)
        start_retrain(services)
        run_retrain(services)
    assert trainer.base_adapters[0] is None
    assert trainer.base_adapters[1] is not None
    assert len(handle(services, ListModels(caller=ANN)).generations) == 2


@pytest.mark.parametrize("stage", ["gather", "train", "evaluate", "embed", "switch"])
def test_retrain_of_killed_worker_is_continued(
    services: Services, restart_worker: Callable[[], Services], stage: str, trainer: ToyTrainer
) -> None:
    """Searches do not change until the next worker has finished it. It trains only once if the adapter was judged."""

    class KilledInStage(RecordingTask):
        def update_state(self, state: str, meta: dict[str, Any]) -> None:
            if meta.get("stage") == stage:
                raise KilledError

    start_retrain(services)
    before = search_results(services)
    with pytest.raises(KilledError):
        run_retrain(services, KilledInStage())
    assert search_results(services) == before
    restarted = restart_worker()
    restarted.make_retrain_queue().requeue_lost_jobs()
    outcome = run_retrain(restarted)
    assert isinstance(outcome, RetrainFinished)
    assert outcome.outcome is RetrainOutcome.PROMOTED
    live = restarted.stores.generations.get_live(ANN.space)
    assert live is not None
    assert restarted.stores.reembedding.videos_missing_from(live) == []
    assert find_number(restarted, 42) == "number 42"
    if stage in ("embed", "switch"):
        assert len(trainer.trained_on) == 1


def test_stopping_worker_requeues_retrain(services: Services, trainer: ToyTrainer) -> None:
    """It stops at the next step."""
    trainer.on_step = lambda step: services.stopping.set()
    start_retrain(services)
    with pytest.raises(Reject) as rejected:
        run_retrain(services)
    assert rejected.value.requeue
    assert services.stores.retrains.get_current() is not None


def test_retrain_goes_on_if_progress_cannot_be_published(services: Services) -> None:
    """After an error, it does not try again for a minute."""

    class UnreachableResultBackend(RecordingTask):
        def update_state(self, state: str, meta: dict[str, Any]) -> None:
            super().update_state(state, meta)
            raise RedisError("unavailable")

    task = UnreachableResultBackend()
    start_retrain(services)
    outcome = run_retrain(services, task)
    assert isinstance(outcome, RetrainFinished)
    assert outcome.outcome is RetrainOutcome.PROMOTED
    assert len(task.progress) == 1


def test_retrain_is_continued_after_store_was_unavailable(services: Services, trainer: ToyTrainer) -> None:
    """It stays on record, and its lease is released, so that it is queued again."""

    def fail_once(step: int) -> None:
        trainer.on_step = lambda step: None
        raise StoreUnavailableError("unavailable")

    trainer.on_step = fail_once
    start_retrain(services)
    with pytest.raises(Ignore):
        run_retrain(services)
    assert services.leases.try_queue(RETRAIN_LEASE)
    outcome = run_retrain(services)
    assert isinstance(outcome, RetrainFinished)
    assert outcome.outcome is RetrainOutcome.PROMOTED
    with pytest.raises(Ignore):
        run_retrain(services)


def test_cancelled_retrain_changes_nothing(services: Services, trainer: ToyTrainer) -> None:
    """It ends at the next checkpoint after an admin has cancelled it."""
    trainer.on_step = lambda step: handle(services, Retrain(caller=ADMIN, cancel=True))
    start_retrain(services)
    outcome = run_retrain(services, check_cancelled_every_s=0.0)
    assert outcome == RetrainFinished(outcome=RetrainOutcome.CANCELLED)
    assert live_model(services) == "base"
    assert handle(services, Retrain(caller=ADMIN, cancel=True)).job_id is None


def test_second_retrain_request_returns_running_job(services: Services) -> None:
    assert handle(services, Retrain(caller=ADMIN)).is_new
    second = handle(services, Retrain(caller=ADMIN))
    assert (second.is_new, second.job_id) == (False, RetrainQueue.job_id(ADMIN.space))


def test_request_without_start_returns_running_or_last_job(services: Services) -> None:
    """It returns none if there has been no retrain yet."""

    class ResultStoringTask(RecordingTask):
        def update_state(self, state: str, meta: dict[str, Any]) -> None:
            services.app.backend.store_result(job_id, meta, state)

    request, job_id = Retrain(caller=ADMIN, start=False), RetrainQueue.job_id(ADMIN.space)
    assert handle(services, request).job_id is None
    start_retrain(services)
    assert handle(services, request) == RetrainStarted(job_id=job_id)
    run_retrain(services, ResultStoringTask())
    assert handle(services, request) == RetrainStarted(job_id=job_id)
    assert services.app.AsyncResult(job_id).result["outcome"] == "promoted"
    assert services.stores.retrains.get_current() is None


def test_failed_retrain_reports_code_and_ends(services: Services, trainer: ToyTrainer) -> None:
    """The next retrain can be started."""

    def fail(step: int) -> None:
        raise RuntimeError("a bug")

    trainer.on_step = fail
    start_retrain(services)
    assert run_retrain(services) == JobFailed(code=ErrorCode.INTERNAL, correlation_id=CORRELATION_ID)
    assert handle(services, Retrain(caller=ADMIN)).is_new


def test_spaces_share_model_if_adapter_scope_is_installation(
    library_folder: Path, tmp_path: Path, trainer: ToyTrainer
) -> None:
    """One adapter learns from all spaces; all search with it and roll back with it.

    After a rollback, videos that were added meanwhile are embedded again.
    """
    shutil.copytree(library_folder, tmp_path, dirs_exist_ok=True)
    settings = make_toy_settings(tmp_path).model_copy(update={"adapter_scope": "installation"})
    with open_services(settings, load_toy_encoder, trainer) as services:
        stores = services.stores
        add_numbered_video(services, 111, space=OTHER_SPACE.space)
        assert handle(services, PreviewRetrain(caller=ADMIN)).pairs == VIDEO_COUNT + 1
        start_retrain(services)
        run_retrain(services)
        assert {pair.text for pair in trainer.trained_on[0]} >= {"number 3", "number 111"}
        live = stores.generations.get_live()
        assert live is not None
        assert live_model(services) == str(live)
        assert stores.generations.get_live(OTHER_SPACE.space) == live
        add_numbered_video(services, 115, generation=live)
        handle(services, Rollback(caller=ADMIN))
        assert live_model(services) == "base"
        assert stores.reembedding.videos_missing_from(BASE) == [make_video("number 115").id]
        catch_up(stores, services.blobs, services.models, services.stopping)
        assert stores.reembedding.videos_missing_from(BASE) == []


def test_searches_use_previous_model_while_new_one_is_loaded(services: Services, loader: PausableLoader) -> None:
    """They do not wait for it, and search the vectors of the previous model."""
    before = search_results(services)
    start_retrain(services)
    run_retrain(services)
    loader.may_load.clear()
    loader.started.clear()
    assert search_results(services) == before
    assert loader.started.wait(30)
    assert search_results(services) == before
    loader.may_load.set()
    services.models.get_current(ANN.space)
    assert find_number(services, 42) == "number 42"
