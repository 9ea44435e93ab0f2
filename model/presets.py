"""The models that can embed, at pinned revisions, and the one way to load an encoder."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from model.ports import Encoder
from model.starter.artifacts import default_folder


@dataclass(frozen=True)
class HubModel:
    """One model of the hub, at one commit."""

    repo: str
    revision: str

    @property
    def name(self) -> str:
        return f"{self.repo}@{self.revision}"


@dataclass(frozen=True)
class Preset:
    """A pair of models of the hub."""

    name: str
    languages: tuple[str, ...]
    """ISO 639-1: those it is offered for."""
    frame: HubModel
    motion: HubModel | None = None
    """X-CLIP, which reads English only; None: no motion vectors."""


STARTER = "starter"
"""Needs no hub: see `model.starter.encoder`."""

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset(
                name="base",
                languages=("en",),
                frame=HubModel("openai/clip-vit-base-patch32", "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"),
                motion=HubModel("microsoft/xclip-base-patch32", "a2e27a78a2b5d802e894b8a1ef14f3a8ce490963"),
            ),
            Preset(
                name="large",
                languages=("en",),
                frame=HubModel("openai/clip-vit-large-patch14", "32bd64288804d66eefd0ccbe215aa642df71cc41"),
                motion=HubModel("microsoft/xclip-large-patch14", "a9dd1429a16cf305df2aaea232d5e8dceba1c675"),
            ),
            Preset(
                name="multilingual",
                languages=("en", "ko", "zh"),
                frame=HubModel("google/siglip2-base-patch16-224", "75de2d55ec2d0b4efc50b3e9ad70dba96a7b2fa2"),
            ),
            Preset(
                name="chinese",
                languages=("zh",),
                frame=HubModel("OFA-Sys/chinese-clip-vit-base-patch16", "36e679e65c2a2fead755ae21162091293ad37834"),
            ),
        )
    }
)


def load_encoder(preset_name: str, *, device: str, adapter: Path | None, parts_dir: Path | None) -> Encoder:
    """The encoder of a preset, with an adapter merged in; what is not here yet is fetched into `parts_dir`.

    `device` is `auto`, `cpu` or `cuda`. An adapter is a folder with `frame`, `motion` or both, as peft writes them.
    Raises `PartsMissing`, `AdapterMismatch`, and `ModelError` for a device that is not there.
    """
    # transformers and peft take seconds to import, and the starter without an adapter needs neither.
    parts = parts_dir or default_folder()
    if preset_name == STARTER:
        from model.starter import encoder as starter

        encoder: Encoder = starter.load(parts, device, adapter)
    else:
        from model.encoders import clip
        from model.encoders.devices import serving_device

        encoder = clip.build(PRESETS[preset_name], device=serving_device(device), adapter=adapter, parts_dir=parts)
    if adapter is None:
        return encoder
    from model.training import clip_head_encoder

    return clip_head_encoder.with_clip_head(encoder, adapter)


def generation(preset: Preset, adapter: Path | None) -> str:
    """The same for the same models and adapter, on any machine."""
    names = [preset.frame.name, preset.motion.name if preset.motion else ""]
    digest = hashlib.sha256("\n".join(names).encode())
    if adapter:
        for file in sorted(adapter.rglob("adapter_*")):
            digest.update(f"\n{file.relative_to(adapter).as_posix()}\n".encode())
            digest.update(file.read_bytes())
    return f"{preset.name}-{digest.hexdigest()[:8]}"
