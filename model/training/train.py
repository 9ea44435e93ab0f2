"""From pairs to the folder of an adapter."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree

import torch

from model.config import TrainingConfig
from model.data.pairs import Pair
from model.encoders.devices import serving_device
from model.encoders.hub import fetch, read
from model.errors import TooFewPairs
from model.outcome import Step, Trained
from model.presets import PRESETS, STARTER, HubModel, generation, load_encoder
from model.starter.artifacts import default_folder
from model.training import clip_head_encoder
from model.training.loop import Trainer, accelerator
from model.training.towers import HubTowers, Towers

SUMMARY = "adapter.json"

Loading = Callable[[], Towers]


def train(
    run: TrainingConfig,
    pairs: Sequence[Pair],
    *,
    preset: str,
    device: str,
    parts_dir: Path | None,
    folder: Path,
    base_adapter: Path | None = None,
    progress: Callable[[Step], None],
    stopping: Callable[[], bool],
) -> Trained:
    """Trains on the pairs of the split `train`; those of `validation` say when it is enough; `test` is not looked at.

    `folder` keeps checkpoints: called again with the same, a killed or cancelled run goes on. From `base_adapter` on,
    its layers and rank are kept, whatever the run states. `device` is `auto`, `cpu` or `cuda`. Raises `Cancelled`,
    `PartsMissing`, `AdapterMismatch`, `TooFewPairs`, and `ModelError` for a device that is not there.
    """
    cache = folder / "cache"
    loading = _loading(run, preset, serving_device(device), parts_dir or default_folder(), base_adapter, cache)
    trained = train_towers(
        run,
        pairs,
        loading,
        preset=preset,
        device=device,
        folder=folder,
        begun_from=_begun_from(preset, base_adapter),
        progress=progress,
        stopping=stopping,
    )
    if run.head.kind != "mean" and trained.main:
        clip_head_encoder.teach(
            run.head,
            pairs,
            load_encoder(preset, device=device, adapter=trained.adapter, parts_dir=parts_dir),
            trained.adapter,
            seed=run.seed,
            progress=lambda done, of: progress(Step("pictures", done, of, None, None)),
            stopping=stopping,
        )
    accelerator(device).wait_for_everyone()  # whoever returns may load the adapter, and reads the cache no more
    if trained.main:
        rmtree(cache, ignore_errors=True)  # large, and only good for going on
    return trained


def train_towers(
    run: TrainingConfig,
    pairs: Sequence[Pair],
    loading: Mapping[str, Loading],
    *,
    preset: str,
    device: str,
    folder: Path,
    begun_from: str = "",
    progress: Callable[[Step], None],
    stopping: Callable[[], bool],
) -> Trained:
    """`train`, with the towers of each part of the preset. `begun_from` names the weights that they begin with."""
    adapter, processes = folder / "adapter", accelerator(device)
    told = progress if processes.is_main_process else lambda step: None
    outcomes, pins = {}, {}
    for part, load in loading.items():
        taught = [pair for pair in pairs if part == "frame" or len(pair.pictures) > 1]
        if not any(pair.split == "train" for pair in taught):
            continue
        towers = load()
        outcomes[part] = Trainer(run, towers, taught, folder / part, device, begun_from, told, stopping)()
        pins[part] = towers.pin
        if processes.is_main_process:
            towers.save(adapter, part)
    if not outcomes:
        raise TooFewPairs("no pairs are left to train on: more videos are needed")
    summary = {
        "preset": preset,
        "models": pins,
        "code": version("reelseek"),
        "run": run.model_dump(mode="json"),
        "data": _counts(pairs),
        "curves": {part: asdict(outcome) for part, outcome in outcomes.items()},
    }
    if processes.is_main_process:
        (adapter / SUMMARY).write_text(json.dumps(summary, indent=1), encoding="utf-8")
    processes.wait_for_everyone()
    return Trained(adapter, outcomes, processes.is_main_process)


def _begun_from(preset: str, base: Path | None) -> str:
    if preset == STARTER:
        from model.starter import encoder  # its libraries and parts are for this preset alone

        return encoder.generation(base)
    return generation(PRESETS[preset], base)


def _loading(
    run: TrainingConfig, preset: str, device: torch.device, parts_dir: Path, base: Path | None, cache: Path
) -> dict[str, Loading]:
    if preset == STARTER:
        from model.training import starter_towers  # its libraries and parts are for this preset alone

        return {"frame": lambda: starter_towers.load(run, device, parts_dir, base, cache)}

    def hub(model: HubModel, part: str) -> Loading:
        return lambda: HubTowers(read(fetch(model, parts_dir), model.name), run, base / part if base else None)

    stated = PRESETS[preset]
    motion = {"motion": hub(stated.motion, "motion")} if stated.motion else {}
    return {"frame": hub(stated.frame, "frame"), **motion}


def _counts(pairs: Sequence[Pair]) -> dict[str, object]:
    """What may be told of the data: numbers, no text and no names."""

    def by(values: Iterator[str]) -> dict[str, int]:
        return dict(sorted(Counter(values).items()))

    return {
        "pairs": by(pair.split for pair in pairs),
        "kinds": by(pair.kind for pair in pairs),
        "sources": by(part for _, part in {(pair.source, pair.split) for pair in pairs}),
        "people": len({pair.user_id for pair in pairs if pair.user_id}),
        "hard_negatives": sum(len(pair.against) for pair in pairs),
    }
