"""The preset that needs no hub: CLIP's picture tower, a multilingual sentence encoder, and our map between them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from model.encoders.devices import serving_device
from model.encoders.preprocess import Preprocess
from model.errors import PartsMissing
from model.ports import Clip, Encoder, Picture, TextVectors, Vector
from model.starter import artifacts, picture_tower
from model.starter.picture_tower import CudaTower, PictureTower
from model.starter.sentence_encoder import SentenceEncoder, one_thread
from model.starter.text_map import SIZE, TextMap

if TYPE_CHECKING:
    from transformers import CLIPVisionModelWithProjection, PreTrainedModel

PREPROCESS = Preprocess(
    short_side=picture_tower.PIXELS,
    size=(picture_tower.PIXELS, picture_tower.PIXELS),
    mode="bicubic",
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
)
WEIGHTS = Path(__file__).parents[1] / "weights" / "starter.safetensors"
MAP = "map.safetensors"
"""Beside an adapter's `frame`: the map that was trained with it."""

_FEW = 4
_PICTURES = 32


class StarterEncoder:
    """Frames and texts in one space. It has no motion vectors: docs/starter-model.md says why."""

    frame_size = SIZE
    motion_size: int | None = None

    def __init__(
        self, generation: str, tower: PictureTower | CudaTower, sentences: SentenceEncoder, text_map: TextMap
    ) -> None:
        self.generation = generation
        self._tower, self._sentences, self._text_map = tower, sentences, text_map

    def texts(self, texts: Sequence[str]) -> list[TextVectors]:
        if not texts:
            return []
        with one_thread(len(texts) <= _FEW), torch.inference_mode():
            vectors = self._text_map.texts(self._sentences(texts))
        return [TextVectors(frame) for frame in vectors.numpy()]

    def frames(self, pictures: Sequence[Picture]) -> Vector:
        """(n, 512)"""
        batches = [self._few_frames(pictures[i : i + _PICTURES]) for i in range(0, len(pictures), _PICTURES)]
        vectors: Vector = torch.cat(batches).numpy() if batches else torch.empty(0, SIZE).numpy()
        return vectors

    def _few_frames(self, pictures: Sequence[Picture]) -> torch.Tensor:
        with torch.inference_mode():
            return self._text_map.pictures(torch.from_numpy(self._tower(PREPROCESS(pictures))))

    def clips(self, clips: Sequence[Clip]) -> Vector:
        raise ValueError(f"{self.generation} has no motion vectors")


def load(parts_dir: Path | None, device: str, adapter: Path | None) -> Encoder:
    """The encoder with an adapter's folder merged in. Raises `PartsMissing`, `AdapterMismatch`."""
    tower = _tower(parts_dir, serving_device(device), adapter)
    return StarterEncoder(generation(adapter), tower, SentenceEncoder(), TextMap.read(map_file(adapter)))


def _tower(parts_dir: Path | None, device: torch.device, adapter: Path | None) -> PictureTower | CudaTower:
    if adapter is None and device.type == "cpu":
        return picture_tower.serve_folder(artifacts.tower_folder(parts_dir or artifacts.default_folder()))
    model: PreTrainedModel = read_tower(parts_dir)
    if adapter:
        from model.encoders import lora  # peft takes long to import, too

        if not (adapter / "frame").is_dir():
            raise PartsMissing(f"there is no adapter in {adapter}: restore that folder, or go back a generation")
        model = lora.merged(model, adapter / "frame")
    return picture_tower.serve(model, device)


def map_file(adapter: Path | None) -> Path:
    """An adapter's own map where it has one, else the preset's."""
    own = adapter / MAP if adapter else None
    return own if own and own.exists() else WEIGHTS


def read_tower(parts_dir: Path | None) -> CLIPVisionModelWithProjection:
    """The tower to train or to serve, float32, on the CPU. Raises `PartsMissing`."""
    model = picture_tower.read(artifacts.tower_folder(parts_dir or artifacts.default_folder()))
    model.name_or_path = artifacts.TOWER.pin  # not the folder: adapters carry this name along
    return model


def generation(adapter: Path | None) -> str:
    """The same for the same weights and adapter, on any machine."""
    digest = hashlib.sha256(f"{artifacts.TOWER.pin} {PREPROCESS}".encode())
    for file in (WEIGHTS, picture_tower.RANGES, *(_weights(adapter) if adapter else ())):
        digest.update(f"\n{file.name}\n".encode())
        digest.update(file.read_bytes())
    return f"starter-{digest.hexdigest()[:8]}"


def _weights(adapter: Path) -> list[Path]:
    return [*sorted(adapter.rglob("adapter_*")), *adapter.glob(MAP)]
