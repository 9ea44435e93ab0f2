"""Two spaces of one installation, one of which was retrained: its searches change, those of the other do not."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from indexer.generation_id import GenerationId
from indexer.store.records import GenerationRecord, NewSubmission
from indexer.types import Caption, Evidence
from tests.support.indexer.clips import write_clip
from tests.support.indexer.fakes import make_video, moment_id
from tests.support.model.toy_model import ToyEncoder, ToyTrainer, load_toy_encoder
from tests.support.worker.callers import ADMIN, OTHER_SPACE
from tests.support.worker.recording_task import RecordingTask
from tests.support.worker.services import handle, open_services
from tests.support.worker.toy_library import (
    CORRELATION_ID,
    add_numbered_video,
    find_number,
    make_toy_settings,
    run_retrain,
    search_results,
)
from worker.handlers.errors import RequestRefusedError
from worker.jobs.enrich import EvidenceWriter
from worker.jobs.index_queue import IndexQueue
from worker.models.cache import MAX_LOADED
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import GetStatus, Submit
from worker.protocol.models import ListModels, PreviewRetrain, Retrain, Rollback
from worker.protocol.search import Find
from worker.protocol.updates import Indexed, IndexOutcome, RetrainFinished, RetrainOutcome, Update
from worker.services import Services

RETRAINED = ADMIN
"""An admin of the space that is retrained."""
OTHER = OTHER_SPACE
OWN_NUMBER = 200
"""The number of a video that only the other space has."""


def results(services: Services, caller: Caller) -> list[dict[str, Any]]:
    """Return the complete answers to some searches, one of them for the other space's own video."""
    own = handle(services, Find(caller=caller, queries=(f"number {OWN_NUMBER} please",)))
    return [*search_results(services, caller, step=20), own.model_dump()]


def run_index_job(services: Services, video_id: str) -> Update:
    return services.make_index_job()(RecordingTask(), video_id, CORRELATION_ID)


def own_generation(services: Services) -> GenerationId:
    generation = services.stores.generations.get_live(RETRAINED.space)
    assert generation is not None
    assert generation.space == RETRAINED.space
    return generation


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@dataclass(frozen=True)
class Retrained:
    """The data folder of an installation after the retrain, and the search results of both spaces before it."""

    folder: Path
    outcome: Update
    trained_on: set[str]
    results_before: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="session")
def retrained(library_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Retrained:
    folder, trainer = tmp_path_factory.mktemp("retrained") / "data", ToyTrainer()
    shutil.copytree(library_folder, folder)
    with open_services(make_toy_settings(folder), load_toy_encoder, trainer) as opened:
        for number in (0, 1, 20, OWN_NUMBER):
            add_numbered_video(opened, number, space=OTHER.space)
        before = {caller.space: results(opened, caller) for caller in (RETRAINED, OTHER)}
        handle(opened, Retrain(caller=RETRAINED))
        outcome = run_retrain(opened)
    return Retrained(folder, outcome, {pair.text for pair in trainer.trained_on[0]}, before)


@pytest.fixture
def restart_worker(retrained: Retrained, tmp_path: Path) -> Iterator[Callable[[], Services]]:
    """Open the services of a worker process of that installation, after those of the former process were closed."""
    shutil.copytree(retrained.folder, tmp_path, dirs_exist_ok=True)
    with ExitStack() as stack:

        def restart() -> Services:
            stack.close()
            opened = stack.enter_context(open_services(make_toy_settings(tmp_path), load_toy_encoder, ToyTrainer()))
            opened.models.get_current(RETRAINED.space)
            return opened

        yield restart


@pytest.fixture
def services(restart_worker: Callable[[], Services]) -> Services:
    return restart_worker()


def test_retrain_of_one_space_does_not_change_another(services: Services, retrained: Retrained) -> None:
    """Results, generation and models of the other space are identical, and its videos were not trained on."""
    assert isinstance(retrained.outcome, RetrainFinished)
    assert retrained.outcome.outcome is RetrainOutcome.PROMOTED
    assert f"number {OWN_NUMBER}" not in retrained.trained_on
    assert find_number(services, 42, RETRAINED) == "number 42"
    assert results(services, RETRAINED) != retrained.results_before[RETRAINED.space]
    assert results(services, OTHER) == retrained.results_before[OTHER.space]
    own, other = (handle(services, GetStatus(caller=caller)).generation for caller in (RETRAINED, OTHER))
    assert own is not None
    assert (own.endswith("@discord.1"), other) == (True, "base")
    assert [each.name for each in handle(services, ListModels(caller=RETRAINED)).generations] == [own, "base"]
    assert [each.name for each in handle(services, ListModels(caller=OTHER)).generations] == ["base"]
    with pytest.raises(RequestRefusedError) as refused:
        handle(services, Rollback(caller=OTHER, to=own))
    assert refused.value.code is ErrorCode.NO_OTHER_MODEL


def test_rollback_of_space_restores_identical_results(
    restart_worker: Callable[[], Services], retrained: Retrained
) -> None:
    """A second rollback returns to the space's own model, which then gets the videos that were added meanwhile."""
    after = results(restart_worker(), RETRAINED)
    services = restart_worker()
    live = next(each.name for each in handle(services, Rollback(caller=RETRAINED)).generations if each.live)
    services.models.get_current(RETRAINED.space)
    assert live == "base"
    assert results(services, RETRAINED) == retrained.results_before[RETRAINED.space]
    assert results(services, OTHER) == retrained.results_before[OTHER.space]
    handle(services, Rollback(caller=RETRAINED))
    services = restart_worker()
    assert results(services, RETRAINED) == after
    handle(services, Rollback(caller=RETRAINED))
    add_numbered_video(services, 115)
    handle(services, Rollback(caller=RETRAINED))
    run_index_job(services, make_video("number 115").id)
    assert find_number(services, 115, RETRAINED) == "number 115"


def test_index_job_embeds_video_with_space_model(services: Services, tmp_path: Path) -> None:
    """The job of a real file ends when the space's own model finds the video."""
    file = write_clip(tmp_path / "red.mp4", "red", seconds=1)
    submitted = handle(services, Submit(caller=RETRAINED, link=file.as_uri(), local_files=True))
    assert submitted.job_id
    outcome = run_index_job(services, submitted.video_id)
    assert isinstance(outcome, Indexed)
    assert outcome.status is IndexOutcome.INDEXED
    found = handle(services, Find(caller=RETRAINED, queries=("red",), in_link=file.as_uri()))
    assert [hit.title for hit in found.hits] == ["red"]
    assert services.stores.reembedding.videos_missing_from(own_generation(services)) == []


def test_video_of_other_space_is_reported_when_space_model_finds_it(services: Services) -> None:
    """If a space with its own model submits it, it gets a job."""
    video = make_video(f"number {OWN_NUMBER}")
    assert find_number(services, OWN_NUMBER, RETRAINED) != video.title
    services.stores.submissions.submit(
        NewSubmission(video.id, video.link, video.link, RETRAINED.space, RETRAINED.user_id, datetime.now(UTC))
    )
    assert services.make_index_queue().spaces_missing_video(video.id) == [RETRAINED.space]
    assert isinstance(run_index_job(services, video.id), Indexed)
    assert find_number(services, OWN_NUMBER, RETRAINED) == video.title


def test_submission_of_video_that_space_model_misses_gets_a_job(services: Services, tmp_path: Path) -> None:
    """The submitter follows the job as that of a new video. Once the model has the video, no job is needed."""
    file = write_clip(tmp_path / "blue.mp4", "blue", seconds=1)
    submit = Submit(caller=OTHER, link=file.as_uri(), local_files=True)
    run_index_job(services, handle(services, submit).video_id)
    own = handle(services, submit.model_copy(update={"caller": RETRAINED}))
    assert (own.job_id, own.indexed) == (IndexQueue.job_id(own.video_id), None)
    outcome = run_index_job(services, own.video_id)
    assert isinstance(outcome, Indexed)
    assert outcome.status is IndexOutcome.INDEXED
    assert handle(services, Find(caller=RETRAINED, queries=("blue",), in_link=file.as_uri())).hits
    for caller in (RETRAINED, OTHER):
        assert handle(services, submit.model_copy(update={"caller": caller})).job_id is None


def test_video_missing_from_space_model_is_requeued(services: Services) -> None:
    """The worker was killed after the installation's model had embedded the video, and before the space's."""
    add_numbered_video(services, 115)
    video_id = make_video("number 115").id
    services.make_index_queue().requeue_lost_jobs()
    assert not services.leases.try_queue(video_id)
    run_index_job(services, video_id)
    assert find_number(services, 115, RETRAINED) == "number 115"
    services.make_index_queue().requeue_lost_jobs()
    assert services.leases.try_queue(video_id)


def test_broken_space_model_does_not_fail_the_video(retrained: Retrained, tmp_path: Path) -> None:
    """The video is indexed for the other space, and stays missing from the broken model."""
    shutil.copytree(retrained.folder, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "adapters")
    shutil.rmtree(tmp_path / "blobs" / "spaces")
    video_id = make_video("number 115").id
    with open_services(make_toy_settings(tmp_path), load_toy_encoder, ToyTrainer()) as services:
        add_numbered_video(services, 115)
        add_numbered_video(services, 115, space=OTHER.space)
        assert isinstance(run_index_job(services, video_id), Indexed)
        assert services.make_index_queue().spaces_missing_video(video_id) == [RETRAINED.space]


def test_evidence_reaches_a_space_once_its_broken_model_is_mended(retrained: Retrained, tmp_path: Path) -> None:
    """Until then its moments, which lack the evidence, are missing from the model, so that they are embedded again."""
    data, away = tmp_path / "data", tmp_path / "away"
    shutil.copytree(retrained.folder, data)
    shutil.rmtree(data / "adapters")
    (data / "blobs" / "spaces").rename(away)
    video, id = make_video("number 20"), moment_id(make_video("number 20"), 0)
    with open_services(make_toy_settings(data), load_toy_encoder, ToyTrainer()) as services:
        write = EvidenceWriter(services.settings, services.stores, services.models)
        write(video.id, {id: Evidence((Caption(0.0, 2.0, "twenty"),), None, None)})
        assert services.make_index_queue().spaces_missing_video(video.id) == [RETRAINED.space]
    away.rename(data / "blobs" / "spaces")
    with open_services(make_toy_settings(data), load_toy_encoder, ToyTrainer()) as services:
        run_index_job(services, video.id)
        [moment] = services.stores.enrichment.read(own_generation(services), [id])
        assert moment.payload["words"] == "number 20\ntwenty"


def test_removed_video_is_deleted_from_space_generation(services: Services) -> None:
    """Another space that has the video still finds it."""
    services.stores.removals.remove_video(RETRAINED.scopes, make_video("number 20").id)
    assert find_number(services, 20, RETRAINED) != "number 20"
    found = handle(services, Find(caller=OTHER, queries=("number 20",)))
    assert "number 20" in {hit.title for hit in found.hits}


def test_purged_space_loses_its_models(services: Services, tmp_path: Path) -> None:
    """Moments, adapter, report, record and a running retrain are deleted; the other space keeps its data."""
    assert files_below(tmp_path / "blobs" / "spaces")
    assert files_below(tmp_path / "adapters")
    handle(services, Retrain(caller=RETRAINED))
    services.stores.spaces.record_bot_removal(RETRAINED.space, datetime.now(UTC) - timedelta(days=8))
    services.make_space_removal().purge_departed_spaces()
    assert not files_below(tmp_path / "blobs" / "spaces") + files_below(tmp_path / "adapters")
    assert [name for name in services.vectors.collections() if "@" in name] == []
    assert [str(record.generation) for record in services.stores.generations.list_records()] == ["base"]
    assert run_retrain(services) == RetrainFinished(outcome=RetrainOutcome.CANCELLED)
    assert handle(services, Find(caller=RETRAINED, queries=("number 42",))).hits == ()
    assert find_number(services, OWN_NUMBER, OTHER) == f"number {OWN_NUMBER}"


def test_retrain_of_another_space_is_invisible(services: Services) -> None:
    """Its admins cannot follow or cancel it, and cannot start one meanwhile. Their preview counts their own videos."""
    running = handle(services, Retrain(caller=RETRAINED))
    with pytest.raises(RequestRefusedError) as refused:
        handle(services, Retrain(caller=OTHER))
    assert refused.value.code is ErrorCode.TRAINING_ELSEWHERE
    assert handle(services, Retrain(caller=OTHER, cancel=True)).job_id is None
    assert handle(services, PreviewRetrain(caller=OTHER)).pairs == 4
    record = services.stores.retrains.get_current()
    assert record is not None
    assert not record.cancelled
    cancelled = handle(services, Retrain(caller=RETRAINED, cancel=True))
    assert cancelled.job_id == running.job_id == "retrain-discord.1"


def test_model_cache_evicts_least_recently_used_without_closing_it(services: Services) -> None:
    for number in range(MAX_LOADED):
        add_space_model(services, f"slack:{number}")
    in_use = services.models.get_available(RETRAINED.space)
    served = [services.models.get_available(f"slack:{number}") for number in range(MAX_LOADED)]
    assert len({id(model) for model in served}) == MAX_LOADED
    assert services.models.get_available("slack:0") is served[0]
    assert in_use.encode_texts(["number 1"])
    assert services.models.get_available(RETRAINED.space) is not in_use
    assert services.models.get_available("slack:1") is not served[1]


def add_space_model(services: Services, space: str) -> None:
    generation, prefix = GenerationId("some", space), f"spaces/{space}/adapters/some/".replace(":", ".")
    services.blobs.put(f"{prefix}adapter.json", b'{"knows": true}')
    services.stores.generations.put_record(GenerationRecord(generation, "starter", "", prefix))
    services.stores.generations.create(generation, ToyEncoder())
    services.stores.generations.switch_to(generation, space)
