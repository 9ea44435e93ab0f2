"""Training of a clip head (`model.encoders.clip_heads`) on frame vectors that are computed once."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from model.config import ClipHeadConfig, PriorConfig
from model.data.images import read_picture
from model.data.pairs import ClipFiles, Pair
from model.encoders.clip_head_encoder import HEAD_FILE, make_clip_head, pad_clips
from model.encoders.clip_heads import MAX_FRAMES
from model.errors import AdapterMismatchError, TrainingCancelledError
from model.outcome import TrainingStage, TrainingStep
from model.ports import Encoder, Vector, sample_evenly
from model.training.batches import number_wordings
from model.training.training_run import TrainingRun

_BATCH = 32
_LOGIT_SCALE = 20.0
_WEIGHT_DECAY = 0.05


@dataclass(frozen=True)
class ClipHeadExamples:
    """Texts and clips as vectors."""

    texts: torch.Tensor
    """(t, d)"""
    frames: torch.Tensor
    """(n, f, d)"""
    mask: torch.Tensor
    """(n, f): False for padding."""
    clip_of: torch.Tensor
    """(t,): the number of each text's clip."""
    wording_of: torch.Tensor
    """(t,): a number that equal texts share."""


def train_clip_head(run: TrainingRun, encoder: Encoder) -> None:
    """Train a head on the clips of the split `train` and save it in the adapter's folder.

    Pairs of single pictures are ignored; without clips nothing is written. Raises `AdapterMismatchError` if
    the encoder already has motion vectors, and `TrainingCancelledError`.
    """
    if encoder.motion_size is not None:
        raise AdapterMismatchError("this preset has a motion model: set the run's `head.kind` to `mean`")
    pairs = [pair for pair in run.pairs if pair.split == "train" and len(pair.pictures) > 1]
    if not pairs:
        return
    examples = encode_examples(run, encoder, pairs)
    config, seed = run.config.head, run.config.seed
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = make_clip_head(config.kind, encoder.frame_size)
        fit_clip_head(head, examples, config, seed)
    save_file(head.state_dict(), run.adapter / HEAD_FILE, {"kind": config.kind})


def fit_clip_head(
    head: nn.Module, examples: ClipHeadExamples, config: ClipHeadConfig | PriorConfig, seed: int = 0
) -> None:
    """Minimize symmetric InfoNCE over batches of distinct clips with one text of each.

    A head without weights is left as it is. If the loss is not a number, also after the last step, the head keeps its
    last weights whose loss was one.
    """
    weights = list(head.parameters())
    if not weights:
        return
    wordings, good_weights = _collect_wordings(examples), copy.deepcopy(head.state_dict())
    optimizer = torch.optim.AdamW(weights, lr=config.rate, weight_decay=_WEIGHT_DECAY)
    random = torch.Generator().manual_seed(seed)
    head.train()
    for step in range(config.steps + 1):
        order = torch.randperm(len(examples.texts), generator=random)
        clips, first = _find_first_texts(examples.clip_of[order])
        texts, clips = order[first][:_BATCH], clips[:_BATCH]
        logits = _LOGIT_SCALE * head(examples.texts[texts], examples.frames[clips], examples.mask[clips])
        logits = logits.masked_fill(_find_shared(examples, wordings, texts, clips), -torch.inf)
        target = torch.arange(len(clips))
        loss = functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
        if not loss.isfinite():
            head.load_state_dict(good_weights)
        if step == config.steps or not loss.isfinite():
            break
        good_weights = copy.deepcopy(head.state_dict())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
    head.eval()


def encode_examples(run: TrainingRun, encoder: Encoder, pairs: Sequence[Pair]) -> ClipHeadExamples:
    clips = list(dict.fromkeys(pair.pictures for pair in pairs))
    frames, mask = pad_clips(_encode_clips(run, encoder, clips))
    number = {clip: i for i, clip in enumerate(clips)}
    texts = np.stack([each.frame for each in encoder.encode_texts([pair.text for pair in pairs])])
    clip_of = torch.tensor([number[pair.pictures] for pair in pairs])
    wording_of = torch.from_numpy(number_wordings([pair.text for pair in pairs]))
    return ClipHeadExamples(torch.from_numpy(texts), frames, mask, clip_of, wording_of)


def _collect_wordings(examples: ClipHeadExamples) -> list[set[int]]:
    """Return the wordings of each clip's texts."""
    wordings: list[set[int]] = [set() for _ in range(len(examples.frames))]
    for clip, wording in zip(examples.clip_of.tolist(), examples.wording_of.tolist(), strict=True):
        wordings[clip].add(wording)
    return wordings


def _find_shared(
    examples: ClipHeadExamples, wordings: Sequence[set[int]], texts: torch.Tensor, clips: torch.Tensor
) -> torch.Tensor:
    """Return whether another clip (column) has the same text (row), so that the pair is neither right nor wrong."""
    columns = [wordings[clip] for clip in clips.tolist()]
    shared = torch.tensor([[each in column for column in columns] for each in examples.wording_of[texts].tolist()])
    return shared & ~torch.eye(len(clips), dtype=torch.bool)


def _encode_clips(run: TrainingRun, encoder: Encoder, clips: Sequence[ClipFiles]) -> list[Vector]:
    """Encode evenly spaced frames of each clip."""
    vectors: list[Vector] = []
    for clip in clips:
        if run.is_cancelled():
            raise TrainingCancelledError("cancelled while encoding the clips")
        run.on_progress(TrainingStep(TrainingStage.PICTURES, len(vectors), len(clips), None, None))
        files = sample_evenly(clip, min(len(clip), MAX_FRAMES))
        vectors.append(encoder.encode_frames([read_picture(file) for file in files]))
    return vectors


def _find_first_texts(clip_of: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the distinct clips in the order of their first text, and the position of that text."""
    first: dict[int, int] = {}
    for position, clip in enumerate(clip_of.tolist()):
        first.setdefault(clip, position)
    return torch.tensor(list(first)), torch.tensor(list(first.values()))
