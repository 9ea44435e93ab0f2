"""Adapters that were trained in a shell: judged on their own held-out pairs, like those of a retrain."""

import json
from pathlib import Path

import pytest

from indexer.generation_id import GenerationId
from model.data.pairs import Pair, Split
from tests.support.model.toy_model import make_numbered_jpeg
from tests.support.worker.callers import ADMIN, ANN
from tests.support.worker.services import handle
from tests.support.worker.toy_library import BASE, find_number, run_retrain, search_results
from worker.models.adapter_offers import NotAnAdapterError, put_offer, write_held_out_pairs
from worker.protocol.base import Caller
from worker.protocol.models import UseModel
from worker.protocol.updates import RetrainFinished, RetrainOutcome
from worker.services import Services

OPERATOR = Caller(space="local:me", user_id="cli", is_admin=True)
PREFIX = "offers/1/"


def make_run(folder: Path, held_out: int = 40, **knowledge: bool) -> Path:
    """Make the folder of a training run of the toy model. Returns that of its adapter."""
    (folder / "adapter").mkdir()
    (folder / "adapter" / "adapter.json").write_text(json.dumps({"preset": "base", **knowledge}))
    pairs = []
    for number in range(held_out + 20):
        file, split = folder / f"{number}.jpg", "test" if number < held_out else "train"
        file.write_bytes(make_numbered_jpeg(number))
        split_of: Split = "test" if split == "test" else "train"
        pairs.append(Pair(f"number {number} please", (file,), f"video {number}", fixed_split=split_of))
    write_held_out_pairs(folder, pairs)
    return folder / "adapter"


def offer(services: Services, adapter: Path, *, is_forced: bool = False, for_space: str | None = None) -> object:
    """Offer an adapter to the installation, or to a space, and run the job."""
    put_offer(services.blobs, PREFIX, adapter)
    caller = OPERATOR.model_copy(update={"space": for_space or OPERATOR.space})
    request = UseModel(
        caller=caller,
        preset="base",
        offer=PREFIX,
        is_forced=is_forced,
        by_operator=True,
        for_space=for_space is not None,
    )
    handle(services, request)
    outcome = run_retrain(services)
    assert services.blobs.list_names(PREFIX) == []
    return outcome


def test_better_adapter_is_taken_into_use(services: Services, tmp_path: Path) -> None:
    """For the whole installation, with the figures of the proof and the picture of the report."""
    outcome = offer(services, make_run(tmp_path, knows=True))
    assert isinstance(outcome, RetrainFinished)
    assert (outcome.outcome, outcome.overridden, outcome.questions) == (RetrainOutcome.SWITCHED, None, 40)
    assert outcome.r5 == 1.0
    assert services.blobs.get(outcome.picture or "").startswith(b"\x89PNG")
    live = services.stores.generations.get_live()
    assert live is not None
    assert (live.space, services.stores.generations.describe(live).preset) == (None, "base")
    services.models.get_current(ANN.space)
    assert find_number(services, 42) == "number 42"


def test_adapter_for_one_space_changes_that_space_only(services: Services, tmp_path: Path) -> None:
    outcome = offer(services, make_run(tmp_path, knows=True), for_space=ADMIN.space)
    assert isinstance(outcome, RetrainFinished)
    assert outcome.generation is not None
    assert GenerationId.parse(outcome.generation).space == ADMIN.space
    assert services.stores.generations.get_live() == BASE


@pytest.mark.parametrize(
    ("knowledge", "expected"),
    [({}, RetrainOutcome.NOT_BETTER), ({"knows": True, "confused": True}, RetrainOutcome.FORGETS)],
)
def test_adapter_that_is_not_better_is_used_only_if_forced(
    services: Services, tmp_path: Path, knowledge: dict[str, bool], expected: RetrainOutcome
) -> None:
    """The answer then says what that overrides."""
    before, adapter = search_results(services), make_run(tmp_path, **knowledge)
    refused = offer(services, adapter)
    assert isinstance(refused, RetrainFinished)
    assert refused.outcome is expected
    assert (services.stores.generations.get_live(), search_results(services)) == (BASE, before)
    forced = offer(services, adapter, is_forced=True)
    assert isinstance(forced, RetrainFinished)
    assert (forced.outcome, forced.overridden) == (RetrainOutcome.SWITCHED, expected)
    assert services.stores.generations.get_live() != BASE


def test_adapter_without_a_proof_is_used_only_if_forced(services: Services, tmp_path: Path) -> None:
    """It has no held-out pairs."""
    adapter = make_run(tmp_path, held_out=0, knows=True)
    (tmp_path / "held_out.json").unlink()
    assert offer(services, adapter) == RetrainFinished(outcome=RetrainOutcome.TOO_FEW)
    forced = offer(services, adapter, is_forced=True)
    assert isinstance(forced, RetrainFinished)
    assert (forced.outcome, forced.overridden) == (RetrainOutcome.SWITCHED, RetrainOutcome.TOO_FEW)


def test_folder_without_an_adapter_is_refused(services: Services, tmp_path: Path) -> None:
    with pytest.raises(NotAnAdapterError, match="contains no adapter of `reelseek train`"):
        put_offer(services.blobs, PREFIX, tmp_path)
