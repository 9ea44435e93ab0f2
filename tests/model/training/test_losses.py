"""Each loss is the formula of its paper, worked out here one number at a time."""

import math

import pytest
import torch

from model.training import losses
from model.training.losses import LOSSES, Temperature

TEXTS, COLUMNS, FRAMES = 5, 4, 3
OWN = torch.tensor([0, 2, 1, 0, 2])  # column 3 is a hard negative


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(TEXTS, COLUMNS, FRAMES, generator=torch.Generator().manual_seed(1)) * 3


def random() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def test_info_nce_is_cross_entropy_both_ways(logits: torch.Tensor) -> None:
    """A text against all columns, the hard negative too; a column against all texts, any of its own being right."""
    pooled = logits.mean(2).tolist()
    own = OWN.tolist()
    forward = [-math.log(math.exp(row[o]) / sum(map(math.exp, row))) for row, o in zip(pooled, own, strict=True)]
    backward = []
    for column in range(3):
        scores = [math.exp(row[column]) for row in pooled]
        mine = sum(score for score, o in zip(scores, own, strict=True) if o == column)
        backward.append(-math.log(mine / sum(scores)))
    expected = (sum(forward) / TEXTS + sum(backward) / 3) / 2
    assert losses.info_nce(logits, OWN, random()).item() == pytest.approx(expected, rel=1e-5)


def test_sampled_nce_is_a_row_of_yes_and_no(logits: torch.Tensor) -> None:
    """With as many negatives as there are other columns: each text says yes to its own, no to those drawn."""
    pooled = logits.mean(2)
    drawn = torch.randint(COLUMNS - 1, (TEXTS, COLUMNS - 1), generator=random()).tolist()
    total = 0.0
    for i, own in enumerate(OWN.tolist()):
        others = [column for column in range(COLUMNS) if column != own]
        noise = math.log((COLUMNS - 1) / COLUMNS)
        yes = 1 / (1 + math.exp(-(pooled[i, own].item() - noise)))
        no = [1 / (1 + math.exp(pooled[i, others[k]].item() - noise)) for k in drawn[i]]
        total -= math.log(yes) + sum(map(math.log, no))
    assert losses.sampled_nce(logits, OWN, random()).item() == pytest.approx(total / TEXTS, rel=1e-5)


def test_mil_nce_takes_any_frame_of_the_clip(logits: torch.Tensor) -> None:
    """All frames of a text's own clip together against those of other clips, and against other clips' texts."""
    own, total = OWN.tolist(), 0.0
    for i in range(TEXTS):
        mine = sum(math.exp(s) for s in logits[i, own[i]].tolist())
        others = sum(math.exp(s) for c in range(COLUMNS) if c != own[i] for s in logits[i, c].tolist())
        texts = sum(math.exp(s) for j in range(TEXTS) if own[j] != own[i] for s in logits[j, own[i]].tolist())
        total -= math.log(mine / (mine + others + texts))
    assert losses.mil_nce(logits, OWN, random()).item() == pytest.approx(total / TEXTS, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_right_costs_less(name: str) -> None:
    """Under every loss, a text near its own column costs less than one near the hard negative."""
    own = torch.tensor([0, 1])
    right, wrong = torch.zeros(2, 3, 1), torch.zeros(2, 3, 1)
    right[torch.arange(2), own] = 5
    wrong[:, 2] = 5
    assert LOSSES[name](right, own, random()) < LOSSES[name](wrong, own, random())


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite(name: str, logits: torch.Tensor) -> None:
    """Also where a text's negatives are all masked out."""
    logits.requires_grad_()
    LOSSES[name](logits, OWN, random()).backward()
    assert torch.isfinite(logits.grad).all()
    alone = torch.ones(2, 2, 1, requires_grad=True)
    LOSSES[name](alone, torch.zeros(2, dtype=torch.int64), random()).backward()
    assert torch.isfinite(alone.grad).all()


def test_the_temperature_is_learnt_and_clipped() -> None:
    """It has a gradient, begins where it is told to, and never passes 100."""
    temperature = Temperature(20)
    assert (temperature(torch.tensor(1.0)) - temperature(torch.tensor(0.0))).item() == pytest.approx(20)
    temperature(torch.ones(1)).sum().backward()
    assert temperature.log_scale.grad is not None
    temperature.log_scale.data.fill_(9.0)
    assert (temperature(torch.tensor(1.0)) - temperature(torch.tensor(0.0))).item() == pytest.approx(100)
