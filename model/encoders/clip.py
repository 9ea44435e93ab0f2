"""Texts, frames and clips into unit vectors, with CLIP-family and X-CLIP models of transformers."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch.nn import functional

from model.encoders import lora
from model.encoders.devices import serving_dtype
from model.encoders.hub import Loaded, fetch, read
from model.errors import AdapterMismatch, PartsMissing
from model.ports import Clip, Picture, TextVectors, Vector, evenly
from model.presets import HubModel, Preset, generation

Item = TypeVar("Item")


_BATCH_TEXTS = 64
_BATCH_PICTURES = 32


class HubTower:
    """One model, ready to serve: its texts and its pictures or clips as unit vectors."""

    def __init__(self, loaded: Loaded, device: torch.device, dtype: torch.dtype) -> None:
        self._loaded, self._device, self._dtype = loaded, device, dtype
        self._model = loaded.model.to(device, dtype)
        config = loaded.model.config
        self.tokenizer = loaded.tokenizer
        self.size: int = getattr(config, "projection_dim", None) or config.vision_config.hidden_size
        self.clip_length: int = getattr(config.vision_config, "num_frames", 0)
        """Pictures of a clip; 0: it takes single pictures."""

    def texts(self, texts: Sequence[str]) -> Vector:
        """(n, size)"""
        return self._batched(texts, _BATCH_TEXTS, self._text_batch)

    def pictures(self, pictures: Sequence[Picture]) -> Vector:
        """(n, size)"""
        return self._batched(pictures, _BATCH_PICTURES, self._picture_batch)

    def clips(self, clips: Sequence[Clip]) -> Vector:
        """(n, size)"""
        return self._batched(clips, max(1, _BATCH_PICTURES // self.clip_length), self._clip_batch)

    def _batched(self, items: Sequence[Item], size: int, encode: Callable[[Sequence[Item]], torch.Tensor]) -> Vector:
        vectors = np.empty((len(items), self.size), np.float32)
        for start in range(0, len(items), size):
            with torch.inference_mode():
                features = encode(items[start : start + size]).float()
                vectors[start : start + size] = functional.normalize(features, dim=-1).cpu().numpy()
        return vectors

    def _text_batch(self, texts: Sequence[str]) -> torch.Tensor:
        inputs = {name: data.to(self._device) for name, data in text_inputs(self._loaded, texts).items()}
        return pooled(self._model.get_text_features(**inputs))

    def _picture_batch(self, pictures: Sequence[Picture]) -> torch.Tensor:
        return pooled(self._model.get_image_features(pixel_values=self._pixels(pictures)))

    def _clip_batch(self, clips: Sequence[Clip]) -> torch.Tensor:
        pictures = [picture for clip in clips for picture in evenly(clip.pictures, self.clip_length)]
        pixels = self._pixels(pictures)
        pixels = pixels.view(len(clips), self.clip_length, *pixels.shape[1:])
        return pooled(self._model.get_video_features(pixel_values=pixels))

    def _pixels(self, pictures: Sequence[Picture]) -> torch.Tensor:
        return self._loaded.preprocess(pictures).to(self._device, self._dtype)


class HubEncoder:
    """Frames by a model of the CLIP family; motion, where the preset has it, by X-CLIP.

    X-CLIP's own score conditions the text on each video, so it cannot be searched for; here its text and video features
    are taken apart from each other (Ni et al. 2022, arXiv:2208.02816).
    """

    def __init__(self, generation: str, frame: HubTower, motion: HubTower | None) -> None:
        self.generation = generation
        self.frame_size = frame.size
        self.motion_size = motion.size if motion else None
        self._frame, self._motion = frame, motion

    def texts(self, texts: Sequence[str]) -> list[TextVectors]:
        frames = self._frame.texts(texts)
        motions = self._motion.texts(texts) if self._motion else [None] * len(texts)
        return [TextVectors(frame, motion) for frame, motion in zip(frames, motions, strict=True)]

    def frames(self, pictures: Sequence[Picture]) -> Vector:
        """(n, frame_size)"""
        return self._frame.pictures(pictures)

    def clips(self, clips: Sequence[Clip]) -> Vector:
        """(n, motion_size). Pictures are taken evenly from each clip, again where there are too few."""
        if self._motion is None:
            raise ValueError(f"{self.generation} has no motion vectors")
        return self._motion.clips(clips)


def _plain(text: str) -> str:
    """Lower case, as all these models read it, and no half characters, which no tokenizer takes."""
    return text.lower().encode("utf-8", "replace").decode()


def text_inputs(loaded: Loaded, texts: Sequence[str]) -> dict[str, torch.Tensor]:
    """What the model reads of texts, on the CPU."""
    encodings = loaded.tokenizer.encode_batch([_plain(text) for text in texts])
    inputs = {"input_ids": torch.tensor([e.ids for e in encodings])}
    if loaded.masks_padding:
        inputs["attention_mask"] = torch.tensor([e.attention_mask for e in encodings])
    return inputs


def pooled(output: Any) -> torch.Tensor:
    features: torch.Tensor = output.pooler_output
    return features


def build(preset: Preset, *, device: torch.device, adapter: Path | None, parts_dir: Path) -> HubEncoder:
    """`model.presets.load_encoder` for a preset of the hub."""
    if adapter and not any((adapter / role).is_dir() for role in ("frame", "motion")):
        raise PartsMissing(f"there is no adapter in {adapter}: restore that folder, or go back a generation")
    if adapter and not preset.motion and (adapter / "motion").is_dir():
        raise AdapterMismatch(f"{adapter} has a motion part, and the preset {preset.name} has no motion model")

    def tower(model: HubModel, role: str) -> HubTower:
        loaded = read(fetch(model, parts_dir), model.name)
        if adapter and (adapter / role).is_dir():
            loaded = replace(loaded, model=lora.merged(loaded.model, adapter / role))
        return HubTower(loaded, device, serving_dtype(device))

    return HubEncoder(
        generation(preset, adapter),
        frame=tower(preset.frame, "frame"),
        motion=tower(preset.motion, "motion") if preset.motion else None,
    )
