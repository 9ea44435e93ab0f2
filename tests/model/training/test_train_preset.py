"""Training by a preset's name: what a run goes on from, where it trains, and what is too little."""

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import torch

from model.data.pairs import Pair
from model.errors import ModelError, TooFewPairs
from model.presets import PRESETS
from model.training.train import train
from tests.model.training.test_train import Killed, Watcher, pairs, root, small
from tests.support import tiny_models

__all__ = ["pairs", "root"]

pytestmark = pytest.mark.filterwarnings(tiny_models.PEFT_WARNS)


@pytest.fixture
def multilingual(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Parts with a tiny model under the name and commit of the preset's, as if it had been fetched."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    model = PRESETS["multilingual"].frame
    snapshot = tmp_path / "parts" / "hub" / f"models--{model.repo.replace('/', '--')}" / "snapshots" / model.revision
    shutil.copytree(root / "siglip", snapshot)
    return tmp_path / "parts"


def test_after_a_rollback_a_run_begins_anew(multilingual: Path, pairs: list[Pair], tmp_path: Path) -> None:
    """A checkpoint of a run that went on from an adapter is none of a run that goes on from another, or from none."""

    def first_step(base: Path | None, folder: str, watcher: Watcher) -> int:
        with suppress(Killed):
            train(
                small(check_every=2, steps=4),
                pairs,
                preset="multilingual",
                device="cpu",
                parts_dir=multilingual,
                folder=tmp_path / folder,
                base_adapter=base,
                progress=watcher.progress,
                stopping=watcher.stopping,
            )
        return next(step.step for step in watcher.steps if step.stage == "training")

    first_step(None, "before", Watcher())
    adapter = tmp_path / "before" / "adapter"
    assert first_step(adapter, "after", Watcher(kill_at=3)) == 1
    assert first_step(adapter, "after", Watcher(kill_at=3)) == 3
    assert first_step(None, "after", Watcher()) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for what is not there")
def test_it_trains_where_it_is_told_to(multilingual: Path, pairs: list[Pair], tmp_path: Path) -> None:
    """The setting's device is the one that trains: one that is not there is a sentence, before anything is done."""
    with pytest.raises(ModelError, match="asks for CUDA"):
        train(
            small(),
            pairs,
            preset="multilingual",
            device="cuda",
            parts_dir=multilingual,
            folder=tmp_path / "made",
            progress=lambda step: None,
            stopping=lambda: False,
        )
    assert not (tmp_path / "made").exists()


def test_no_pairs_to_train_on(pairs: list[Pair], tmp_path: Path) -> None:
    """Pairs that are all held out teach nothing: more are needed, which is no fault of ours."""
    held_out = [replace(pair, stated="test") for pair in pairs]
    with pytest.raises(TooFewPairs, match="no pairs"):
        train(
            small(),
            held_out,
            preset="base",
            device="cpu",
            parts_dir=tmp_path,
            folder=tmp_path,
            progress=lambda step: None,
            stopping=lambda: False,
        )
