"""Checkpoints of a training run, from which a killed run resumes as if it had not been interrupted."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import torch
from torch import nn

from model.atomic_write import write_atomically
from model.outcome import Curve

TrainableWeights: TypeAlias = dict[str, torch.Tensor]


class Stateful(Protocol):
    """An object with a state that can be saved, like torch's optimizers and schedulers."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


@dataclass
class CheckpointState:
    """Progress of a run, and its best weights so far."""

    best: TrainableWeights
    best_step: int = 0
    step: int = 0
    losses: Curve = field(default_factory=list)
    validation: Curve = field(default_factory=list)
    diverged_at: int | None = None
    """The step at which the loss or a weight became infinite or NaN. None: it did not."""


class Checkpoint:
    """Saves and restores the trainable weights of `module` and the state of `stateful` objects.

    `identity` describes the run. A checkpoint with another identity is ignored.
    """

    def __init__(self, file: Path, identity: str, module: nn.Module, stateful: Mapping[str, Stateful]) -> None:
        self._file, self._module, self._stateful = file, module, stateful
        self._fingerprint = sha256(identity.encode("utf-8", "replace")).hexdigest()

    def copy_weights(self) -> TrainableWeights:
        """Copy the trainable weights to the CPU."""
        return {name: parameter.detach().cpu().clone() for name, parameter in self._list_trainable().items()}

    def restore_weights(self, weights: TrainableWeights) -> None:
        for name, parameter in self._list_trainable().items():
            parameter.data.copy_(weights[name])

    def save(self, state: CheckpointState) -> None:
        saved = {
            "fingerprint": self._fingerprint,
            "state": asdict(state),
            "weights": self.copy_weights(),
            "stateful": {name: each.state_dict() for name, each in self._stateful.items()},
        }
        with write_atomically(self._file) as partial:
            torch.save(saved, partial)

    def load(self) -> CheckpointState | None:
        """Restore everything from the file. Returns None if there is no checkpoint of this run."""
        if not self._file.exists():
            return None
        saved = torch.load(self._file, map_location="cpu", weights_only=True)
        if saved.get("fingerprint") != self._fingerprint:
            return None
        self.restore_weights(saved["weights"])
        for name, each in self._stateful.items():
            each.load_state_dict(saved["stateful"][name])
        return CheckpointState(**saved["state"])

    def _list_trainable(self) -> dict[str, nn.Parameter]:
        return {name: parameter for name, parameter in self._module.named_parameters() if parameter.requires_grad}
