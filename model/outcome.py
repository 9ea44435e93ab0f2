"""What training tells while it runs, and what it ends with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Curve: TypeAlias = list[tuple[int, float]]
"""A figure by step."""

Stage: TypeAlias = Literal["texts", "pictures", "training"]


@dataclass(frozen=True)
class Step:
    """How far a run is."""

    stage: Stage
    step: int
    steps: int
    loss: float | None
    seconds_left: float | None


@dataclass(frozen=True)
class TrainingOutcome:
    """One pair of towers, trained."""

    steps: int
    best_step: int
    """Whose weights these are; 0: nothing was better than the beginning."""
    losses: Curve
    """By step."""
    validation: Curve
    """Mean reciprocal rank of the best of a text's clips, by step, worked out as `model.evaluation.compare` does; empty without
    validation pairs.
    """


@dataclass(frozen=True)
class Trained:
    adapter: Path
    """Folder with `frame`, perhaps `motion`, `map.safetensors` and `head.safetensors`, and `adapter.json`."""
    outcomes: Mapping[str, TrainingOutcome]
    """By part: `frame`, and `motion` where the preset has a motion model and the pairs have clips."""
    main: bool = True
    """False in a process that only helped under `torchrun`: the main one judges, reports and prints."""
