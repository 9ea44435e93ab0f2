"""Presets: named base models at pinned revisions.

This module holds data only; `model.loader` loads the encoders. `model.preset_files` reads the presets of an operator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias


@dataclass(frozen=True)
class HubModel:
    """A model of the Hugging Face hub at one commit."""

    repo: str
    revision: str
    download_bytes: int | None = None
    """Size of the weights in the repository, if it is known before they are fetched."""

    @property
    def name(self) -> str:
        return f"{self.repo}@{self.revision}"


@dataclass(frozen=True)
class LocalModel:
    """A model in a folder, in the layout of a hub repository."""

    folder: Path
    digest: str
    """SHA-256 of the files that are read, as `model.local_files` computes it."""

    @property
    def name(self) -> str:
        """The content's name: the same wherever the folder is."""
        return f"local@{self.digest}"


ModelSource: TypeAlias = HubModel | LocalModel


@dataclass(frozen=True)
class Preset:
    """A model for frames, and perhaps one for motion."""

    name: str
    languages: tuple[str, ...]
    """ISO 639-1 codes of the languages that the preset is offered for."""
    frame: ModelSource
    motion: ModelSource | None = None
    """X-CLIP, which reads English only. None: the preset has no motion vectors."""
    licence: str | None = None

    @property
    def models(self) -> tuple[ModelSource, ...]:
        return (self.frame, self.motion) if self.motion else (self.frame,)


STARTER: Final = "starter"
"""The preset that needs no hub; see `model.starter.encoder`."""


STARTER_TEXT_MAP = Path(__file__).parent / "weights" / "starter.safetensors"
"""The text map of the newest revision. Former ones are in the same folder, named after their generations."""
STARTER_E5_TEXT_MAP = STARTER_TEXT_MAP.with_name("starter_e5.safetensors")
"""The same revision's text map for two sentence encoders. Its picture side is the same, and so are stored vectors."""


@dataclass(frozen=True)
class StarterPreset:
    """The preset `starter`, with the text map of one of its revisions."""

    text_map: Path
    e5_text_map: Path | None = None
    """Text map with the same picture side, for texts that a second sentence encoder reads, too."""
    name: str = STARTER
    languages: tuple[str, ...] = ("en", "ko", "zh")
    licence: str = "Apache-2.0"


@dataclass(frozen=True)
class PresetCost:
    """Download, memory and speed of a preset."""

    download_bytes: int
    memory_bytes: int
    """Weights in the precision of this machine."""
    pictures_per_s: float
    """Pictures that the model for frames embeds, in batches of two."""


BasePreset: TypeAlias = Preset | StarterPreset

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset(
                name="base",
                languages=("en",),
                frame=HubModel("openai/clip-vit-base-patch32", "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268", 605_109_252),
                motion=HubModel(
                    "microsoft/xclip-base-patch32", "a2e27a78a2b5d802e894b8a1ef14f3a8ce490963", 786_342_916
                ),
                licence="MIT",
            ),
            Preset(
                name="large",
                languages=("en",),
                frame=HubModel(
                    "openai/clip-vit-large-patch14", "32bd64288804d66eefd0ccbe215aa642df71cc41", 1_710_466_052
                ),
                motion=HubModel(
                    "microsoft/xclip-large-patch14", "a9dd1429a16cf305df2aaea232d5e8dceba1c675", 2_302_694_404
                ),
                licence="MIT",
            ),
            Preset(
                name="multilingual",
                languages=("en", "ko", "zh"),
                frame=HubModel(
                    "google/siglip2-base-patch16-224", "75de2d55ec2d0b4efc50b3e9ad70dba96a7b2fa2", 1_500_751_880
                ),
                licence="Apache-2.0",
            ),
            Preset(
                name="chinese",
                languages=("zh",),
                frame=HubModel(
                    "OFA-Sys/chinese-clip-vit-base-patch16", "36e679e65c2a2fead755ae21162091293ad37834", 753_051_652
                ),
            ),
        )
    }
)


def list_starter_revisions(weights_dir: Path = STARTER_TEXT_MAP.parent) -> list[StarterPreset]:
    """Return the revisions of the starter that can be served, the newest first."""
    newest = StarterPreset(weights_dir / STARTER_TEXT_MAP.name, weights_dir / STARTER_E5_TEXT_MAP.name)
    former = sorted(weights_dir.glob(f"{STARTER}-*{STARTER_TEXT_MAP.suffix}"))
    return [newest, *map(StarterPreset, former)]
