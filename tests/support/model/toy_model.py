"""A toy model that is trained in no time: pictures that show a number, and texts that name one."""

import io
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from indexer.types import Clip, Picture, QueryVectors, Vector
from model.data.pairs import Pair
from model.errors import ArtifactsMissingError, TrainingCancelledError
from model.evaluation.general_set import COLOURS
from model.outcome import Curve, TrainedAdapter, TrainingOutcome, TrainingStage, TrainingStep
from model.ports import FetchProgress
from tests.support.indexer.fakes import random_vector
from worker.models.loading import ModelChoice
from worker.settings import Settings

TOY_VECTOR_SIZE = 128
_MARK = 77
"""About the blue value of the first pixels of every picture that shows a number."""


def make_numbered_jpeg(number: int) -> bytes:
    """Return a unique picture that encodes a number in its first pixels: sixteens in red, ones in green."""
    blocks = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
    picture = np.asarray(Image.fromarray(blocks).resize((64, 48), Image.Resampling.NEAREST)).copy()
    picture[:8, :8] = (16 * (number // 16) + 8, 16 * (number % 16) + 8, _MARK)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=100, subsampling=0)
    return file.getvalue()


def make_numbered_picture(number: int) -> Picture:
    return np.asarray(Image.open(io.BytesIO(make_numbered_jpeg(number))))


@dataclass
class ToyEncoder:
    """An encoder that, if it `knows`, embeds a number in a text like the picture of this number, and else at random.

    Other texts name colours, the toy's general knowledge; if it is `confused`, it has lost that.
    """

    generation: str = "base"
    knows: bool = False
    confused: bool = False
    frame_size: int = TOY_VECTOR_SIZE
    motion_size: int | None = None
    meaning_size: int = TOY_VECTOR_SIZE
    logit_scale: float = 20.0
    unrelated_cosine: float | None = None

    def encode_texts(self, texts: Sequence[str]) -> list[QueryVectors]:
        return [QueryVectors(self._embed_text(text), _random_vector(text)) for text in texts]

    def encode_sentences(self, texts: Sequence[str]) -> Vector:
        return np.array([_random_vector(text) for text in texts], np.float32).reshape(-1, TOY_VECTOR_SIZE)

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        return np.stack([self._embed_picture(picture) for picture in pictures])

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        raise AssertionError("the toy has no motion vectors")

    def _embed_text(self, text: str) -> Vector:
        number = next((int(word) for word in text.split() if word.isdigit()), None)
        if number is not None:
            return _one_hot(number) if self.knows else _random_vector(text)
        words = set(text.replace("的", " ").split())
        colour = next((colour for colour, names in COLOURS.items() if set(names.values()) & words), text)
        return _random_vector(text if self.confused else colour)

    def _embed_picture(self, picture: Picture) -> Vector:
        red, green, blue = (int(value) for value in picture[0, 0])
        if max(abs(blue - _MARK), abs(red % 16 - 8), abs(green % 16 - 8)) < 4:
            return _one_hot(16 * (red // 16) + green // 16)
        middle = picture[len(picture) // 2, len(picture[0]) // 2]
        return _random_vector("#" + "".join(f"{int(value):02x}" for value in middle))


@dataclass
class ToyTrainer:
    """Trains in three steps, and calls `on_step` after each. `adapter` has the fields of the encoder that it makes."""

    adapter: dict[str, Any] = field(default_factory=lambda: {"knows": True})
    on_step: Callable[[int], object] = lambda step: None
    trained_on: list[Sequence[Pair]] = field(default_factory=list)
    """The pairs of each training so far."""
    base_adapters: list[Path | None] = field(default_factory=list)
    """The adapter that each training started from."""
    diverged_at: int | None = None

    def __call__(
        self,
        settings: Settings,
        choice: ModelChoice,
        pairs: Sequence[Pair],
        folder: Path,
        on_progress: Callable[[TrainingStep], None],
        is_cancelled: Callable[[], bool],
    ) -> TrainedAdapter:
        self.trained_on.append(pairs)
        self.base_adapters.append(choice.adapter)
        for step in range(3):
            on_progress(TrainingStep(TrainingStage.TRAINING, step, 3, 1.0 / (step + 1), 3.0 - step))
            self.on_step(step)
            if is_cancelled():
                raise TrainingCancelledError("cancelled")
        adapter = folder / "adapter"
        adapter.mkdir(parents=True, exist_ok=True)
        (adapter / "adapter.json").write_text(json.dumps(self.adapter))
        curve: Curve = [(1, 1.0), (2, 0.5)]
        return TrainedAdapter(adapter, {"frame": TrainingOutcome(3, 3, curve, curve, self.diverged_at)})


def load_toy_encoder(settings: Settings, choice: ModelChoice, on_fetch: object = None) -> Any:
    """Load the encoder of a preset, or the one that an adapter's file describes."""
    if choice.adapter is None:
        known = choice.preset not in ("base", "starter")
        return ToyEncoder(f"{choice.preset}-1", knows=True) if known else ToyEncoder()
    stored = json.loads((choice.adapter / "adapter.json").read_text())
    fields = {name: value for name, value in stored.items() if name in ("knows", "confused")}
    digest = sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:6]
    return ToyEncoder(generation=f"taught-{digest}", **fields)


class PausableLoader:
    """Loads toy encoders, and waits before it does so while `may_load` is not set.

    Presets can be `missing`, or report `downloads`: the bytes that are here, and all.
    """

    def __init__(self, downloads: Mapping[str, tuple[int, int]] | None = None) -> None:
        self.missing: set[str] = set()
        self.downloads = downloads or {}
        self.started = threading.Event()
        self.may_load = threading.Event()
        self.may_load.set()

    def __call__(self, settings: Settings, choice: ModelChoice, on_fetch: FetchProgress | None = None) -> Any:
        self.started.set()
        if on_fetch and choice.preset in self.downloads:
            on_fetch(*self.downloads[choice.preset])
        assert self.may_load.wait(30)
        if choice.preset in self.missing:
            raise ArtifactsMissingError(choice.preset)
        return load_toy_encoder(settings, choice)


def _one_hot(number: int) -> Vector:
    vector = np.zeros(TOY_VECTOR_SIZE, np.float32)
    vector[number % TOY_VECTOR_SIZE] = 1
    return vector


def _random_vector(seed: str) -> Vector:
    return random_vector(seed, TOY_VECTOR_SIZE)
