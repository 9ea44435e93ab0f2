"""One TOML file is one retraining run."""

import tomllib
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

LossName: TypeAlias = Literal["info_nce", "sampled_nce", "mil_nce"]

DEFAULT = Path(__file__).parent / "runs" / "retrain.toml"

TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "query", "key", "value")
"""The attention of CLIP, X-CLIP and SigLIP, and of Chinese CLIP's texts."""


class LoraConfig(BaseModel):
    """Hu et al. 2021, arXiv:2106.09685."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(ge=1)
    alpha: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    targets: tuple[str, ...] = TARGETS
    layers: int = Field(ge=1)
    """How many of each tower's upper layers are adapted."""


class AugmentConfig(BaseModel):
    """See `model.training.augment`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    views: int = Field(ge=0)
    """Changed versions of each picture, beside the picture itself."""
    least_area: float = Field(gt=0, le=1)
    """A crop keeps at least this share of the picture."""
    jitter: float = Field(ge=0, lt=1)
    """Brightness, contrast and colour change by at most this share."""
    blur: float = Field(ge=0)
    """Greatest radius, pixels."""
    flip: bool = False
    """Off: texts tell left from right, and writing is not to be mirrored."""


class ClipHeadConfig(BaseModel):
    """How a clip's frames become one vector: CLIP4Clip's heads (`model.training.clip_heads`), on presets without a clip model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["mean", "lstm", "transformer"] = "mean"
    """`mean` learns nothing and needs no vector beside that of the frames; docs/clip-heads.md compares."""
    steps: int = Field(default=100, ge=1)
    rate: float = Field(default=1e-4, gt=0)


class TrainingConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    steps: int = Field(ge=1)
    batch: int = Field(ge=2)
    """Pictures or clips that compete with each other."""
    chunk: int = Field(ge=1)
    """How many of them go through the model at once: memory goes by it, the result does not."""
    texts: int = Field(ge=1)
    """Texts of each in a batch."""
    text_views: int = Field(ge=1)
    """Dropout views of each text, all of them positives (Gao et al. 2021, SimCSE)."""
    frames: int = Field(ge=1)
    """Frames that stand for a clip, evenly taken; X-CLIP takes as many as it was made for."""
    loss: LossName
    rate: float = Field(gt=0)
    """Of the adapter's weights."""
    map_rate: float = Field(gt=0)
    """Of the starter's map."""
    map_dropout: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    warm_up: float = Field(ge=0, lt=1)
    """Share of the steps."""
    cycles: int = Field(ge=1)
    """The cosine falls to nothing so often: one more than there are restarts."""
    check_every: int = Field(ge=1)
    """Steps between looks at the validation pairs, each of which leaves a checkpoint."""
    patience: int = Field(ge=1)
    """Looks without anything better before the run ends."""
    lora: LoraConfig
    augment: AugmentConfig
    head: ClipHeadConfig = ClipHeadConfig()


def read_run(file: Path = DEFAULT) -> TrainingConfig:
    """Raises `ValidationError` of pydantic and `TOMLDecodeError`."""
    return TrainingConfig.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
