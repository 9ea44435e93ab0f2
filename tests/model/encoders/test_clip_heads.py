"""CLIP4Clip's heads, and their training."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from model.config import ClipHeadConfig
from model.encoders.clip_heads import HEADS, MAX_FRAMES, MeanPooling, SequentialTransformer
from model.training.train_clip_head import ClipHeadExamples, fit_clip_head

SIZE = 16
SEQUENTIAL = ("lstm", "transformer")


@pytest.fixture(autouse=True)
def seed_torch() -> None:
    torch.manual_seed(0)


def random_units(*shape: int) -> torch.Tensor:
    return functional.normalize(torch.randn(*shape), dim=-1)


def full_mask(clips: int, frames: int) -> torch.Tensor:
    return torch.ones(clips, frames, dtype=torch.bool)


def make_moving_clips(clips: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Make clips from one corner to another, every second one reversed, so that all have the same mean.

    Returns the two corners, which serve as texts for the clips that end there, and the frames.
    """
    ends = random_units(2, SIZE)
    share = torch.linspace(0, 1, 4)[:, None]
    forward = (1 - share) * ends[0] + share * ends[1]
    return ends, torch.stack([forward if i % 2 else forward.flip(0) for i in range(clips)])


@pytest.mark.parametrize("name", HEADS)
def test_head_scores_every_text_and_clip(name: str) -> None:
    """One frame and the maximum number of frames are tested."""
    head = HEADS[name](SIZE).eval()
    for frames in (1, MAX_FRAMES):
        scores = head(random_units(5, SIZE), random_units(3, frames, SIZE), full_mask(3, frames))
        assert scores.shape == (5, 3)
        assert scores.isfinite().all()


def test_mean_pooling_weights_all_frames_equally() -> None:
    """The length of a frame's vector does not matter, and the result has length one."""
    frames = random_units(2, 3, SIZE)
    stretched = frames * torch.tensor([1.0, 5.0, 0.1])[None, :, None]
    expected = functional.normalize(frames.mean(1), dim=1)
    assert torch.allclose(MeanPooling().encode_clips(stretched, full_mask(2, 3)), expected, atol=1e-6)


@pytest.mark.parametrize("name", HEADS)
def test_head_ignores_padding(name: str) -> None:
    head, texts, frames = HEADS[name](SIZE).eval(), random_units(4, SIZE), random_units(2, 3, SIZE)
    if name in SEQUENTIAL:
        nn.init.normal_(head.get_parameter("out.weight"))
    unpadded = head(texts, frames, full_mask(2, 3))
    padded = torch.cat([frames, random_units(2, 2, SIZE)], 1)
    mask = torch.tensor([[True] * 3 + [False] * 2] * 2)
    assert torch.allclose(head(texts, padded, mask), unpadded, atol=1e-5)


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_untrained_sequential_head_equals_mean_pooling(name: str) -> None:
    frames, mask = random_units(3, 4, SIZE), full_mask(3, 4)
    head = HEADS[name](SIZE).eval()
    assert isinstance(head, MeanPooling)
    assert torch.allclose(head.encode_clips(frames, mask), MeanPooling().encode_clips(frames, mask), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "sees_order"), [("mean", False), ("lstm", True), ("transformer", True), ("tight", True)]
)
def test_trained_head_distinguishes_clip_from_its_reverse(name: str, sees_order: bool) -> None:
    """Trained on the direction of a clip, all heads but the mean recognize it."""
    texts, frames = make_moving_clips(2)
    head = HEADS[name](SIZE)
    examples = ClipHeadExamples(texts, frames, full_mask(2, 4), torch.tensor([0, 1]), torch.tensor([0, 1]))
    fit_clip_head(head, examples, ClipHeadConfig(steps=40, rate=1e-2))
    with torch.inference_mode():
        scores = head.eval()(texts, frames, full_mask(2, 4))
    is_recognized = (scores[0, 0] - scores[0, 1]).item() > 0.05 and (scores[1, 1] - scores[1, 0]).item() > 0.05
    assert is_recognized is sees_order


def test_training_of_head_is_deterministic_per_seed() -> None:
    """Batches are drawn from the seed alone, also if there are more clips than fit into a batch."""
    texts, frames = make_moving_clips(40)
    results = []
    for _ in range(2):
        torch.manual_seed(1)
        head = SequentialTransformer(SIZE)
        examples = ClipHeadExamples(
            texts[torch.arange(40) % 2], frames, full_mask(40, 4), torch.arange(40), torch.arange(40)
        )
        fit_clip_head(head, examples, ClipHeadConfig(steps=5, rate=1e-3), seed=3)
        results.append(head.eval().encode_clips(frames, full_mask(40, 4)))
    assert torch.equal(*results)


def test_head_learns_nothing_from_clips_of_one_text() -> None:
    """Clips that share their text are no negatives of each other, so nothing pushes them apart."""
    texts, frames = make_moving_clips(40)
    head = SequentialTransformer(SIZE)
    before = head.eval().encode_clips(frames, full_mask(40, 4))
    one_text = torch.zeros(40, dtype=torch.int64)
    examples = ClipHeadExamples(texts[one_text], frames, full_mask(40, 4), torch.arange(40), one_text)
    fit_clip_head(head, examples, ClipHeadConfig(steps=1, rate=1e-3))
    assert torch.allclose(head.eval().encode_clips(frames, full_mask(40, 4)), before, atol=1e-3)


def test_head_that_diverges_keeps_finite_weights() -> None:
    texts, frames = make_moving_clips(2)
    head = SequentialTransformer(SIZE)
    numbers = torch.tensor([0, 1])
    fit_clip_head(
        head, ClipHeadExamples(texts, frames, full_mask(2, 4), numbers, numbers), ClipHeadConfig(steps=20, rate=1e30)
    )
    assert head.encode_clips(frames, full_mask(2, 4)).isfinite().all()
