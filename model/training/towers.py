"""The interface between the training loop and a pair of towers, and its implementation for hub presets."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import torch
from peft import PeftModel
from torch import nn
from torch.nn import functional

from model.config import TrainingConfig
from model.data.images import read_picture
from model.data.pairs import ClipFiles
from model.encoders import lora
from model.encoders.hub import LoadedModel
from model.encoders.hub_encoder import prepare_pictures, read_pooled, tokenize
from model.errors import AdapterMismatchError
from model.outcome import TrainingStage
from model.ports import sample_evenly
from model.training.augment import augment_picture
from model.training.batches import Indices, select_frames

TowerInputs: TypeAlias = Any
"""Tensors, or a dict of tensors, whose first dimension is the number of texts or clips."""

ReportPreparation: TypeAlias = Callable[[TrainingStage, int, int], None]
"""Progress callback: stage, number done, total number. Raises `TrainingCancelledError`."""


class Towers(Protocol):
    """A text tower and a picture tower in training. Texts and clips are indices into what was prepared."""

    @property
    def module(self) -> nn.Module:
        """The module with both towers.

        forward(text inputs, clip inputs) returns unit vectors (n, d) of texts, and of each frame (m, frames,
        d).
        """
        ...

    @property
    def scale(self) -> float:
        """The initial scale of the cosines."""
        ...

    @property
    def base_model(self) -> str:
        """The model and its commit or version."""
        ...

    def make_parameter_groups(self) -> list[dict[str, Any]]:
        """Return the trainable parameters and their learning rates, as torch's optimizers take them."""
        ...

    def prepare(self, texts: Sequence[str], clips: Sequence[ClipFiles], on_progress: ReportPreparation) -> None:
        """Set the texts and clips, and compute what does not change during training."""
        ...

    def make_text_inputs(self, numbers: Indices) -> TowerInputs: ...

    def make_clip_inputs(self, numbers: Indices, views: Indices) -> TowerInputs: ...

    def save(self, adapter: Path, role: str) -> None:
        """Write the trained weights into an adapter's folder."""
        ...


def attach_lora(model: Any, config: TrainingConfig, base_adapter: Path | None) -> PeftModel:
    """Attach the existing adapter of this model, or a new one. Raises `AdapterMismatchError`."""
    if base_adapter and base_adapter.is_dir():
        return lora.attach_adapter(model, base_adapter)
    targets = lora.find_upper_layers(model, config.lora.targets, config.lora.layers)
    if not targets:
        names = ", ".join(config.lora.targets)
        raise AdapterMismatchError("{model} has no layers named {names}", model=model.name_or_path, names=names)
    return lora.add_adapter(model, config.lora.rank, config.lora.alpha, config.lora.dropout, targets)


class HubTowers:
    """A CLIP-family model, or X-CLIP for clips, with an adapter on both towers."""

    def __init__(self, loaded: LoadedModel, config: TrainingConfig, base_adapter: Path | None) -> None:
        self._loaded, self._config = loaded, config
        self._model = attach_lora(loaded.model, config, base_adapter)
        self._clip_length: int = getattr(loaded.model.config.vision_config, "num_frames", 0)
        self.module = _HubModule(self._model)
        self.scale = float(loaded.model.logit_scale.detach().exp())

    @property
    def base_model(self) -> str:
        return str(self._loaded.model.name_or_path)

    def make_parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": [p for p in self._model.parameters() if p.requires_grad], "lr": self._config.rate}]

    def prepare(self, texts: Sequence[str], clips: Sequence[ClipFiles], on_progress: ReportPreparation) -> None:
        """Set the texts and clips. Nothing is precomputed, because both towers are trained."""
        self._texts, self._clips = texts, clips

    def make_text_inputs(self, numbers: Indices) -> TowerInputs:
        return tokenize(self._loaded, [self._texts[i] for i in numbers])

    def make_clip_inputs(self, numbers: Indices, views: Indices) -> dict[str, torch.Tensor]:
        """Return the inputs (clips, frames, …) of the picture tower. X-CLIP reads all frames of a clip as one input."""
        pictures = [
            augment_picture(read_picture(file), int(view), self._config.augment, self._config.seed)
            for number, view in zip(numbers, views, strict=True)
            for file in self._select_files(self._clips[number])
        ]
        inputs = prepare_pictures(self._loaded, pictures)
        return {name: data.view(len(numbers), -1, *data.shape[1:]) for name, data in inputs.items()}

    def _select_files(self, clip: ClipFiles) -> list[Path]:
        if self._clip_length:
            return sample_evenly(clip, self._clip_length)
        return select_frames(clip, self._config.frames)

    def save(self, adapter: Path, role: str) -> None:
        lora.save_adapter(self._model, adapter / role)


class _HubModule(nn.Module):
    def __init__(self, model: PeftModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, texts: dict[str, torch.Tensor], clips: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        model: Any = self.model.base_model.model
        text_vectors = read_pooled(model.get_text_features(**texts))
        if hasattr(model, "get_video_features"):
            frame_vectors = read_pooled(model.get_video_features(**clips))[:, None]
        else:
            flat = read_pooled(model.get_image_features(**{name: data.flatten(0, 1) for name, data in clips.items()}))
            frame_vectors = flat.view(*clips["pixel_values"].shape[:2], -1)
        return functional.normalize(text_vectors, dim=-1), functional.normalize(frame_vectors, dim=-1)
