"""From pairs to the folder of an adapter."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree

from model import headed
from model.hub import HubModel, fetch, read
from model.pairs import Pair
from model.parts import default_folder
from model.presets import PRESETS, STARTER, load_encoder
from model.run import Run
from model.trainable import HubTowers, Towers
from model.trainer import Outcome, Step, Trainer, accelerator

SUMMARY = "adapter.json"

Loading = Callable[[], Towers]


@dataclass(frozen=True)
class Trained:
    adapter: Path
    """Folder with `frame`, perhaps `motion`, `map.safetensors` and `head.safetensors`, and `adapter.json`."""
    outcomes: Mapping[str, Outcome]
    """By part: `frame`, and `motion` where the preset has a motion model and the pairs have clips."""


def train(
    run: Run,
    pairs: Sequence[Pair],
    *,
    preset: str,
    parts_dir: Path | None,
    folder: Path,
    base_adapter: Path | None = None,
    progress: Callable[[Step], None],
    stopping: Callable[[], bool],
) -> Trained:
    """Trains on the pairs of the split `train`; those of `validation` say when it is enough; `test` is not looked at.

    `folder` keeps checkpoints: called again with the same, a killed or cancelled run goes on. From `base_adapter` on,
    its layers and rank are kept, whatever the run states. Raises `Cancelled`, `PartsMissing`, `AdapterMismatch`.
    """
    cache = folder / "cache"
    loading = _loading(run, preset, parts_dir or default_folder(), base_adapter, cache)
    trained = train_towers(run, pairs, loading, preset=preset, folder=folder, progress=progress, stopping=stopping)
    if run.head.kind != "mean" and accelerator().is_main_process:
        headed.teach(
            run.head,
            pairs,
            load_encoder(preset, device="auto", adapter=trained.adapter, parts_dir=parts_dir),
            trained.adapter,
            seed=run.seed,
            progress=lambda done, of: progress(Step("pictures", done, of, None, None)),
            stopping=stopping,
        )
    rmtree(cache, ignore_errors=True)  # large, and only good for going on
    return trained


def train_towers(
    run: Run,
    pairs: Sequence[Pair],
    loading: Mapping[str, Loading],
    *,
    preset: str,
    folder: Path,
    progress: Callable[[Step], None],
    stopping: Callable[[], bool],
) -> Trained:
    """`train`, with the towers of each part of the preset."""
    adapter = folder / "adapter"
    outcomes, pins = {}, {}
    for part, load in loading.items():
        taught = [pair for pair in pairs if part == "frame" or len(pair.pictures) > 1]
        if not any(pair.split == "train" for pair in taught):
            continue
        towers = load()
        outcomes[part] = Trainer(run, towers, taught, folder / part, progress, stopping)()
        pins[part] = towers.pin
        if accelerator().is_main_process:
            towers.save(adapter, part)
    if not outcomes:
        raise ValueError("no pairs to train on")
    summary = {
        "preset": preset,
        "models": pins,
        "code": version("reelseek"),
        "run": run.model_dump(mode="json"),
        "data": _counts(pairs),
        "curves": {part: asdict(outcome) for part, outcome in outcomes.items()},
    }
    if accelerator().is_main_process:
        (adapter / SUMMARY).write_text(json.dumps(summary, indent=1), encoding="utf-8")
    return Trained(adapter, outcomes)


def _loading(run: Run, preset: str, parts_dir: Path, base: Path | None, cache: Path) -> dict[str, Loading]:
    if preset == STARTER:
        from model import upper_layers  # its libraries and parts are for this preset alone

        return {"frame": lambda: upper_layers.load(run, parts_dir, base, cache)}

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
        "people": len({pair.person for pair in pairs if pair.person}),
        "hard_negatives": sum(len(pair.against) for pair in pairs),
    }
