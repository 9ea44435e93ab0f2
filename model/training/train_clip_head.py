"""Training of a clip head (`model.encoders.clip_heads`) on frame vectors that are computed once."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from model.config import ClipHeadConfig
from model.data.images import read_picture
from model.data.pairs import Pair
from model.encoders.clip_head_encoder import HEAD_FILE, make_clip_head, pad_clips
from model.encoders.clip_heads import MAX_FRAMES
from model.errors import AdapterMismatchError, TrainingCancelledError
from model.ports import Encoder, Vector, sample_evenly

_BATCH = 32
_LOGIT_SCALE = 20.0
_WEIGHT_DECAY = 0.05


def train_clip_head(
    config: ClipHeadConfig,
    pairs: Sequence[Pair],
    encoder: Encoder,
    adapter: Path,
    *,
    seed: int,
    on_progress: Callable[[int, int], None],
    is_cancelled: Callable[[], bool],
) -> None:
    """Train a head on the clips of the split `train` and save it in the adapter's folder.

    Pairs of single pictures are ignored; without clips nothing is written. `on_progress` gets the number of
    encoded clips and of all clips. Raises `AdapterMismatchError` if the encoder already has motion vectors,
    and `TrainingCancelledError`.
    """
    if encoder.motion_size is not None:
        raise AdapterMismatchError("this preset has a motion model: set the run's `head.kind` to `mean`")
    selected = [pair for pair in pairs if pair.split == "train" and len(pair.pictures) > 1]
    clips = list(dict.fromkeys(pair.pictures for pair in selected))
    if not clips:
        return
    vectors: list[Vector] = []
    for clip in clips:
        if is_cancelled():
            raise TrainingCancelledError("cancelled while encoding the clips")
        on_progress(len(vectors), len(clips))
        files = sample_evenly(clip, min(len(clip), MAX_FRAMES))
        vectors.append(encoder.frames([read_picture(file) for file in files]))
    number = {clip: i for i, clip in enumerate(clips)}
    texts = torch.from_numpy(np.stack([each.frame for each in encoder.texts([pair.text for pair in selected])]))
    clip_of = torch.tensor([number[pair.pictures] for pair in selected])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = make_clip_head(config.kind, encoder.frame_size)
        fit_clip_head(head, texts, *pad_clips(vectors), clip_of, config, seed)
    save_file(head.state_dict(), adapter / HEAD_FILE, {"kind": config.kind})


def fit_clip_head(
    head: nn.Module,
    texts: torch.Tensor,
    frames: torch.Tensor,
    mask: torch.Tensor,
    clip_of: torch.Tensor,
    config: ClipHeadConfig,
    seed: int = 0,
) -> None:
    """Minimize symmetric InfoNCE over batches of distinct clips with one text of each.

    `clip_of` (t,) holds the number of each text's clip. A head without weights is left as it is.
    """
    weights = list(head.parameters())
    if not weights:
        return
    optimizer = torch.optim.AdamW(weights, lr=config.rate, weight_decay=_WEIGHT_DECAY)
    random = torch.Generator().manual_seed(seed)
    head.train()
    for _ in range(config.steps):
        order = torch.randperm(len(texts), generator=random)
        clips, first = _find_first_texts(clip_of[order])
        chosen, clips = order[first][:_BATCH], clips[:_BATCH]
        logits = _LOGIT_SCALE * head(texts[chosen], frames[clips], mask[clips])
        target = torch.arange(len(clips))
        loss = functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
    head.eval()


def _find_first_texts(clip_of: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the distinct clips in the order of their first text, and the position of that text."""
    first: dict[int, int] = {}
    for position, clip in enumerate(clip_of.tolist()):
        first.setdefault(clip, position)
    return torch.tensor(list(first)), torch.tensor(list(first.values()))
