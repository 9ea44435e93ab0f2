"""Published figures of the presets, of Reelseek's and of the models' authors. Importing this module loads no model."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from model.presets import PRESETS

_WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class PublishedFigures:
    """Shares of searches, by language, whose target clip came first, or among the first five."""

    clips: int
    first: Mapping[str, float]
    among_five: Mapping[str, float]


def read_published_figures(preset: str) -> PublishedFigures | None:
    """Return the figures of a preset, or None if it was not measured."""
    file = _WEIGHTS / f"{preset}.toml"
    return PublishedFigures(**tomllib.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


@dataclass(frozen=True)
class AuthorsFigure:
    """A figure that the authors of a model published. Figures of different measures cannot be compared."""

    measure: str
    share: float
    source: str

    @property
    def is_retrieval(self) -> bool:
        return "text to picture" in self.measure

    def __str__(self) -> str:
        return f"{self.measure} {self.share:.1%} ({self.source})"


_CLIP, _XCLIP = "arXiv:2103.00020, table 11", "arXiv:2208.02816, model card"
AUTHORS_FIGURES: Mapping[str, tuple[AuthorsFigure, ...]] = MappingProxyType(
    {
        "base": (
            AuthorsFigure("ImageNet zero-shot", 0.632, _CLIP),
            AuthorsFigure("Kinetics-400 top-1", 0.804, _XCLIP),
        ),
        "large": (
            AuthorsFigure("ImageNet zero-shot", 0.753, _CLIP),
            AuthorsFigure("Kinetics-400 top-1", 0.871, _XCLIP),
        ),
        "multilingual": (
            AuthorsFigure("COCO text to picture R@1", 0.521, "google-research/big_vision, README_siglip2.md"),
            AuthorsFigure("ImageNet zero-shot", 0.782, "google-research/big_vision, README_siglip2.md"),
        ),
        "chinese": (AuthorsFigure("MUGE text to picture R@1", 0.521, "OFA-Sys/Chinese-CLIP, Results.md"),),
    }
)
"""By preset: none of them is a figure of search in videos, which only `reelseek evaluate` tells."""


def find_larger_preset(language: str) -> str | None:
    """Return the hub preset for a language whose authors measured retrieval, the most specialised one first."""
    measured = [
        preset
        for preset in PRESETS.values()
        if language in preset.languages and any(each.is_retrieval for each in AUTHORS_FIGURES.get(preset.name, ()))
    ]
    return min(measured, key=lambda preset: len(preset.languages)).name if measured else None


def list_figures(preset: str) -> list[str]:
    """Return all figures of a preset, each with its source."""
    own, authors = read_published_figures(preset), [str(figure) for figure in AUTHORS_FIGURES.get(preset, ())]
    if own is None:
        return authors
    shares = (f"{name} {share:.0%} and {own.among_five[name]:.0%}" for name, share in own.first.items())
    found = f"the right one of {own.clips} clips first, and among the first five: {', '.join(shares)}"
    return [f"{found} (docs/starter-model.md)", *authors]
