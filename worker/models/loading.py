"""Loading and training of models by name, which is all that a worker needs to know about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from worker.settings import Settings

if TYPE_CHECKING:
    from model.data.pairs import Pair
    from model.outcome import TrainedAdapter, TrainingStep
    from model.ports import Encoder as ModelEncoder
    from model.ports import FetchProgress
    from model.presets import BasePreset


@dataclass(frozen=True)
class ModelChoice:
    """Which model to load or to train."""

    preset: str
    generation: str | None = None
    """Name of the generation that the weights make, alone or with the adapter. None: the newest weights."""
    adapter: Path | None = None
    """Local folder of the adapter; None: the preset without one."""


ModelLoader: TypeAlias = "Callable[[Settings, ModelChoice, FetchProgress | None], ModelEncoder]"
"""Loads an encoder. Raises `ModelError`, and what `FetchProgress` raises to stop a download."""
ModelTrainer: TypeAlias = (
    "Callable[[Settings, ModelChoice, Sequence[Pair], Path, Callable[[TrainingStep], None], Callable[[], bool]],"
    " TrainedAdapter]"
)
"""Trains an adapter; the parameters are those of `train_preset`. Raises `ModelError`."""


def find_chosen_preset(settings: Settings, choice: ModelChoice) -> BasePreset:
    """Return the preset with the weights of a choice.

    Raises `UnknownPresetError`, `PresetUnusableError`, and `WeightsChangedError` if the generation's weights are not
    here any more.
    """
    from model.loader import find_preset_of
    from model.preset_files import find_preset

    if choice.generation is None:
        return find_preset(choice.preset, settings.presets_folder)
    return find_preset_of(choice.preset, choice.generation, choice.adapter, settings.presets_folder)


def load_preset(settings: Settings, choice: ModelChoice, on_fetch: FetchProgress | None = None) -> ModelEncoder:
    """Load the encoder of a preset, with the adapter merged in. Raises `ModelError`, and what `on_fetch` raises."""
    from model.loader import load_encoder

    return load_encoder(
        find_chosen_preset(settings, choice),
        device=settings.device,
        adapter=choice.adapter,
        artifacts_dir=settings.parts_dir,
        on_fetch=on_fetch,
    )


def train_preset(
    settings: Settings,
    choice: ModelChoice,
    pairs: Sequence[Pair],
    folder: Path,
    on_progress: Callable[[TrainingStep], None],
    is_cancelled: Callable[[], bool],
) -> TrainedAdapter:
    """Train an adapter of a preset in `folder`, starting from the adapter of the choice. Raises `ModelError`."""
    from model.config import DEFAULT_CONFIG, read_training_config
    from model.training.train import train
    from model.training.training_run import TrainingRun

    run = TrainingRun(
        config=read_training_config(settings.retrain_run or DEFAULT_CONFIG),
        pairs=pairs,
        preset=find_chosen_preset(settings, choice),
        device=settings.device,
        artifacts_dir=settings.parts_dir,
        folder=folder,
        base_adapter=choice.adapter,
        on_progress=on_progress,
        is_cancelled=is_cancelled,
    )
    return train(run)
