"""Progress events and the result of a training run."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

Curve: TypeAlias = list[tuple[int, float]]
"""Values by step."""


class TrainingStage(StrEnum):
    TEXTS = "texts"
    """Texts are encoded once, before the first step."""
    PICTURES = "pictures"
    """Pictures are encoded once, before the first step."""
    TRAINING = "training"


@dataclass(frozen=True)
class TrainingStep:
    """Progress of a run."""

    stage: TrainingStage
    step: int
    steps: int
    loss: float | None
    seconds_left: float | None


@dataclass(frozen=True)
class TrainingOutcome:
    """Result of training one pair of towers."""

    steps: int
    best_step: int
    """Step whose weights were kept. 0 means that no step was better than the initial weights."""
    losses: Curve
    validation: Curve
    """Mean reciprocal rank of the best clip of each text, as `model.evaluation.compare` computes it.

    Empty without validation pairs.
    """
    diverged_at: int | None = None
    """The step at which the loss or a weight became infinite or NaN, which ended the run. None: it did not."""


@dataclass(frozen=True)
class TrainedAdapter:
    """Result of a training run."""

    adapter: Path
    """Folder with `adapter.json` and `frame`; optionally `motion`, and `map`, `prior` and `head.safetensors`."""
    outcomes: Mapping[str, TrainingOutcome]
    """By role: `frame`, and `motion` if the preset has a motion model and the pairs contain clips."""
    is_main_process: bool = True
    """False in the additional processes of `torchrun`. Only the main process evaluates, reports and prints."""
