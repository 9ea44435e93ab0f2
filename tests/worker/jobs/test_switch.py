"""Switching a library to another preset: on both stores and with a toy model."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from indexer.generation_id import GenerationId
from indexer.store.retention import delete_old_frames
from indexer.vectors.frame_codes import SPAN_KEYS
from indexer.vectors.vector_store import Filter
from model.errors import UnknownPresetError
from tests.support.indexer.fakes import make_video
from tests.support.model.toy_model import PausableLoader, ToyTrainer
from tests.support.worker.callers import ADMIN, ANN, OTHER_SPACE
from tests.support.worker.recording_task import RecordingTask
from tests.support.worker.services import handle, open_services
from tests.support.worker.toy_library import (
    BASE,
    CORRELATION_ID,
    add_numbered_video,
    create_base_generation,
    find_number,
    run_retrain,
    search_results,
)
from worker.handlers.errors import RequestRefusedError
from worker.jobs.rollout import catch_up
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import GetStatus
from worker.protocol.models import ListModels, ListPresets, Retrain, Rollback, UseModel
from worker.protocol.search import Find
from worker.protocol.updates import JobFailed, RetrainFinished, RetrainOutcome
from worker.services import Services
from worker.settings import Settings

NUMBERS = range(0, 110, 20)
OPERATOR = Caller(space="local:me", user_id="cli", is_admin=True)
TARGET = GenerationId("multilingual-1")


class KilledError(BaseException):
    """The process is killed. Code under test does not catch it."""


@pytest.fixture
def loader() -> PausableLoader:
    return PausableLoader(downloads={"multilingual": (2_000_000, 8_000_000)})


@pytest.fixture(params=["edge", "server"])
def restart_worker(
    request: pytest.FixtureRequest, tmp_path: Path, loader: PausableLoader
) -> Iterator[Callable[..., Services]]:
    """Open the services of a worker process, with other settings if they are given, after the former was closed."""
    url = request.getfixturevalue("qdrant_url") if request.param == "server" else None
    with ExitStack() as stack:

        def restart(**changes: Any) -> Services:
            stack.close()
            settings = Settings(data_dir=tmp_path, qdrant_url=url, **changes)
            return stack.enter_context(open_services(settings, loader, ToyTrainer()))

        yield restart
        services = restart()
        for collection in services.vectors.collections():
            services.vectors.drop(collection)


@pytest.fixture
def services(restart_worker: Callable[..., Services]) -> Services:
    """Open a library of a few videos, embedded by the preset `base`."""
    services = restart_worker()
    create_base_generation(services)
    for number in NUMBERS:
        add_numbered_video(services, number)
    return services


def use(services: Services, preset: str = "multilingual", **fields: Any) -> None:
    handle(services, UseModel(**{"caller": OPERATOR, "preset": preset, "by_operator": True, **fields}))


def switch(services: Services, preset: str = "multilingual", **fields: Any) -> RetrainFinished:
    """Switch to a preset, and load its model as the first search after it would."""
    use(services, preset, **fields)
    outcome = run_retrain(services)
    assert isinstance(outcome, RetrainFinished)
    services.models.get_current(ANN.space)
    return outcome


def results(services: Services, caller: Caller = ANN) -> list[dict[str, Any]]:
    return search_results(services, caller, step=20)


def test_switch_embeds_the_library_and_changes_all_searches(services: Services, loader: PausableLoader) -> None:
    """A download shows its bytes. The outcome names the generation, which is on record with its preset."""
    before, task = results(services), RecordingTask()
    use(services)
    outcome = run_retrain(services, task)
    fetched = next(update for update in task.progress if update.get("stage") == "fetch")
    assert (fetched["step"], fetched["steps"]) == loader.downloads["multilingual"]
    assert fetched["left_s"] is not None
    assert outcome == RetrainFinished(outcome=RetrainOutcome.SWITCHED, generation=str(TARGET))
    assert next(update["stage"] for update in task.progress if "stage" in update) == "load"
    services.models.get_current(ANN.space)
    assert results(services) != before
    assert find_number(services, 40) == "number 40"
    models = handle(services, ListModels(caller=ANN, by_operator=True)).generations
    assert {(each.name, each.preset, each.live) for each in models} == {
        ("multilingual-1", "multilingual", True),
        ("base", "base", False),
    }
    assert handle(services, GetStatus(caller=ANN)).preset == "multilingual"


def test_rollback_gives_the_same_answers_as_before(services: Services) -> None:
    """A second rollback returns to the new preset, with the same answers, too."""
    before = results(services)
    switch(services)
    after = results(services)
    for expected in (before, after):
        handle(services, Rollback(caller=OPERATOR, by_operator=True))
        services.models.get_current(ANN.space)
        assert results(services) == expected


def test_no_search_fails_during_a_switch(services: Services) -> None:
    """Searches go on while the library is embedded, and after the switch until the new model is loaded."""
    stop, found, failures = threading.Event(), [], []

    def search() -> None:
        while not stop.is_set():
            try:
                found.append(handle(services, Find(caller=ANN, queries=("number 40 please",))).hits)
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        switch(services)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert all(found)


@pytest.mark.parametrize("stage", ["load", "fetch", "embed", "switch"])
def test_killed_switch_is_continued(services: Services, restart_worker: Callable[..., Services], stage: str) -> None:
    """Searches do not change until the next worker has finished it."""

    class KilledInStage(RecordingTask):
        def update_state(self, state: str, meta: dict[str, Any]) -> None:
            if meta.get("stage") == stage:
                raise KilledError

    before = results(services)
    use(services)
    with pytest.raises(KilledError):
        run_retrain(services, KilledInStage())
    assert results(services) == before
    restarted = restart_worker()
    restarted.make_retrain_queue().requeue_lost_jobs()
    outcome = run_retrain(restarted)
    assert isinstance(outcome, RetrainFinished)
    assert outcome.outcome is RetrainOutcome.SWITCHED
    assert restarted.stores.reembedding.videos_missing_from(TARGET) == []
    assert find_number(restarted, 40) == "number 40"


def test_cancelled_switch_changes_nothing(services: Services) -> None:
    before = results(services)
    use(services)
    assert handle(services, Retrain(caller=OPERATOR, cancel=True)).job_id == "retrain"
    assert run_retrain(services) == RetrainFinished(outcome=RetrainOutcome.CANCELLED)
    assert results(services) == before
    assert services.stores.generations.get_live() == BASE


def test_video_added_during_a_switch_is_in_both_generations(services: Services, loader: PausableLoader) -> None:
    """One that is added after the switch is embedded for the former generation after a rollback."""
    before_switch = services.stores.generations.switch_to

    def add_and_switch(generation: GenerationId, space: str | None = None) -> None:
        add_numbered_video(services, 33)
        before_switch(generation, space)

    services.stores.generations.switch_to = add_and_switch  # type: ignore[method-assign]
    switch(services)
    services.stores.generations.switch_to = before_switch  # type: ignore[method-assign]
    reembedding = services.stores.reembedding
    assert (reembedding.videos_missing_from(TARGET), reembedding.videos_missing_from(BASE)) == ([], [])
    add_numbered_video(services, 34, generation=TARGET)
    handle(services, Rollback(caller=OPERATOR, by_operator=True))
    assert reembedding.videos_missing_from(BASE) == [make_video("number 34").id]
    catch_up(services.stores, services.blobs, services.models, services.stopping)
    assert reembedding.videos_missing_from(BASE) == []


def test_library_is_served_by_its_own_preset_whatever_is_set(
    services: Services, restart_worker: Callable[..., Services]
) -> None:
    """Searches and new links go on. A library of an earlier version has no record: its name tells the preset."""
    before = results(services)
    assert services.stores.generations.list_records() == []
    other = restart_worker(preset="chinese")
    assert other.models.choose(BASE).preset == "base"
    assert results(other) == before
    assert other.models.get_current().generation == "base"
    assert handle(other, GetStatus(caller=ANN)).preset == "base"


def test_moments_without_frames_are_embedded_from_their_thumbnails(services: Services) -> None:
    """The answer says how many."""
    assert delete_old_frames(services.vectors, services.blobs, datetime(2026, 6, 1, tzinfo=UTC)) == len(NUMBERS)
    assert switch(services).moments_without_frames == len(NUMBERS)
    assert find_number(services, 40) == "number 40"


def test_preset_in_use_embeds_only_what_earlier_versions_did_not(services: Services) -> None:
    """The frames with which spans are refined."""
    services.vectors.set_payload(BASE.collection_name, Filter(), dict.fromkeys(SPAN_KEYS))
    before = services.stores.reembedding.videos_without_span_frames(BASE)
    assert switch(services, "base").outcome is RetrainOutcome.ALREADY
    assert services.stores.generations.get_previous() is None
    after = services.stores.reembedding.videos_without_span_frames(BASE)
    assert (len(before), len(after)) == (len(NUMBERS), 0)


def test_switch_back_uses_the_stored_vectors(services: Services) -> None:
    switch(services)
    task = RecordingTask()
    use(services, "base")
    assert isinstance(run_retrain(services, task), RetrainFinished)
    assert [update for update in task.progress if update.get("stage") == "embed" and update["steps"]] == []
    assert services.stores.generations.get_live() == BASE


def test_model_that_cannot_be_loaded_leaves_everything_as_it_was(services: Services, loader: PausableLoader) -> None:
    """The failure has its code, and the next switch can be started."""
    before = results(services)
    loader.missing.add("large")
    use(services, "large")
    assert run_retrain(services) == JobFailed(code=ErrorCode.MODEL_MISSING, correlation_id=CORRELATION_ID)
    assert results(services) == before
    assert switch(services).outcome is RetrainOutcome.SWITCHED


def test_chats_may_use_what_the_operator_allows(services: Services, restart_worker: Callable[..., Services]) -> None:
    """By default nothing; the list of presets says so. An allowed preset becomes the model of that space only."""
    request = UseModel(caller=ADMIN, preset="multilingual")
    with pytest.raises(RequestRefusedError) as refused:
        handle(services, request)
    assert refused.value.code is ErrorCode.PRESET_NOT_ALLOWED
    allowing = restart_worker(chat_presets=("multilingual",))
    presets = handle(allowing, ListPresets(caller=ADMIN)).presets
    assert {each.name for each in presets if each.is_allowed} == {"multilingual"}
    assert handle(allowing, request).job_id == "retrain-discord.1"
    assert run_retrain(allowing) == RetrainFinished(
        outcome=RetrainOutcome.SWITCHED, generation="multilingual-1@discord.1"
    )
    generations = allowing.stores.generations
    assert (generations.get_live(OTHER_SPACE.space), generations.get_live()) == (BASE, BASE)
    with pytest.raises(RequestRefusedError):
        handle(allowing, request.model_copy(update={"caller": ANN}))


def test_space_with_own_model_keeps_it_until_it_is_switched(services: Services) -> None:
    """After the installation has switched, the space shares the installation's moments without a job of its own."""
    switch(services, "chinese", caller=ADMIN, for_space=True)
    own = GenerationId("chinese-1", ADMIN.space)
    assert services.stores.generations.get_live(ADMIN.space) == own
    assert switch(services).spaces_with_own_model == 1
    assert services.stores.generations.get_live(ADMIN.space) == own
    assert services.models.choose_for_training(ADMIN.space).preset == "multilingual"
    assert switch(services, caller=ADMIN, for_space=True).outcome is RetrainOutcome.SWITCHED
    assert services.stores.generations.get_live(ADMIN.space) == TARGET
    handle(services, Rollback(caller=ADMIN))
    assert services.stores.generations.get_live(ADMIN.space) == own


def test_unknown_preset_is_refused(services: Services) -> None:
    """A second switch is refused while one runs, but the same one is followed."""
    with pytest.raises(UnknownPresetError, match="there are starter, base"):
        use(services, "nonsense")
    use(services)
    assert not handle(services, UseModel(caller=OPERATOR, preset="multilingual", by_operator=True)).is_new
    with pytest.raises(RequestRefusedError) as refused:
        use(services, "chinese")
    assert refused.value.code is ErrorCode.TRAINING_ELSEWHERE
