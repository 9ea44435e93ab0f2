"""What a training run must remember to go on after a kill as if nothing had happened."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import torch
from torch import nn

from model.outcome import Curve

Weights: TypeAlias = dict[str, torch.Tensor]


class Stateful(Protocol):
    def state_dict(self) -> Any: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


@dataclass
class CheckpointState:
    best: Weights
    best_step: int = 0
    step: int = 0
    losses: Curve = field(default_factory=list)
    validation: Curve = field(default_factory=list)


class Checkpoint:
    """Of the weights of `module` that learn, and of `parts`. One of anything but `what` is as good as none."""

    def __init__(self, file: Path, what: str, module: nn.Module, parts: Mapping[str, Stateful]) -> None:
        self._file, self._module, self._parts = file, module, parts
        self._what = sha256(what.encode("utf-8", "replace")).hexdigest()

    def learnt(self) -> Weights:
        """A copy of what learns."""
        return {name: parameter.detach().cpu().clone() for name, parameter in self._learning().items()}

    def put_back(self, weights: Weights) -> None:
        for name, parameter in self._learning().items():
            parameter.data.copy_(weights[name])

    def write(self, state: CheckpointState) -> None:
        parts = {name: part.state_dict() for name, part in self._parts.items()}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        torch.save({"what": self._what, "state": asdict(state), "weights": self.learnt(), "parts": parts}, new)
        new.replace(self._file)

    def resumed(self) -> CheckpointState | None:
        """Everything as it was written, or None where there is no checkpoint of this run."""
        if not self._file.exists():
            return None
        saved = torch.load(self._file, map_location="cpu", weights_only=True)
        if saved["what"] != self._what:
            return None
        self.put_back(saved["weights"])
        for name, part in self._parts.items():
            part.load_state_dict(saved["parts"][name])
        return CheckpointState(**saved["state"])

    def _learning(self) -> dict[str, nn.Parameter]:
        return {name: parameter for name, parameter in self._module.named_parameters() if parameter.requires_grad}
