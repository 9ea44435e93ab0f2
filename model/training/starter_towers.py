"""The starter, trained quickly on a CPU: an adapter on the tower's upper layers, over kept outputs of the lower ones.

The lower layers do not change, so each picture goes through them once, in the int8 form that serves it. The text side
can carry no LoRA; its map learns instead.
"""

from collections.abc import Callable, Sequence
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
from model.encoders import lora
from model.encoders.preprocess import Preprocess
from model.pretraining.pretrain_data import Sentences, note, opened, read_picture
from model.starter import encoder as starter
from model.starter.picture_tower import LowerLayers
from model.starter.sentence_encoder import SentenceEncoder
from model.starter.text_map import TextMap
from model.training.augment import changed
from model.training.batches import Numbers, frames
from model.training.towers import Progress, adapted

_SCALE = 20.0
_PICTURES, _TEXTS = 16, 64

States: TypeAlias = npt.NDArray[np.floating[Any]]
Lower: TypeAlias = Callable[[PreTrainedModel, int], Callable[[torch.Tensor], States]]
"""Makes of a tower its first so many layers: pixels (n, 3, height, width) into hidden states (n, tokens, width)."""


def load(
    run: TrainingConfig, device: torch.device, parts_dir: Path | None, base: Path | None, cache: Path
) -> "StarterTowers":
    """The served parts, those of an adapter where `base` is one. Raises `PartsMissing`, `AdapterMismatch`."""
    return StarterTowers(
        tower=starter.read_tower(parts_dir),
        preprocess=starter.PREPROCESS,
        lower=LowerLayers if device.type == "cpu" else partial(TorchLayers, device=device),
        sentences=SentenceEncoder(),
        text_map=TextMap.read(starter.map_file(base), run.map_dropout),
        run=run,
        part=base / "frame" if base else None,
        cache=cache,
    )


class StarterTowers:
    """The picture tower's upper layers and the map. See `load` for the parts as they are served."""

    scale = _SCALE

    def __init__(
        self,
        tower: PreTrainedModel,
        preprocess: Preprocess,
        lower: Lower,
        sentences: Sentences,
        text_map: TextMap,
        run: TrainingConfig,
        part: Path | None,
        cache: Path,
    ) -> None:
        self._tower = adapted(tower, run, part)
        self._preprocess, self._lower, self._sentences = preprocess, lower, sentences
        self._cache, self._run = cache, run
        self.module = UpperLayers(self._tower, text_map)

    @property
    def pin(self) -> str:
        return str(self._tower.name_or_path)

    def groups(self) -> list[dict[str, Any]]:
        learning = [p for p in self._tower.parameters() if p.requires_grad]
        mapping = [p for p in self.module.text_map.parameters() if p.requires_grad]
        return [{"params": learning, "lr": self._run.rate}, {"params": mapping, "lr": self._run.map_rate}]

    def prepare(self, texts: Sequence[str], clips: Sequence[Sequence[Path]], progress: Progress) -> None:
        self._clips = clips
        self._features = self._read_texts(texts, progress)
        files = sorted({file for clip in clips for file in frames(clip, self._run.frames)})
        self._row = {file: i * (self._run.augment.views + 1) for i, file in enumerate(files)}
        self._states = self._read_pictures(files, progress)

    def _read_texts(self, texts: Sequence[str], progress: Progress) -> torch.Tensor:
        parts = []
        for start in range(0, len(texts), _TEXTS):
            progress("texts", start, len(texts))
            parts.append(self._sentences(texts[start : start + _TEXTS]).half())
        return torch.cat(parts)

    def _read_pictures(self, files: Sequence[Path], progress: Progress) -> States:
        """(pictures and their views, tokens, width), half precision, on disk. Goes on where it was stopped."""
        augment, cut, seed = self._run.augment, self.module.cut, self._run.seed
        wanted = [(file, view) for file in files for view in range(augment.views + 1)]
        what = f"{self._tower.name_or_path} {self._preprocess} {cut} {augment} {seed} {wanted}"
        kept = self._cache / f"{sha256(what.encode()).hexdigest()[:16]}.npy"
        tokens, width = self._shape()
        states, done = opened(kept, (len(wanted), tokens * width), np.float16)
        tower: Any = self._tower.base_model.model
        lower = self._lower(tower, cut)
        for start in range(done, len(wanted), _PICTURES):
            progress("pictures", start, len(wanted))
            some = wanted[start : start + _PICTURES]
            pixels = self._preprocess([changed(read_picture(file), view, augment, seed) for file, view in some])
            states[start : start + len(some)] = lower(pixels).reshape(len(some), -1)
            note(kept, start + len(some))
        return states.reshape(len(wanted), tokens, width)

    def _shape(self) -> tuple[int, int]:
        """Tokens and width of the hidden states."""
        config = self._tower.config
        height, width = self._preprocess.size
        return 1 + (height // config.patch_size) * (width // config.patch_size), config.hidden_size

    def texts(self, numbers: Numbers) -> torch.Tensor:
        return self._features[torch.from_numpy(numbers)].float()

    def clips(self, numbers: Numbers, views: Numbers) -> torch.Tensor:
        """(clips, frames, tokens, width)"""
        rows = [
            [self._row[file] + view for file in frames(self._clips[number], self._run.frames)]
            for number, view in zip(numbers, views, strict=True)
        ]
        return torch.from_numpy(self._states[np.array(rows, np.int64)]).float()

    def save(self, adapter: Path, role: str) -> None:
        lora.save(self._tower, adapter / role)
        self.module.text_map.save(adapter / starter.MAP)


class TorchLayers:
    """`LowerLayers` in torch: for graphics cards."""

    def __init__(self, model: PreTrainedModel, layers: int, device: torch.device) -> None:
        self._tower: Any = model
        self._layers, self._device = layers, device

    @torch.inference_mode()
    def __call__(self, pixels: torch.Tensor) -> States:
        tower = self._tower.to(self._device).vision_model
        x = tower.pre_layrnorm(tower.embeddings(pixels.to(tower.device), interpolate_pos_encoding=True))
        for layer in tower.encoder.layers[: self._layers]:
            x = layer(x, None)
        states: States = x.float().cpu().numpy()
        return states


class UpperLayers(nn.Module):
    """From the first layer that learns to the vectors of the preset's space."""

    def __init__(self, tower: PeftModel, text_map: TextMap) -> None:
        super().__init__()
        self.tower, self.text_map = tower, text_map
        self.cut = next(i for i, layer in enumerate(self._layers) if any(p.requires_grad for p in layer.parameters()))
        """How many layers lie below."""

    @property
    def _layers(self) -> Any:
        return self._clip.vision_model.encoder.layers

    @property
    def _clip(self) -> Any:
        return self.tower.base_model.model

    def forward(self, texts: torch.Tensor, clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = clips.flatten(0, 1)
        for layer in self._layers[self.cut : -1]:
            x = layer(x, None)
        x = self._clip.vision_model.post_layernorm(_class_token(self._layers[-1], x))
        vectors = functional.normalize(self._clip.visual_projection(x).float(), dim=-1)
        mapped = self.text_map.pictures(vectors)
        return self.text_map.texts(texts), mapped.view(*clips.shape[:2], -1)


def _class_token(layer: Any, x: torch.Tensor) -> torch.Tensor:
    """What the last layer makes of the first token, (n, width): nothing else of it is read."""
    attention, normed = layer.self_attn, layer.layer_norm1(x)

    def heads(states: torch.Tensor) -> torch.Tensor:
        return states.view(*states.shape[:2], -1, attention.head_dim).transpose(1, 2)

    query = heads(attention.q_proj(normed[:, :1]))
    key, value = heads(attention.k_proj(normed)), heads(attention.v_proj(normed))
    mixed = functional.scaled_dot_product_attention(query, key, value)
    first = x[:, 0] + attention.out_proj(mixed.transpose(1, 2).flatten(1))
    whole: torch.Tensor = first + layer.mlp(layer.layer_norm2(first))
    return whole
