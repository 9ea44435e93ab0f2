"""Presets: named base models at pinned revisions.

This module holds data only; `model.loader` loads the encoders.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class HubModel:
    """A model of the Hugging Face hub at one commit."""

    repo: str
    revision: str

    @property
    def name(self) -> str:
        return f"{self.repo}@{self.revision}"


@dataclass(frozen=True)
class Preset:
    """A pair of hub models."""

    name: str
    languages: tuple[str, ...]
    """ISO 639-1 codes of the languages that the preset is offered for."""
    frame: HubModel
    motion: HubModel | None = None
    """X-CLIP, which reads English only. None: the preset has no motion vectors."""


STARTER = "starter"
"""The preset that needs no hub; see `model.starter.encoder`."""

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
