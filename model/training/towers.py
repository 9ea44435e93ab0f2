"""What the training loop asks of a pair of towers, and how hub presets answer."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import torch
from peft import PeftModel
from torch import nn
from torch.nn import functional

from model.config import TrainingConfig
from model.encoders import lora
from model.encoders.clip import pooled, text_inputs
from model.encoders.hub import Loaded
from model.errors import AdapterMismatch
from model.outcome import Stage
from model.ports import evenly
from model.pretraining.pretrain_data import read_picture
from model.training.augment import changed
from model.training.batches import Numbers, frames

Inputs: TypeAlias = Any
"""Tensors, or a dict of them, whose first dimension is the texts' or the clips'."""

Progress: TypeAlias = Callable[[Stage, int, int], None]
"""Stage, done, of how many; raises `Cancelled`."""


class Towers(Protocol):
    """Texts and clips are named by their numbers in what was prepared."""

    @property
    def module(self) -> nn.Module:
        """forward(texts' inputs, clips' inputs) -> unit vectors (n, d), and of each frame (m, frames, d)."""
        ...

    @property
    def scale(self) -> float:
        """Of the cosines, to begin with."""
        ...

    @property
    def pin(self) -> str:
        """The model and its commit or hash."""
        ...

    def groups(self) -> list[dict[str, Any]]:
        """What learns, and how fast, as torch's optimizers take it."""
        ...

    def prepare(self, texts: Sequence[str], clips: Sequence[Sequence[Path]], progress: Progress) -> None: ...

    def texts(self, numbers: Numbers) -> Inputs: ...

    def clips(self, numbers: Numbers, views: Numbers) -> Inputs: ...

    def save(self, adapter: Path, role: str) -> None: ...


def adapted(model: Any, run: TrainingConfig, part: Path | None) -> PeftModel:
    """The model to train: with the adapter's part on, or with a fresh one. Raises `AdapterMismatch`."""
    if part and part.is_dir():
        return lora.worn(model, part)
    targets = lora.upper(model, run.lora.targets, run.lora.layers)
    if not targets:
        raise AdapterMismatch(f"{model.name_or_path} has no layers named {', '.join(run.lora.targets)}")
    return lora.with_lora(model, run.lora.rank, run.lora.alpha, run.lora.dropout, targets)


class HubTowers:
    """A CLIP-family model, or X-CLIP for clips, with an adapter on both of its sides."""

    def __init__(self, loaded: Loaded, run: TrainingConfig, part: Path | None) -> None:
        self._loaded, self._run = loaded, run
        self._model = adapted(loaded.model, run, part)
        config = loaded.model.config
        self._clip_length: int = getattr(config.vision_config, "num_frames", 0)
        self.module = _HubModule(self._model)
        self.scale = float(loaded.model.logit_scale.detach().exp())

    @property
    def pin(self) -> str:
        return str(self._loaded.model.name_or_path)

    def groups(self) -> list[dict[str, Any]]:
        return [{"params": [p for p in self._model.parameters() if p.requires_grad], "lr": self._run.rate}]

    def prepare(self, texts: Sequence[str], clips: Sequence[Sequence[Path]], progress: Progress) -> None:
        self._texts, self._clips = texts, clips

    def texts(self, numbers: Numbers) -> Inputs:
        return text_inputs(self._loaded, [self._texts[i] for i in numbers])

    def clips(self, numbers: Numbers, views: Numbers) -> torch.Tensor:
        """Pixels (clips, frames, 3, height, width); X-CLIP reads all of its frames as one."""
        pictures = [
            changed(read_picture(file), int(view), self._run.augment, self._run.seed)
            for number, view in zip(numbers, views, strict=True)
            for file in self._files(self._clips[number])
        ]
        pixels = self._loaded.preprocess(pictures)
        return pixels.view(len(numbers), -1, *pixels.shape[1:])

    def _files(self, clip: Sequence[Path]) -> list[Path]:
        return evenly(clip, self._clip_length) if self._clip_length else frames(clip, self._run.frames)

    def save(self, adapter: Path, role: str) -> None:
        lora.save(self._model, adapter / role)


class _HubModule(nn.Module):
    def __init__(self, model: PeftModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, texts: dict[str, torch.Tensor], clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        model: Any = self.model.base_model.model
        text_vectors = pooled(model.get_text_features(**texts))
        if hasattr(model, "get_video_features"):
            seen = pooled(model.get_video_features(pixel_values=clips))[:, None]
        else:
            flat = pooled(model.get_image_features(pixel_values=clips.flatten(0, 1)))
            seen = flat.view(*clips.shape[:2], -1)
        return functional.normalize(text_vectors, dim=-1), functional.normalize(seen, dim=-1)
