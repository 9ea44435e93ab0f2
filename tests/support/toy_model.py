"""A model that can be taught quickly: pictures that show a number, and texts that name it."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from indexer.types import Clip, Picture, QueryVectors, Vector
from model.data.pairs import Pair
from model.errors import Cancelled
from model.evaluation.general_set import COLOURS
from model.outcome import Curve, Step, Trained, TrainingOutcome
from worker.settings import Settings

SIZE = 128
MARK = 77
"""In the blue of the first points of every picture that has a number, about."""


def numbered(number: int) -> bytes:
    """A picture like no other that shows its number in its first points, as sixteens and ones in red and green."""
    blocks = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
    picture = np.asarray(Image.fromarray(blocks).resize((64, 48), Image.Resampling.NEAREST)).copy()
    picture[:8, :8] = (16 * (number // 16) + 8, 16 * (number % 16) + 8, MARK)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=100, subsampling=0)
    return file.getvalue()


@dataclass
class Student:
    """Knows which picture a text names, or has no idea. `confused`: it also lost what it knew of all else."""

    generation: str = "base"
    knows: bool = False
    confused: bool = False
    frame_size: int = SIZE
    motion_size: int | None = None

    def texts(self, texts: Sequence[str]) -> list[QueryVectors]:
        return [QueryVectors(self._text(text)) for text in texts]

    def frames(self, pictures: Sequence[Picture]) -> Vector:
        return np.stack([self._picture(picture) for picture in pictures])

    def clips(self, clips: Sequence[Clip]) -> Vector:
        raise AssertionError("it has no motion vectors")

    def _text(self, text: str) -> Vector:
        number = next((int(word) for word in text.split() if word.isdigit()), None)
        if number is None:
            named = next((colour for colour, names in COLOURS.items() if set(names.values()) & set(_words(text))), text)
            return drawn_by_lot(text if self.confused else named)
        return one_hot(number) if self.knows else drawn_by_lot(text)

    def _picture(self, picture: Picture) -> Vector:
        red, green, blue = (int(value) for value in picture[0, 0])
        if max(abs(blue - MARK), abs(red % 16 - 8), abs(green % 16 - 8)) < 4:
            return one_hot(16 * (red // 16) + green // 16)
        middle = "#" + "".join(f"{int(value):02x}" for value in picture[len(picture) // 2, len(picture[0]) // 2])
        return drawn_by_lot(middle)


@dataclass
class Teacher:
    """Trains in three steps. `stops` may raise at a step; `adapter` is what it makes."""

    adapter: dict[str, Any] = field(default_factory=lambda: {"knows": True})
    stops: Callable[[int], None] = lambda step: None
    taught: list[Sequence[Pair]] = field(default_factory=list)
    bases: list[Path | None] = field(default_factory=list)

    def __call__(
        self,
        settings: Settings,
        pairs: Sequence[Pair],
        folder: Path,
        base_adapter: Path | None,
        progress: Callable[[Step], None],
        stopping: Callable[[], bool],
    ) -> Trained:
        self.taught.append(pairs)
        self.bases.append(base_adapter)
        for step in range(3):
            progress(Step("train", step, 3, 1.0 / (step + 1), 3.0 - step))
            self.stops(step)
            if stopping():
                raise Cancelled("asked to stop")
        adapter = folder / "adapter"
        adapter.mkdir(parents=True, exist_ok=True)
        (adapter / "adapter.json").write_text(json.dumps(self.adapter))
        curve: Curve = [(1, 1.0), (2, 0.5)]
        return Trained(adapter, {"frame": TrainingOutcome(3, 3, curve, curve)})


def load(settings: Settings, adapter: Path | None) -> Any:
    """The student as it came, or as an adapter's file says."""
    if adapter is None:
        return Student()
    made = json.loads((adapter / "adapter.json").read_text())
    name = sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:6]
    return Student(generation=f"taught-{name}", **made)


def _words(text: str) -> list[str]:
    return text.replace("的", " ").split()


def one_hot(number: int) -> Vector:
    vector = np.zeros(SIZE, np.float32)
    vector[number % SIZE] = 1
    return vector


def drawn_by_lot(seed: str) -> Vector:
    vector = np.random.default_rng(int(sha256(seed.encode()).hexdigest()[:8], 16)).standard_normal(SIZE)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)
