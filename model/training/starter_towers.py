"""Training of the starter, in minutes on a CPU.

It trains an adapter on the tower's upper layers, over cached outputs of the lower layers. The lower layers do
not change, so each picture passes them only once, in the int8 form that also serves. The text side cannot
carry a LoRA adapter; its text map is trained instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from peft import PeftModel
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from model.config import TrainingConfig
from model.data.array_cache import mark_rows_done, open_array_cache
from model.data.images import read_picture
from model.data.pairs import ClipFiles
from model.encoders import lora
from model.encoders.preprocess import Preprocess
from model.outcome import TrainingStage
from model.presets import StarterPreset
from model.starter.encoder import MAP_FILE, PREPROCESS, find_text_map, load_text_encoder, read_tower
from model.starter.picture_tower import LowerLayers
from model.starter.sentence_encoder import EncodeSentences, SentenceEncoder
from model.starter.text_map import TextMap
from model.training.augment import augment_picture
from model.training.batches import Indices, select_frames
from model.training.towers import ReportPreparation, attach_lora

_INITIAL_SCALE = 20.0
_PICTURE_BATCH, _TEXT_BATCH = 16, 64

HiddenStates: TypeAlias = npt.NDArray[np.floating[Any]]
BuildLowerLayers: TypeAlias = Callable[[PreTrainedModel, int], Callable[[torch.Tensor], HiddenStates]]
"""Builds the given number of lower layers of a tower: pixels (n, 3, height, width) -> states (n, tokens,
width).
"""


@dataclass(frozen=True)
class StarterModels:
    """The models that the starter consists of."""

    tower: PreTrainedModel
    preprocess: Preprocess
    build_lower_layers: BuildLowerLayers
    sentences: EncodeSentences
    text_map: TextMap


def load_starter_towers(
    preset: StarterPreset,
    config: TrainingConfig,
    device: torch.device,
    artifacts_dir: Path,
    base_adapter: Path | None,
    cache: Path,
) -> "StarterTowers":
    """Load the starter, or the adapter `base_adapter` of it, for training.

    Raises `ArtifactsMissingError`, `AdapterMismatchError`.
    """
    text_map = TextMap.read(find_text_map(preset, base_adapter, artifacts_dir), config.map_dropout)
    models = StarterModels(
        tower=read_tower(artifacts_dir),
        preprocess=PREPROCESS,
        build_lower_layers=LowerLayers if device.type == "cpu" else partial(TorchLowerLayers, device=device),
        sentences=load_text_encoder(SentenceEncoder(), text_map, artifacts_dir),
        text_map=text_map,
    )
    return StarterTowers(models, config, base_adapter / "frame" if base_adapter else None, cache)


class StarterTowers:
    """The upper layers of the picture tower and the text map, in training."""

    scale = _INITIAL_SCALE

    def __init__(self, models: StarterModels, config: TrainingConfig, base_adapter: Path | None, cache: Path) -> None:
        self._models, self._config, self._cache = models, config, cache
        self._tower = attach_lora(models.tower, config, base_adapter)
        self.module = UpperLayers(self._tower, models.text_map)

    @property
    def base_model(self) -> str:
        return str(self._tower.name_or_path)

    def make_parameter_groups(self) -> list[dict[str, Any]]:
        adapter = [p for p in self._tower.parameters() if p.requires_grad]
        text_map = [p for p in self.module.text_map.parameters() if p.requires_grad]
        return [{"params": adapter, "lr": self._config.rate}, {"params": text_map, "lr": self._config.map_rate}]

    def prepare(self, texts: Sequence[str], clips: Sequence[ClipFiles], on_progress: ReportPreparation) -> None:
        """Compute the text features and the output of the lower layers."""
        self._clips = clips
        self._features = self._compute_features(texts, on_progress)
        files = sorted({file for clip in clips for file in select_frames(clip, self._config.frames)})
        self._first_row = {file: i * (self._config.augment.views + 1) for i, file in enumerate(files)}
        self._states = self._compute_states(files, on_progress)

    def _compute_features(self, texts: Sequence[str], on_progress: ReportPreparation) -> torch.Tensor:
        batches = []
        for start in range(0, len(texts), _TEXT_BATCH):
            on_progress(TrainingStage.TEXTS, start, len(texts))
            batches.append(self._models.sentences(texts[start : start + _TEXT_BATCH]).half())
        return torch.cat(batches)

    def _compute_states(self, files: Sequence[Path], on_progress: ReportPreparation) -> HiddenStates:
        """Return the states (pictures and their views, tokens, width) in half precision.

        They are kept on disk, so that an interrupted computation resumes.
        """
        augment, seed = self._config.augment, self._config.seed
        views = [(file, view) for file in files for view in range(augment.views + 1)]
        cache, (tokens, width) = self._locate_cache(views), self._compute_state_shape()
        states, done = open_array_cache(cache, (len(views), tokens * width), np.float16)
        tower: Any = self._tower.base_model.model
        lower_layers = self._models.build_lower_layers(tower, self.module.first_trained)
        for start in range(done, len(views), _PICTURE_BATCH):
            on_progress(TrainingStage.PICTURES, start, len(views))
            some = views[start : start + _PICTURE_BATCH]
            pictures = [augment_picture(read_picture(file), view, augment, seed) for file, view in some]
            states[start : start + len(some)] = lower_layers(self._models.preprocess(pictures)).reshape(len(some), -1)
            mark_rows_done(cache, start + len(some))
        return states.reshape(len(views), tokens, width)

    def _locate_cache(self, views: Sequence[tuple[Path, int]]) -> Path:
        identity = (
            f"{self._tower.name_or_path} {self._models.preprocess} {self.module.first_trained}"
            f" {self._config.augment} {self._config.seed} {views}"
        )
        return self._cache / f"{sha256(identity.encode()).hexdigest()[:16]}.npy"

    def _compute_state_shape(self) -> tuple[int, int]:
        """Return the number of tokens and the width of the hidden states."""
        config = self._tower.config
        height, width = self._models.preprocess.size
        return 1 + (height // config.patch_size) * (width // config.patch_size), config.hidden_size

    def make_text_inputs(self, numbers: Indices) -> torch.Tensor:
        return self._features[torch.from_numpy(numbers)].float()

    def make_clip_inputs(self, numbers: Indices, views: Indices) -> torch.Tensor:
        """Return hidden states (clips, frames, tokens, width)."""
        rows = [
            [self._first_row[file] + view for file in select_frames(self._clips[number], self._config.frames)]
            for number, view in zip(numbers, views, strict=True)
        ]
        return torch.from_numpy(self._states[np.array(rows, np.int64)]).float()

    def save(self, adapter: Path, role: str) -> None:
        lora.save_adapter(self._tower, adapter / role)
        self.module.text_map.save(adapter / MAP_FILE)


class TorchLowerLayers:
    """`LowerLayers` in torch, for GPUs."""

    def __init__(self, model: PreTrainedModel, layers: int, device: torch.device) -> None:
        self._tower: Any = model
        self._layers, self._device = layers, device

    @torch.inference_mode()
    def __call__(self, pixels: torch.Tensor) -> HiddenStates:
        tower = self._tower.to(self._device).vision_model
        x = tower.pre_layrnorm(tower.embeddings(pixels.to(tower.device), interpolate_pos_encoding=True))
        for layer in tower.encoder.layers[: self._layers]:
            x = layer(x, None)
        states: HiddenStates = x.float().cpu().numpy()
        return states


class UpperLayers(nn.Module):
    """The tower from its first trained layer on, and the text map."""

    def __init__(self, tower: PeftModel, text_map: TextMap) -> None:
        super().__init__()
        self.tower, self.text_map = tower, text_map
        self.first_trained = next(
            i for i, layer in enumerate(self._layers) if any(p.requires_grad for p in layer.parameters())
        )
        """Index of the first layer that is trained: the number of layers below."""

    @property
    def _layers(self) -> Any:
        return self._clip.vision_model.encoder.layers

    @property
    def _clip(self) -> Any:
        return self.tower.base_model.model

    def forward(self, texts: torch.Tensor, clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = clips.flatten(0, 1)
        for layer in self._layers[self.first_trained : -1]:
            x = layer(x, None)
        x = self._clip.vision_model.post_layernorm(_compute_class_token(self._layers[-1], x))
        vectors = functional.normalize(self._clip.visual_projection(x).float(), dim=-1)
        mapped = self.text_map.encode_pictures(vectors)
        return self.text_map.encode_texts(texts), mapped.view(*clips.shape[:2], -1)


def _compute_class_token(layer: Any, x: torch.Tensor) -> torch.Tensor:
    """Compute the last layer's output (n, width) for the first token only; nothing else of it is used."""
    attention, normed = layer.self_attn, layer.layer_norm1(x)

    def split_heads(states: torch.Tensor) -> torch.Tensor:
        return states.view(*states.shape[:2], -1, attention.head_dim).transpose(1, 2)

    query = split_heads(attention.q_proj(normed[:, :1]))
    key, value = split_heads(attention.k_proj(normed)), split_heads(attention.v_proj(normed))
    mixed = functional.scaled_dot_product_attention(query, key, value)
    first = x[:, 0] + attention.out_proj(mixed.transpose(1, 2).flatten(1))
    output: torch.Tensor = first + layer.mlp(layer.layer_norm2(first))
    return output
