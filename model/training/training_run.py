"""The parameters of a training run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.config import TrainingConfig
from model.data.pairs import Pair
from model.outcome import TrainingStep
from model.presets import BasePreset


@dataclass(frozen=True)
class TrainingRun:
    """What to train, on which pairs, and where to keep the results."""

    config: TrainingConfig
    pairs: Sequence[Pair]
    preset: BasePreset
    device: str
    """`auto`, `cpu` or `cuda`."""
    folder: Path
    """Checkpoints and the adapter. A killed or cancelled run resumes if it is started again with the same
    folder.
    """
    artifacts_dir: Path | None = None
    base_adapter: Path | None = None
    """The adapter to continue from. Its layers and rank are kept, whatever the configuration says."""
    on_progress: Callable[[TrainingStep], None] = lambda step: None
    is_cancelled: Callable[[], bool] = lambda: False

    @property
    def adapter(self) -> Path:
        return self.folder / "adapter"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"
