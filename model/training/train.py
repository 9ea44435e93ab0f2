"""Training of an adapter: from pairs to the adapter's folder."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from shutil import rmtree

from accelerate import Accelerator

from model.data.pairs import Pair
from model.encoders.devices import select_device
from model.encoders.hub import load_model
from model.encoders.text_prior import PRIOR_FILE
from model.errors import AdapterMismatchError, TooFewPairsError, TrainingCancelledError
from model.loader import compute_generation, load_encoder
from model.outcome import TrainedAdapter, TrainingOutcome
from model.packages import default_artifacts_dir
from model.presets import ModelSource, StarterPreset
from model.training.starter_towers import load_starter_towers
from model.training.towers import HubTowers, Towers
from model.training.train_clip_head import train_clip_head
from model.training.train_prior import train_prior
from model.training.trainer import Trainer, create_accelerator
from model.training.training_run import TrainingRun

SUMMARY_FILE = "adapter.json"

LoadTowers = Callable[[], Towers]


def train(run: TrainingRun) -> TrainedAdapter:
    """Train on the pairs of the split `train`. Pairs of `validation` stop the run early; `test` is not used.

    Raises `TrainingCancelledError`, `ArtifactsMissingError`, `AdapterMismatchError`, `TooFewPairsError`, and
    `ModelError` if the device is not available.
    """
    if run.config.prior.rank and isinstance(run.preset, StarterPreset):
        raise AdapterMismatchError("the starter has a map from texts to pictures: set the run's `prior.rank` to 0")
    towers = _list_towers(run)
    trained = train_towers(run, towers, compute_generation(run.preset, run.base_adapter))
    if trained.is_main_process:
        _train_maps(run)
    # All processes may load the adapter after this, and none reads the cache any more.
    create_accelerator(run.device).wait_for_everyone()
    if trained.is_main_process:
        rmtree(run.cache, ignore_errors=True)  # large, and only needed for resuming
    return trained


def _train_maps(run: TrainingRun) -> None:
    """Train what is added to the trained towers: a prior, and then a clip head."""
    (run.adapter / PRIOR_FILE).unlink(missing_ok=True)  # that of a run which was killed after it
    load = partial(load_encoder, run.preset, device=run.device, adapter=run.adapter, artifacts_dir=run.artifacts_dir)
    if run.config.prior.rank:
        train_prior(run, load())
    if run.config.head.kind != "mean":
        train_clip_head(run, load())


def train_towers(
    run: TrainingRun, towers_by_role: Mapping[str, LoadTowers], initial_weights: str = ""
) -> TrainedAdapter:
    """Train the given towers of each role. `initial_weights` identifies the weights that they start from.

    Roles whose training split is empty are skipped. Raises as `train` does.
    """
    processes = create_accelerator(run.device)
    outcomes: dict[str, TrainingOutcome] = {}
    base_models: dict[str, str] = {}
    for role, load in towers_by_role.items():
        pairs = _select_pairs(run.pairs, role)
        if not any(pair.split == "train" for pair in pairs):
            continue
        towers = load()
        outcomes[role] = Trainer(run, role, towers, pairs, initial_weights).fit()
        base_models[role] = towers.base_model
        if processes.is_main_process:
            towers.save(run.adapter, role)
    if not outcomes:
        raise TooFewPairsError("no pairs are left to train on: more videos are needed")
    _write_summary(run, processes, outcomes, base_models)
    return TrainedAdapter(run.adapter, outcomes, processes.is_main_process)


def _list_towers(run: TrainingRun) -> dict[str, LoadTowers]:
    device, artifacts_dir = select_device(run.device), run.artifacts_dir or default_artifacts_dir()
    preset = run.preset
    if isinstance(preset, StarterPreset):
        towers = partial(load_starter_towers, preset, run.config, device, artifacts_dir, run.base_adapter, run.cache)
        return {"frame": towers}

    def stop_if_cancelled(done: int, total: int) -> None:
        if run.is_cancelled():
            raise TrainingCancelledError("cancelled while downloading the model")

    def make_load(model: ModelSource, role: str) -> LoadTowers:
        base_adapter = run.base_adapter / role if run.base_adapter else None
        return lambda: HubTowers(load_model(model, role, artifacts_dir, stop_if_cancelled), run.config, base_adapter)

    motion = {"motion": make_load(preset.motion, "motion")} if preset.motion else {}
    return {"frame": make_load(preset.frame, "frame"), **motion}


def _select_pairs(pairs: Sequence[Pair], role: str) -> list[Pair]:
    """Select the pairs that a role can use: motion needs clips."""
    return [pair for pair in pairs if role == "frame" or len(pair.pictures) > 1]


def _write_summary(
    run: TrainingRun,
    processes: Accelerator,
    outcomes: Mapping[str, TrainingOutcome],
    base_models: Mapping[str, str],
) -> None:
    """Write `adapter.json` in the main process, and wait for it in the others."""
    if processes.is_main_process:
        summary = {
            "preset": run.preset.name,
            "generation": compute_generation(run.preset, None),
            "models": base_models,
            "code": version("reelseek"),
            "run": run.config.model_dump(mode="json"),
            "data": _count_data(run.pairs),
            "curves": {role: asdict(outcome) for role, outcome in outcomes.items()},
        }
        (run.adapter / SUMMARY_FILE).write_text(json.dumps(summary, indent=1), encoding="utf-8")
    processes.wait_for_everyone()


def _count_data(pairs: Sequence[Pair]) -> dict[str, object]:
    """Describe the data by counts only, without texts and names."""
    return {
        "pairs": _count(pair.split for pair in pairs),
        "kinds": _count(pair.kind for pair in pairs),
        "sources": _count(split for _, split in {(pair.source, pair.split) for pair in pairs}),
        "people": len({pair.user_id for pair in pairs if pair.user_id}),
        "hard_negatives": sum(len(pair.hard_negatives) for pair in pairs),
    }


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
