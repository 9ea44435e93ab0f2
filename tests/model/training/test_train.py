"""`train`: what a run resumes from, the device it uses, and too little data."""

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import torch

from model.config import PriorConfig
from model.data.pairs import Pair
from model.encoders.text_prior import PRIOR_FILE
from model.errors import ModelError, TooFewPairsError
from model.loader import compute_generation, load_encoder
from model.presets import PRESETS, HubModel
from model.training.train import train
from model.training.training_run import TrainingRun
from tests.support.model import tiny_models
from tests.support.model.training_watcher import ProcessKilledError, TrainingWatcher, make_config

pytestmark = pytest.mark.filterwarnings(tiny_models.PEFT_WARNING)


@pytest.fixture
def artifacts_dir(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a tiny model under the name and commit of the preset `multilingual`, as if fetched."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    model = PRESETS["multilingual"].frame
    assert isinstance(model, HubModel)
    folder = tmp_path / "artifacts"
    shutil.copytree(
        root / "siglip", folder / "hub" / f"models--{model.repo.replace('/', '--')}" / "snapshots" / model.revision
    )
    return folder


def test_train_with_another_base_adapter_starts_from_step_one(
    artifacts_dir: Path, pairs: list[Pair], tmp_path: Path
) -> None:
    """A checkpoint is only used by a run with the same base adapter."""
    config = make_config(check_every=2, steps=4)

    def first_step(base_adapter: Path | None, folder: str, kill_at: int) -> int:
        watcher = TrainingWatcher(kill_at=kill_at)
        run = TrainingRun(
            config=config,
            pairs=pairs,
            preset=PRESETS["multilingual"],
            device="cpu",
            folder=tmp_path / folder,
            artifacts_dir=artifacts_dir,
            base_adapter=base_adapter,
            on_progress=watcher.on_progress,
            is_cancelled=watcher.is_cancelled,
        )
        with suppress(ProcessKilledError):
            train(run)
        return watcher.first_step

    first_step(None, "before", kill_at=10)
    adapter = tmp_path / "before" / "adapter"
    assert first_step(adapter, "after", kill_at=3) == 1
    assert first_step(adapter, "after", kill_at=3) == 3
    assert first_step(None, "after", kill_at=10) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that is not available")
def test_train_on_unavailable_device_fails_at_once(artifacts_dir: Path, pairs: list[Pair], tmp_path: Path) -> None:
    """The error comes before anything is written."""
    folder = tmp_path / "run"
    with pytest.raises(ModelError, match="ask for CUDA"):
        train(TrainingRun(make_config(), pairs, PRESETS["multilingual"], "cuda", folder, artifacts_dir))
    assert not folder.exists()


def test_train_without_training_pairs_raises_too_few_pairs(pairs: list[Pair], tmp_path: Path) -> None:
    held_out = [replace(pair, fixed_split="test") for pair in pairs]
    with pytest.raises(TooFewPairsError, match="no pairs"):
        train(TrainingRun(make_config(), held_out, PRESETS["base"], "cpu", tmp_path, tmp_path))


def test_train_with_a_prior_stores_it_and_names_the_generation_by_it(
    artifacts_dir: Path, pairs: list[Pair], tmp_path: Path
) -> None:
    """The prior of a run that was killed is not trained further."""
    config = make_config(check_every=1, steps=1).model_copy(update={"prior": PriorConfig(rank=2, steps=2)})
    run = TrainingRun(config, pairs, PRESETS["multilingual"], "cpu", tmp_path / "run", artifacts_dir)
    run.adapter.mkdir(parents=True)
    (run.adapter / PRIOR_FILE).write_bytes(b"of a killed run")
    train(run)
    encoder = load_encoder(run.preset, device="cpu", adapter=run.adapter, artifacts_dir=artifacts_dir)
    assert compute_generation(run.preset, run.adapter) == encoder.generation
    (run.adapter / PRIOR_FILE).unlink()
    assert compute_generation(run.preset, run.adapter) != encoder.generation
