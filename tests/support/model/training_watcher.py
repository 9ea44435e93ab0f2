"""Helpers for tests of training: a small configuration, and a watcher that interrupts runs."""

from dataclasses import dataclass, field

from model.config import TrainingConfig, read_training_config
from model.outcome import TrainingStage, TrainingStep

COUNT = 16
"""Training pairs that `make_config` is made for."""
NEVER = 10**9


class ProcessKilledError(Exception):
    """Simulates the end of the process."""


@dataclass
class TrainingWatcher:
    """Records all progress events. Kills or cancels the run at a given step."""

    kill_at: int = NEVER
    cancel_at: int = NEVER
    steps: list[TrainingStep] = field(default_factory=list)

    def on_progress(self, step: TrainingStep) -> None:
        self.steps.append(step)
        if step.stage == TrainingStage.TRAINING and step.step == self.kill_at:
            raise ProcessKilledError

    def is_cancelled(self) -> bool:
        return self.steps[-1].stage == TrainingStage.TRAINING and self.steps[-1].step >= self.cancel_at

    @property
    def first_step(self) -> int:
        """The first training step that was reported."""
        return next(step.step for step in self.steps if step.stage == TrainingStage.TRAINING)


def make_config(**changes: object) -> TrainingConfig:
    """Make the shipped configuration, adapted to 16 pictures."""
    small = {
        "steps": 30,
        "batch": 8,
        "chunk": 4,
        "check_every": 10,
        "patience": 9,
        "rate": 1e-2,
        "map_rate": 1e-2,
        "texts": 1,
        "map_dropout": 0.1,
    }
    return TrainingConfig.model_validate({**read_training_config().model_dump(), **small, **changes})
