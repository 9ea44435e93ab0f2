"""The preset `starter`, which needs no hub.

It consists of CLIP's picture tower, a multilingual sentence encoder, and a text map that joins the two.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch

from model.encoders.devices import select_device
from model.encoders.preprocess import Preprocess
from model.errors import ArtifactsMissingError
from model.packages import default_artifacts_dir
from model.ports import Clip, Picture, TextVectors, Vector
from model.presets import STARTER_TEXT_MAP, StarterPreset
from model.starter import artifacts, picture_tower
from model.starter.e5_encoder import join_e5
from model.starter.e5_file import E5
from model.starter.picture_tower import CudaTower, PictureTower
from model.starter.sentence_encoder import (
    FEATURES,
    MEANING_SIZE,
    EncodeSentences,
    SentenceEncoder,
    limit_to_one_thread,
    select_meaning,
)
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
MAP_FILE = "map.safetensors"
"""In an adapter's folder: the map that was trained with the adapter."""

LOGIT_SCALE = 21.3
"""The inverse temperature that the text map's training ended with."""

_SINGLE_THREAD_TEXTS = 4
"""Up to this many texts are encoded on one thread."""
_PICTURE_BATCH = 32


ServingTower: TypeAlias = PictureTower | CudaTower


class StarterEncoder:
    """Encodes frames and texts into one space.

    It has no motion vectors; docs/measurements/2026-11-starter-model.md explains why. The picture tower is loaded when
    the first picture comes: it takes most of the time and memory, and a search in words does not need it.
    """

    frame_size = SIZE
    motion_size: int | None = None
    meaning_size = MEANING_SIZE
    logit_scale = LOGIT_SCALE
    unrelated_cosine: float | None = 0.0
    """Texts and pictures are centred."""

    def __init__(
        self,
        generation: str,
        load_tower: Callable[[], ServingTower],
        sentences: SentenceEncoder,
        encode_features: EncodeSentences,
        text_map: TextMap,
    ) -> None:
        self.generation = generation
        self._load_tower, self._sentences = load_tower, sentences
        self._encode_features, self._text_map = encode_features, text_map
        self._tower: ServingTower | None = None
        self._lock = threading.Lock()

    def encode_texts(self, texts: Sequence[str]) -> list[TextVectors]:
        if not texts:
            return []
        with limit_to_one_thread(len(texts) <= _SINGLE_THREAD_TEXTS), torch.inference_mode():
            features = self._encode_features(texts)
            frames = self._text_map.encode_texts(features).numpy()
            meanings = select_meaning(features).numpy()
        return [TextVectors(frame, meaning) for frame, meaning in zip(frames, meanings, strict=True)]

    def encode_sentences(self, texts: Sequence[str]) -> Vector:
        """Encode texts as vectors (n, MEANING_SIZE)."""
        return self._sentences.encode_sentences(texts)

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        """Encode pictures as vectors (n, 512)."""
        starts = range(0, len(pictures), _PICTURE_BATCH)
        batches = [self._encode_pictures(pictures[i : i + _PICTURE_BATCH]) for i in starts]
        vectors: Vector = torch.cat(batches).numpy() if batches else torch.empty(0, SIZE).numpy()
        return vectors

    def _encode_pictures(self, pictures: Sequence[Picture]) -> torch.Tensor:
        with torch.inference_mode():
            return self._text_map.encode_pictures(torch.from_numpy(self.load_tower()(PREPROCESS(pictures))))

    def load_tower(self) -> ServingTower:
        """Return the picture tower, which the first call loads."""
        with self._lock:
            if self._tower is None:
                self._tower = self._load_tower()
            return self._tower

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        """Raise `ValueError`: there are no motion vectors."""
        raise ValueError(f"{self.generation} has no motion vectors")


def load_starter(preset: StarterPreset, artifacts_dir: Path, device: str, adapter: Path | None) -> StarterEncoder:
    """Load the encoder and merge an adapter into it. Raises `ArtifactsMissingError`, `AdapterMismatchError`."""
    picture_tower.check_tower_file(artifacts.find_tower(artifacts_dir))
    text_map, sentences = TextMap.read(find_text_map(preset, adapter, artifacts_dir)), SentenceEncoder()
    encoder = StarterEncoder(
        compute_starter_generation(preset, adapter),
        partial(_load_tower, artifacts_dir, select_device(device), adapter),
        sentences,
        load_text_encoder(sentences, text_map, artifacts_dir),
        text_map,
    )
    if adapter:
        encoder.load_tower()  # An adapter that does not fit is reported now, not at the first picture.
    return encoder


def _load_tower(artifacts_dir: Path, device: torch.device, adapter: Path | None) -> ServingTower:
    if adapter is None and device.type == "cpu":
        return picture_tower.load_serving_tower(artifacts.find_tower(artifacts_dir))
    model: PreTrainedModel = read_tower(artifacts_dir)
    if adapter:
        from model.encoders import lora  # peft takes seconds to import, which start-up without an adapter saves

        if not (adapter / "frame").is_dir():
            raise ArtifactsMissingError(
                "there is no adapter in {folder}: restore that folder, or go back a generation", folder=adapter
            )
        model = lora.merge_adapter(model, adapter / "frame")
    return picture_tower.build_serving_tower(model, device)


def find_text_map(preset: StarterPreset, adapter: Path | None, artifacts_dir: Path) -> Path:
    """Return the adapter's own text map if it has one, else the preset's for the sentence encoders that are there."""
    own = adapter / MAP_FILE if adapter else None
    if own and own.exists():
        return own
    return preset.e5_text_map if preset.e5_text_map and E5.is_complete(artifacts_dir) else preset.text_map


def load_text_encoder(sentences: SentenceEncoder, text_map: TextMap, artifacts_dir: Path) -> EncodeSentences:
    """Return what encodes texts as the features that a map reads: one sentence encoder, or two.

    Raises `ArtifactsMissingError`.
    """
    return sentences if text_map.features == FEATURES else join_e5(sentences, artifacts_dir)


def read_tower(artifacts_dir: Path | None) -> CLIPVisionModelWithProjection:
    """Read the tower for training, or for merging an adapter: float32, on the CPU.

    Raises `ArtifactsMissingError`.
    """
    model = picture_tower.read_picture_tower(artifacts.find_tower(artifacts_dir or default_artifacts_dir()))
    model.name_or_path = artifacts.TOWER.pin  # instead of the folder, because adapters store this name
    return model


def compute_starter_generation(preset: StarterPreset, adapter: Path | None) -> str:
    """Return the generation's name: the same for the same weights and adapter on every machine.

    The `repr` of PREPROCESS is part of the digest: stored libraries depend on its class and field names.
    """
    digest = hashlib.sha256(f"{artifacts.TOWER.pin} {PREPROCESS}".encode())
    # A former text map counts by the name that it had when libraries were embedded with it.
    files = {STARTER_TEXT_MAP.name: preset.text_map, picture_tower.RANGES_FILE.name: picture_tower.RANGES_FILE}
    adapter_files = [(file.name, file) for file in _list_adapter_files(adapter)] if adapter else []
    for name, file in (*files.items(), *adapter_files):
        digest.update(f"\n{name}\n".encode())
        digest.update(file.read_bytes())
    return f"starter-{digest.hexdigest()[:8]}"


def _list_adapter_files(adapter: Path) -> list[Path]:
    return [*sorted(adapter.rglob("adapter_*")), *adapter.glob(MAP_FILE)]
