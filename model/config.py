"""Settings of a training run. One TOML file describes one run."""

import tomllib
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

LossName: TypeAlias = Literal["info_nce", "sampled_nce", "mil_nce"]

DEFAULT_CONFIG = Path(__file__).parent / "runs" / "retrain.toml"

LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "query", "key", "value")
"""The attention layers of CLIP, X-CLIP and SigLIP, and of Chinese CLIP's text tower."""


class LoraConfig(BaseModel):
    """Low-rank adapters (Hu et al. 2021, arXiv:2106.09685)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(ge=1)
    alpha: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    targets: tuple[str, ...] = LORA_TARGETS
    layers: int = Field(ge=1)
    """Number of upper layers of each tower that are adapted."""


class AugmentConfig(BaseModel):
    """Data augmentation; see `model.training.augment`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    views: int = Field(ge=0)
    """Number of augmented versions of each picture, in addition to the original."""
    least_area: float = Field(gt=0, le=1)
    """Minimum share of the area that a crop keeps."""
    jitter: float = Field(ge=0, lt=1)
    """Maximum relative change of brightness, contrast and colour."""
    blur: float = Field(ge=0)
    """Maximum radius in pixels."""
    flip: bool = False
    """Off by default: texts distinguish left from right, and mirrored writing is unreadable."""


class ClipHeadConfig(BaseModel):
    """A CLIP4Clip head (`model.encoders.clip_heads`).

    It pools a clip's frames on presets without a motion model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["mean", "lstm", "transformer"] = "mean"
    """`mean` has no weights and needs only the frame vectors. docs/measurements/2026-11-clip-heads.md
    compares the kinds.
    """
    steps: int = Field(default=100, ge=1)
    rate: float = Field(default=1e-4, gt=0)


class PriorConfig(BaseModel):
    """A map from texts to pictures (`model.encoders.text_prior`), for presets of a hub."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(default=0, ge=0)
    """0: no prior."""
    steps: int = Field(default=200, ge=1)
    rate: float = Field(default=1e-4, gt=0)


class TrainingConfig(BaseModel):
    """Settings of one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    steps: int = Field(ge=1)
    batch: int = Field(ge=2)
    """Pictures or clips per batch; they are each other's negatives."""
    chunk: int = Field(ge=1)
    """Pictures or clips that go through the model at once. It changes memory use, not the result."""
    texts: int = Field(ge=1)
    """Texts per picture or clip in a batch."""
    text_views: int = Field(ge=1)
    """Dropout views of each text. All are positives (Gao et al. 2021, SimCSE, arXiv:2104.08821)."""
    frames: int = Field(ge=1)
    """Evenly spaced frames that represent a clip. X-CLIP always takes the number it was trained with."""
    loss: LossName
    rate: float = Field(gt=0)
    """Learning rate of the adapter."""
    map_rate: float = Field(gt=0)
    """Learning rate of the starter's text map."""
    map_dropout: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    warm_up: float = Field(ge=0, lt=1)
    """Share of the steps in which the learning rate rises."""
    cycles: int = Field(ge=1)
    """Number of cosine cycles of the learning rate: one more than the number of restarts."""
    check_every: int = Field(ge=1)
    """Steps between two validations. Each validation writes a checkpoint."""
    patience: int = Field(ge=1)
    """Number of validations without an improvement after which the run stops early."""
    lora: LoraConfig
    augment: AugmentConfig
    head: ClipHeadConfig = ClipHeadConfig()
    prior: PriorConfig = PriorConfig()


def read_training_config(file: Path = DEFAULT_CONFIG) -> TrainingConfig:
    """Read a run file. Raises pydantic's `ValidationError` and `TOMLDecodeError`."""
    return TrainingConfig.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
