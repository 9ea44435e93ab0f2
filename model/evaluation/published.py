"""How well a preset was measured to find clips by a person's words. Light: it loads no model."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class Figures:
    """Shares of searches, by language, for which the clip meant came first or among the first five."""

    clips: int
    first: Mapping[str, float]
    among_five: Mapping[str, float]

    def __str__(self) -> str:
        each = (f"{name} {self.first[name]:.0%} and {self.among_five[name]:.0%}" for name in self.first)
        return f"finds the clip meant among {self.clips} first, and among the first five: {', '.join(each)}"


def read(preset: str) -> Figures | None:
    """None: nobody measured it."""
    file = _WEIGHTS / f"{preset}.toml"
    return Figures(**tomllib.loads(file.read_text(encoding="utf-8"))) if file.exists() else None
