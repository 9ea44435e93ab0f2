"""A clip head of CLIP4Clip on an encoder whose preset has no clip model: motion vectors from the frames' own vectors.

`model.training.clip_heads` says which there are; the tight one gives no vector that an index could hold, so it is no choice here.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from model.config import ClipHeadConfig
from model.data.pairs import Pair
from model.errors import AdapterMismatch, Cancelled
from model.evaluation.compare import picture
from model.ports import Clip, Encoder, Picture, TextVectors, Vector, evenly
from model.training.clip_heads import HEADS, MOST_FRAMES, MeanPooling, fit

FILE = "head.safetensors"
"""Beside an adapter's other parts."""


class ClipHeadEncoder:
    """The encoder with a head; a text is searched for among clips by the vector that it has among frames."""

    def __init__(self, encoder: Encoder, head: MeanPooling, generation: str) -> None:
        self.generation = generation
        self.frame_size = self.motion_size = encoder.frame_size
        self._encoder, self._head = encoder, head.eval()

    def texts(self, texts: Sequence[str]) -> list[TextVectors]:
        return [TextVectors(each.frame, each.frame) for each in self._encoder.texts(texts)]

    def frames(self, pictures: Sequence[Picture]) -> Vector:
        """(n, frame_size)"""
        return self._encoder.frames(pictures)

    def clips(self, clips: Sequence[Clip]) -> Vector:
        """(n, frame_size), from the frames' vectors alone."""
        with torch.inference_mode():
            vectors: Vector = self._head.clips(*padded([clip.frame_vectors for clip in clips])).numpy()
        return vectors


def with_clip_head(encoder: Encoder, adapter: Path | None) -> Encoder:
    """With the head that an adapter's folder has, if it has one. Raises `AdapterMismatch`."""
    file = adapter / FILE if adapter else None
    if file is None or not file.exists():
        return encoder
    if encoder.motion_size is not None:
        raise AdapterMismatch(f"{adapter} has a clip head, and its preset a clip model of its own")
    with safe_open(file, "pt") as stored:
        kind = (stored.metadata() or {}).get("kind", "")
    head = _made(kind, encoder.frame_size)
    try:
        head.load_state_dict(load_file(file))
    except RuntimeError as error:
        raise AdapterMismatch(f"{file} is no head for vectors of {encoder.frame_size} numbers") from error
    digest = hashlib.sha256(encoder.generation.encode() + file.read_bytes()).hexdigest()
    return ClipHeadEncoder(encoder, head, f"{encoder.generation.rpartition('-')[0]}-{digest[:8]}")


def teach(
    stated: ClipHeadConfig,
    pairs: Sequence[Pair],
    encoder: Encoder,
    adapter: Path,
    *,
    seed: int,
    progress: Callable[[int, int], None],
    stopping: Callable[[], bool],
) -> None:
    """Trains a head on the clips of the split `train`, and puts it into the adapter's folder.

    `progress` hears of clips. Pairs of one picture teach nothing here, and without any other nothing is written. Raises
    `AdapterMismatch` for an encoder that has motion vectors already, `Cancelled`.
    """
    if encoder.motion_size is not None:
        raise AdapterMismatch("this preset has a clip model of its own: set the run's `head.kind` to `mean`")
    taught = [pair for pair in pairs if pair.split == "train" and len(pair.pictures) > 1]
    clips = list(dict.fromkeys(pair.pictures for pair in taught))
    if not clips:
        return
    vectors: list[Vector] = []
    for clip in clips:
        if stopping():
            raise Cancelled("stopped while the clips were read in, as asked")
        progress(len(vectors), len(clips))
        vectors.append(encoder.frames([picture(file) for file in evenly(clip, min(len(clip), MOST_FRAMES))]))
    place = {clip: number for number, clip in enumerate(clips)}
    texts = torch.from_numpy(np.stack([each.frame for each in encoder.texts([pair.text for pair in taught])]))
    own = torch.tensor([place[pair.pictures] for pair in taught])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = _made(stated.kind, encoder.frame_size)
        fit(head, texts, *padded(vectors), own, steps=stated.steps, rate=stated.rate, seed=seed)
    save_file(head.state_dict(), adapter / FILE, {"kind": stated.kind})


def padded(clips: Sequence[Vector]) -> tuple[torch.Tensor, torch.Tensor]:
    """Frame vectors (f, d) of each clip as one tensor (n, most, d), and which of them are there (n, most)."""
    shown = [clip[evenly(range(len(clip)), min(len(clip), MOST_FRAMES))] for clip in clips]
    there = np.arange(max(map(len, shown))) < np.array([len(clip) for clip in shown])[:, None]
    frames = np.zeros((*there.shape, shown[0].shape[1]), np.float32)
    frames[there] = np.concatenate(shown)
    return torch.from_numpy(frames), torch.from_numpy(there)


def _made(kind: str, size: int) -> MeanPooling:
    head = HEADS[kind](size) if kind in HEADS else None
    if not isinstance(head, MeanPooling):
        raise AdapterMismatch(f"there is no head named {kind!r} that an index could hold the vectors of")
    return head
