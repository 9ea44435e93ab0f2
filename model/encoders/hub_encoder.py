"""Encoders of hub presets: CLIP-family models for frames, X-CLIP for motion."""

import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from model.encoders import lora
from model.encoders.devices import select_device, select_dtype
from model.encoders.hub import LoadedModel, load_model
from model.errors import AdapterMismatchError, ArtifactsMissingError
from model.ports import Clip, FetchProgress, Item, MeaningEncoder, Picture, TextVectors, Vector, sample_evenly
from model.presets import ModelSource, Preset
from text.emoji_names import name_emoji
from text.invisible import remove_invisible

_TEXT_BATCH = 64
_PICTURE_BATCH = 32


class HubTower:
    """One model for serving: encodes texts, and pictures or clips, as unit vectors."""

    def __init__(self, loaded: LoadedModel, device: torch.device, dtype: torch.dtype) -> None:
        self._loaded, self._device, self._dtype = loaded, device, dtype
        self._model = loaded.model.to(device, dtype)
        config = loaded.model.config
        self.tokenizer = loaded.tokenizer
        self.size: int = getattr(config, "projection_dim", None) or config.vision_config.hidden_size
        self.logit_scale = float(loaded.model.logit_scale.detach().exp())
        self.clip_length: int = getattr(config.vision_config, "num_frames", 0)
        """Number of pictures per clip. 0: the model takes single pictures."""

    def encode_texts(self, texts: Sequence[str]) -> Vector:
        """Encode texts as vectors (n, size)."""
        return self._encode_in_batches(texts, _TEXT_BATCH, self._encode_text_batch)

    def encode_pictures(self, pictures: Sequence[Picture]) -> Vector:
        """Encode pictures as vectors (n, size)."""
        return self._encode_in_batches(pictures, _PICTURE_BATCH, self._encode_picture_batch)

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        """Encode clips as vectors (n, size)."""
        return self._encode_in_batches(clips, max(1, _PICTURE_BATCH // self.clip_length), self._encode_clip_batch)

    def _encode_in_batches(
        self, items: Sequence[Item], size: int, encode: Callable[[Sequence[Item]], torch.Tensor]
    ) -> Vector:
        vectors = np.empty((len(items), self.size), np.float32)
        for start in range(0, len(items), size):
            with torch.inference_mode():
                features = encode(items[start : start + size]).float()
                vectors[start : start + size] = functional.normalize(features, dim=-1).cpu().numpy()
        return vectors

    def _encode_text_batch(self, texts: Sequence[str]) -> torch.Tensor:
        inputs = {name: data.to(self._device) for name, data in tokenize(self._loaded, texts).items()}
        return read_pooled(self._model.get_text_features(**inputs))

    def _encode_picture_batch(self, pictures: Sequence[Picture]) -> torch.Tensor:
        return read_pooled(self._model.get_image_features(**self._prepare(pictures)))

    def _encode_clip_batch(self, clips: Sequence[Clip]) -> torch.Tensor:
        pictures = [picture for clip in clips for picture in sample_evenly(clip.pictures, self.clip_length)]
        pixels = self._prepare(pictures)["pixel_values"]
        pixels = pixels.view(len(clips), self.clip_length, *pixels.shape[1:])
        return read_pooled(self._model.get_video_features(pixel_values=pixels))

    def _prepare(self, pictures: Sequence[Picture]) -> dict[str, torch.Tensor]:
        inputs = prepare_pictures(self._loaded, pictures)
        return {
            name: data.to(self._device, self._dtype if data.is_floating_point() else None)
            for name, data in inputs.items()
        }


class HubEncoder:
    """Encodes frames with a CLIP-family model, and motion with X-CLIP if the preset has it.

    X-CLIP's own score conditions the text on each video, so it cannot be used for retrieval. Here its text
    and video features are computed independently (Ni et al. 2022, arXiv:2208.02816).
    """

    unrelated_cosine: float | None = None

    def __init__(self, generation: str, frame: HubTower, motion: HubTower | None, sentences: MeaningEncoder) -> None:
        self.generation = generation
        self.frame_size = frame.size
        self.motion_size = motion.size if motion else None
        self.logit_scale = frame.logit_scale
        self.meaning_size = sentences.meaning_size
        self.encode_sentences = sentences.encode_sentences
        self._frame, self._motion = frame, motion

    def encode_texts(self, texts: Sequence[str]) -> list[TextVectors]:
        frames = self._frame.encode_texts(texts)
        meanings = self.encode_sentences(texts)
        motions = self._motion.encode_texts(texts) if self._motion else [None] * len(texts)
        return [TextVectors(*each) for each in zip(frames, meanings, motions, strict=True)]

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        """Encode pictures as vectors (n, frame_size)."""
        return self._frame.encode_pictures(pictures)

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        """Encode evenly spaced pictures of each clip as vectors (n, motion_size)."""
        if self._motion is None:
            raise ValueError(f"{self.generation} has no motion vectors")
        return self._motion.encode_clips(clips)


def tokenize(loaded: LoadedModel, texts: Sequence[str]) -> dict[str, torch.Tensor]:
    """Return the model's inputs for texts, on the CPU."""
    encodings = loaded.tokenizer.encode_batch([_spell(text, loaded.folds_case) for text in texts])
    inputs = {"input_ids": torch.tensor([e.ids for e in encodings])}
    if loaded.masks_padding:
        inputs["attention_mask"] = torch.tensor([e.attention_mask for e in encodings])
    return inputs


def _spell(text: str, folds_case: bool) -> str:
    """Return a text as these models expect it: with composed letters, names for emoji, and perhaps in lower case.

    Lone surrogates are replaced, because no tokenizer accepts them.
    """
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    named = remove_invisible(name_emoji(text))
    return named.lower() if folds_case else named


def prepare_pictures(loaded: LoadedModel, pictures: Sequence[Picture]) -> dict[str, torch.Tensor]:
    """Return the model's inputs for pictures, on the CPU."""
    prepared = loaded.preprocess(pictures)
    return prepared if isinstance(prepared, dict) else {"pixel_values": prepared}


def read_pooled(output: Any) -> torch.Tensor:
    """Return the features (n, d) in a model output of transformers."""
    features: torch.Tensor = output.pooler_output
    return features


def load_hub_encoder(
    preset: Preset,
    sentences: MeaningEncoder,
    *,
    device: str,
    adapter: Path | None,
    artifacts_dir: Path,
    on_fetch: FetchProgress | None = None,
) -> HubEncoder:
    """Load the encoder of a hub preset; see `model.loader.load_encoder`.

    `sentences` encodes meanings, because no hub preset has a model for it.
    """
    selected = select_device(device)
    if adapter and not any((adapter / role).is_dir() for role in ("frame", "motion")):
        raise ArtifactsMissingError(
            "there is no adapter in {folder}: restore that folder, or go back a generation", folder=adapter
        )
    if adapter and not preset.motion and (adapter / "motion").is_dir():
        raise AdapterMismatchError(
            "{folder} adapts a motion model, but the preset {preset} has none", folder=adapter, preset=preset.name
        )

    def load_tower(model: ModelSource, role: str) -> HubTower:
        loaded = load_model(model, role, artifacts_dir, on_fetch)
        if adapter and (adapter / role).is_dir():
            loaded = replace(loaded, model=lora.merge_adapter(loaded.model, adapter / role))
        return HubTower(loaded, selected, select_dtype(selected))

    return HubEncoder(
        compute_hub_generation(preset, adapter),
        frame=load_tower(preset.frame, "frame"),
        motion=load_tower(preset.motion, "motion") if preset.motion else None,
        sentences=sentences,
    )


def compute_hub_generation(preset: Preset, adapter: Path | None) -> str:
    """Return the generation's name: the same for the same models and adapter on every machine."""
    names = [preset.frame.name, preset.motion.name if preset.motion else ""]
    digest = hashlib.sha256("\n".join(names).encode())
    if adapter:
        for file in sorted(adapter.rglob("adapter_*")):
            digest.update(f"\n{file.relative_to(adapter).as_posix()}\n".encode())
            digest.update(file.read_bytes())
    return f"{preset.name}-{digest.hexdigest()[:8]}"
