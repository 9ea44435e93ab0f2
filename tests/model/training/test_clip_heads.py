"""CLIP4Clip's heads: what each makes of frames, and that those which should see their order do."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from model.training.clip_heads import HEADS, MOST_FRAMES, MeanPooling, SequentialLstm, SequentialTransformer, fit

SIZE = 16
SEQUENTIAL = ("lstm", "transformer")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def random(*shape: int) -> torch.Tensor:
    return functional.normalize(torch.randn(*shape), dim=-1)


def moving(clips: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Clips from a corner to another, every second one the other way: the mean of their frames is the same.

    Texts name the corner where the clip ends.
    """
    ends = random(2, SIZE)
    share = torch.linspace(0, 1, 4)[:, None]
    forth = (1 - share) * ends[0] + share * ends[1]
    frames = torch.stack([forth if i % 2 else forth.flip(0) for i in range(clips)])
    return ends, frames, torch.ones(clips, 4, dtype=torch.bool)


@pytest.mark.parametrize("name", HEADS)
def test_each_head_gives_every_text_a_score_of_every_clip(name: str) -> None:
    """Texts by clips, also for one frame and for as many as there may be."""
    head = HEADS[name](SIZE).eval()
    for frames in (1, MOST_FRAMES):
        scores = head(random(5, SIZE), random(3, frames, SIZE), torch.ones(3, frames, dtype=torch.bool))
        assert scores.shape == (5, 3)
        assert scores.isfinite().all()


def test_mean_pooling_is_the_mean_of_unit_vectors() -> None:
    """However long a frame's vector is, it counts as much as the others; the result has length one."""
    frames = random(2, 3, SIZE)
    there = torch.ones(2, 3, dtype=torch.bool)
    stretched = frames * torch.tensor([1.0, 5.0, 0.1])[None, :, None]
    expected = functional.normalize(frames.mean(1), dim=1)
    assert torch.allclose(MeanPooling().clips(stretched, there), expected, atol=1e-6)


@pytest.mark.parametrize("name", HEADS)
def test_frames_that_are_not_there_change_nothing(name: str) -> None:
    """What fills up the shorter clips of a batch is not looked at."""
    head, texts, frames = HEADS[name](SIZE).eval(), random(4, SIZE), random(2, 3, SIZE)
    if name in SEQUENTIAL:
        nn.init.normal_(head.out.weight)
    alone = head(texts, frames, torch.ones(2, 3, dtype=torch.bool))
    filled = torch.cat([frames, random(2, 2, SIZE)], 1)
    there = torch.tensor([[True] * 3 + [False] * 2] * 2)
    assert torch.allclose(head(texts, filled, there), alone, atol=1e-5)


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_a_sequential_head_begins_as_mean_pooling(name: str) -> None:
    """Before it has learnt anything it is no worse than the mean."""
    frames, there = random(3, 4, SIZE), torch.ones(3, 4, dtype=torch.bool)
    head: SequentialLstm | SequentialTransformer = HEADS[name](SIZE).eval()  # type: ignore[assignment]
    assert torch.allclose(head.clips(frames, there), MeanPooling().clips(frames, there), atol=1e-6)


@pytest.mark.parametrize(("name", "sees"), [("mean", False), ("lstm", True), ("transformer", True), ("tight", True)])
def test_heads_that_learn_tell_a_clip_from_its_reverse(name: str, sees: bool) -> None:
    """Trained on which way a clip goes, all but the mean know it."""
    texts, frames, there = moving(2)
    head = HEADS[name](SIZE)
    fit(head, texts, frames, there, torch.tensor([1, 0]).flip(0), steps=40, rate=1e-2)
    with torch.inference_mode():
        scores = head.eval()(texts, frames, there)
    told = (scores[0, 0] - scores[0, 1]).item() > 0.05 and (scores[1, 1] - scores[1, 0]).item() > 0.05
    assert told is sees


def test_the_same_seed_gives_the_same_head() -> None:
    """Training draws its batches from its seed alone."""
    texts, frames, there = moving(4)
    heads = []
    for _ in range(2):
        torch.manual_seed(1)
        head = SequentialTransformer(SIZE)
        fit(head, texts[[0, 1, 0, 1]], frames, there, torch.arange(4), steps=5, batch=2, seed=3)
        heads.append(head.eval().clips(frames, there))
    assert torch.equal(*heads)
