"""Loads the encoder of a preset: the composition of base models, starter, adapter, prior and clip head."""

from pathlib import Path

from model.encoders.clip_head_encoder import HEAD_FILE, attach_clip_head, name_with_file
from model.encoders.text_prior import PRIOR_FILE, attach_prior
from model.errors import WeightsChangedError
from model.packages import default_artifacts_dir
from model.ports import Encoder, FetchProgress
from model.preset_files import find_preset
from model.presets import STARTER, STARTER_TEXT_MAP, BasePreset, StarterPreset, list_starter_revisions
from model.starter.encoder import compute_starter_generation, load_starter
from model.starter.sentence_encoder import SentenceEncoder

# `model.encoders.hub_encoder` is imported inside functions, because it imports transformers and peft. These
# take 4.6 s on two cores, and the starter without an adapter, whose own imports take 1.6 s, does not need
# them.


def load_encoder(
    preset: BasePreset,
    *,
    device: str,
    adapter: Path | None,
    artifacts_dir: Path | None,
    on_fetch: FetchProgress | None = None,
) -> Encoder:
    """Load the encoder of a preset and merge an adapter into it.

    `device` is `auto`, `cpu` or `cuda`. `adapter` is a folder with `frame`, `motion` or both, in peft's
    format. Missing files are fetched into `artifacts_dir`; `on_fetch` may raise to stop that. Raises
    `ArtifactsMissingError`, `AdapterMismatchError`, and `ModelError` if the device is not available.
    """
    encoder = _load_base(preset, device, adapter, artifacts_dir or default_artifacts_dir(), on_fetch)
    return attach_clip_head(attach_prior(encoder, adapter), adapter)


def _load_base(
    preset: BasePreset, device: str, adapter: Path | None, artifacts_dir: Path, on_fetch: FetchProgress | None
) -> Encoder:
    if isinstance(preset, StarterPreset):
        return load_starter(preset, artifacts_dir, device, adapter)
    from model.encoders.hub_encoder import load_hub_encoder

    return load_hub_encoder(
        preset, SentenceEncoder(), device=device, adapter=adapter, artifacts_dir=artifacts_dir, on_fetch=on_fetch
    )


def compute_generation(preset: BasePreset, adapter: Path | None) -> str:
    """Return the generation's name: the same for the same base weights and adapter on every machine."""
    generation = _compute_base_generation(preset, adapter)
    for file in [adapter / name for name in (PRIOR_FILE, HEAD_FILE)] if adapter else ():
        generation = name_with_file(generation, file)
    return generation


def _compute_base_generation(preset: BasePreset, adapter: Path | None) -> str:
    if isinstance(preset, StarterPreset):
        return compute_starter_generation(preset, adapter)
    from model.encoders.hub_encoder import compute_hub_generation

    return compute_hub_generation(preset, adapter)


def find_preset_of(
    name: str,
    generation: str,
    adapter: Path | None = None,
    presets_dir: Path | None = None,
    weights_dir: Path = STARTER_TEXT_MAP.parent,
) -> BasePreset:
    """Return the preset `name` with the weights of a generation, alone or with `adapter`.

    Former revisions of the starter are kept, so that a library is served by the weights that embedded it. Raises
    `UnknownPresetError`, `PresetUnusableError`, and `WeightsChangedError` if no known weights make the generation.
    """
    revisions = list_starter_revisions(weights_dir) if name == STARTER else [find_preset(name, presets_dir)]
    for preset in revisions:
        if generation in {compute_generation(preset, each) for each in (None, adapter)}:
            return preset
    raise WeightsChangedError(
        "no weights of the preset {name!r} that are here make the generation {generation}: restore its files, or embed"
        " the library with those that are here by `reelseek model use {name}`",
        name=name,
        generation=generation,
    )


def is_outdated(preset: BasePreset) -> bool:
    """Return whether this Reelseek has newer weights for the preset."""
    return isinstance(preset, StarterPreset) and preset.text_map.name != STARTER_TEXT_MAP.name
