"""Loads the encoder of a preset: the composition of hub models, starter, adapter and clip head."""

from pathlib import Path

from model.encoders.clip_head_encoder import attach_clip_head
from model.ports import Encoder
from model.presets import PRESETS, STARTER
from model.starter.artifacts import default_artifacts_dir
from model.starter.encoder import compute_starter_generation, load_starter
from model.starter.sentence_encoder import SentenceEncoder

# `model.encoders.hub_encoder` is imported inside functions, because it imports transformers and peft. These
# take 4.6 s on two cores, and the starter without an adapter, whose own imports take 1.6 s, does not need
# them.


def load_encoder(preset_name: str, *, device: str, adapter: Path | None, artifacts_dir: Path | None) -> Encoder:
    """Load the encoder of a preset and merge an adapter into it.

    `device` is `auto`, `cpu` or `cuda`. `adapter` is a folder with `frame`, `motion` or both, in peft's
    format. Missing files are fetched into `artifacts_dir`. Raises `ArtifactsMissingError`,
    `AdapterMismatchError`, and `ModelError` if the device is not available.
    """
    encoder = _load_base(preset_name, device, adapter, artifacts_dir or default_artifacts_dir())
    return attach_clip_head(encoder, adapter)


def _load_base(preset_name: str, device: str, adapter: Path | None, artifacts_dir: Path) -> Encoder:
    if preset_name == STARTER:
        return load_starter(artifacts_dir, device, adapter)
    from model.encoders.hub_encoder import load_hub_encoder

    return load_hub_encoder(
        PRESETS[preset_name], SentenceEncoder(), device=device, adapter=adapter, artifacts_dir=artifacts_dir
    )


def compute_generation(preset_name: str, adapter: Path | None) -> str:
    """Return the generation's name: the same for the same base weights and adapter on every machine.

    A clip head is not part of it; `attach_clip_head` extends the name.
    """
    if preset_name == STARTER:
        return compute_starter_generation(adapter)
    from model.encoders.hub_encoder import compute_hub_generation

    return compute_hub_generation(PRESETS[preset_name], adapter)
