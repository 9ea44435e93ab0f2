"""An encoder with a CLIP4Clip head: motion vectors computed from the frame vectors, without a motion model.

The heads are in `model.encoders.clip_heads`. The tight head is not available here, because its result cannot
be stored in an index.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from model.encoders.clip_heads import HEADS, MAX_FRAMES, MeanPooling
from model.encoders.encoder_wrapper import EncoderWrapper
from model.errors import AdapterMismatchError
from model.ports import Clip, Encoder, TextVectors, Vector, sample_evenly

HEAD_FILE = "head.safetensors"
"""In an adapter's folder."""


class ClipHeadEncoder(EncoderWrapper):
    """An encoder plus a head. A text's frame vector also serves as its motion vector."""

    def __init__(self, encoder: Encoder, head: MeanPooling, generation: str) -> None:
        super().__init__(encoder, generation)
        self.motion_size = encoder.frame_size
        self._head = head.eval()

    def encode_texts(self, texts: Sequence[str]) -> list[TextVectors]:
        return [replace(each, motion=each.frame) for each in self._encoder.encode_texts(texts)]

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        """Compute vectors (n, frame_size) from the clips' frame vectors."""
        with torch.inference_mode():
            vectors: Vector = self._head.encode_clips(*pad_clips([clip.frame_vectors for clip in clips])).numpy()
        return vectors


def attach_clip_head(encoder: Encoder, adapter: Path | None) -> Encoder:
    """Return the encoder with the head in an adapter's folder, or `encoder` itself if there is no head.

    Raises `AdapterMismatchError`.
    """
    file = adapter / HEAD_FILE if adapter else None
    if file is None or not file.exists():
        return encoder
    if encoder.motion_size is not None:
        raise AdapterMismatchError("{folder} has a clip head, but its preset has a motion model", folder=adapter)
    with safe_open(file, "pt") as stored:
        kind = (stored.metadata() or {}).get("kind", "")
    head = make_clip_head(kind, encoder.frame_size)
    try:
        head.load_state_dict(load_file(file))
    except RuntimeError as error:
        raise AdapterMismatchError(
            "{file} is not a head for vectors of {size} numbers", file=file, size=encoder.frame_size
        ) from error
    return ClipHeadEncoder(encoder, head, name_with_file(encoder.generation, file))


def name_with_file(generation: str, file: Path) -> str:
    """Return the name of a generation that also has the weights in a file of an adapter's folder, if it exists."""
    if not file.exists():
        return generation
    digest = hashlib.sha256(generation.encode() + file.read_bytes()).hexdigest()
    return f"{generation.rpartition('-')[0]}-{digest[:8]}"


def make_clip_head(kind: str, size: int) -> MeanPooling:
    """Make an untrained head for vectors of `size` numbers.

    Raises `AdapterMismatchError` for an unknown kind.
    """
    head = HEADS[kind](size) if kind in HEADS else None
    if not isinstance(head, MeanPooling):
        raise AdapterMismatchError("there is no head named {kind!r} whose vectors an index can store", kind=kind)
    return head


def pad_clips(clips: Sequence[Vector]) -> tuple[torch.Tensor, torch.Tensor]:
    """Stack the frame vectors (f, d) of clips in one tensor (n, f, d).

    Also returns a mask (n, f), False for padding.

    Of a clip with more than `MAX_FRAMES` frames, evenly spaced ones are taken.
    """
    sampled = [clip[sample_evenly(range(len(clip)), min(len(clip), MAX_FRAMES))] for clip in clips]
    mask = np.arange(max(map(len, sampled))) < np.array([len(clip) for clip in sampled])[:, None]
    frames = np.zeros((*mask.shape, sampled[0].shape[1]), np.float32)
    frames[mask] = np.concatenate(sampled)
    return torch.from_numpy(frames), torch.from_numpy(mask)
