"""Published retrieval figures of the presets. Importing this module loads no model."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class PublishedFigures:
    """Shares of searches, by language, whose target clip came first, or among the first five."""

    clips: int
    first: Mapping[str, float]
    among_five: Mapping[str, float]

    def __str__(self) -> str:
        each = (f"{name} {self.first[name]:.0%} and {self.among_five[name]:.0%}" for name in self.first)
        return f"finds the right one of {self.clips} clips first, and among the first five: {', '.join(each)}"


def read_published_figures(preset: str) -> PublishedFigures | None:
    """Return the figures of a preset, or None if it was not measured."""
    file = _WEIGHTS / f"{preset}.toml"
    return PublishedFigures(**tomllib.loads(file.read_text(encoding="utf-8"))) if file.exists() else None
