"""Each loss equals the formula of its paper, computed one number at a time."""

import math

import pytest
import torch

from model.training import losses
from model.training.losses import LOSSES, Temperature

TEXTS, COLUMNS, FRAMES = 5, 4, 3
OWN = torch.tensor([0, 2, 1, 0, 2])  # column 3 is a hard negative

NONE = torch.zeros(TEXTS, COLUMNS, dtype=torch.bool)


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(TEXTS, COLUMNS, FRAMES, generator=torch.Generator().manual_seed(1)) * 3


def make_random() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def test_info_nce_is_cross_entropy_in_both_directions(logits: torch.Tensor) -> None:
    """Each text is compared with all columns, the hard negative included; each column with all texts."""
    pooled = logits.mean(2).tolist()
    own = OWN.tolist()
    forward = [-math.log(math.exp(row[o]) / sum(map(math.exp, row))) for row, o in zip(pooled, own, strict=True)]
    backward = []
    for column in range(3):
        scores = [math.exp(row[column]) for row in pooled]
        positive = sum(score for score, o in zip(scores, own, strict=True) if o == column)
        backward.append(-math.log(positive / sum(scores)))
    expected = (sum(forward) / TEXTS + sum(backward) / 3) / 2
    assert losses.info_nce(logits, OWN, NONE, make_random()).item() == pytest.approx(expected, rel=1e-5)


def test_sampled_nce_is_binary_classification_of_sampled_columns(logits: torch.Tensor) -> None:
    """The test uses as many negatives as there are other columns."""
    pooled = logits.mean(2)
    drawn = torch.randint(COLUMNS - 1, (TEXTS, COLUMNS - 1), generator=make_random()).tolist()
    total = 0.0
    for i, own in enumerate(OWN.tolist()):
        others = [column for column in range(COLUMNS) if column != own]
        noise = math.log((COLUMNS - 1) / COLUMNS)
        yes = 1 / (1 + math.exp(-(pooled[i, own].item() - noise)))
        no = [1 / (1 + math.exp(pooled[i, others[k]].item() - noise)) for k in drawn[i]]
        total -= math.log(yes) + sum(map(math.log, no))
    assert losses.sampled_nce(logits, OWN, NONE, make_random()).item() == pytest.approx(total / TEXTS, rel=1e-5)


def test_mil_nce_sums_over_frames_of_own_clip(logits: torch.Tensor) -> None:
    """A text's own frames are contrasted with frames of other clips, and with texts of other clips."""
    own, total = OWN.tolist(), 0.0
    for i in range(TEXTS):
        positive = sum(math.exp(s) for s in logits[i, own[i]].tolist())
        others = sum(math.exp(s) for c in range(COLUMNS) if c != own[i] for s in logits[i, c].tolist())
        texts = sum(math.exp(s) for j in range(TEXTS) if own[j] != own[i] for s in logits[j, own[i]].tolist())
        total -= math.log(positive / (positive + others + texts))
    assert losses.mil_nce(logits, OWN, NONE, make_random()).item() == pytest.approx(total / TEXTS, rel=1e-5)


def test_mil_nce_of_bags_of_one_has_both_directions_of_info_nce_in_one_sum(logits: torch.Tensor) -> None:
    """Each text and its clip are contrasted with all other clips and all other texts at once."""
    single = logits[:COLUMNS, :, :1]
    own, scores = list(range(COLUMNS)), single[:, :, 0].exp()
    sums = [scores[i].sum() + scores[:, i].sum() - scores[i, i] for i in own]
    expected = -sum((scores[i, i] / sums[i]).log().item() for i in own) / COLUMNS
    found = losses.mil_nce(single, torch.tensor(own), NONE[:COLUMNS], make_random()).item()
    assert found == pytest.approx(expected, rel=1e-5)


def test_mil_nce_leaves_out_bags_that_share_a_moment(logits: torch.Tensor) -> None:
    """The loss is that without the column, and no gradient reaches its frames."""
    shared = NONE.clone()
    shared[:, 3] = True
    leaf = logits.clone().requires_grad_()
    found = losses.mil_nce(leaf, OWN, shared, make_random())
    found.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert found.item() == pytest.approx(losses.mil_nce(logits[:, :3], OWN, NONE[:, :3], make_random()).item())
    assert leaf.grad is not None
    assert not leaf.grad[:, 3].any()


def test_gradient_of_mil_nce_is_that_of_finite_differences(logits: torch.Tensor) -> None:
    exact = logits.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: losses.mil_nce(values, OWN, NONE, make_random()), (exact,))


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_lower_for_right_column(name: str) -> None:
    """The wrong column is a hard negative."""
    own = torch.tensor([0, 1])
    right, wrong = torch.zeros(2, 3, 1), torch.zeros(2, 3, 1)
    right[torch.arange(2), own] = 5
    wrong[:, 2] = 5
    assert LOSSES[name](right, own, torch.zeros(2, 3, dtype=torch.bool), make_random()) < LOSSES[name](
        wrong, own, torch.zeros(2, 3, dtype=torch.bool), make_random()
    )


def compute_gradient(name: str, logits: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(
        LOSSES[name](logits, own, torch.zeros(logits.shape[:2], dtype=torch.bool), make_random()), logits
    )[0]


@pytest.mark.parametrize("name", LOSSES)
def test_loss_gradients_are_finite(name: str, logits: torch.Tensor) -> None:
    """They are also finite if all negatives of a text are masked out."""
    logits.requires_grad_()
    assert compute_gradient(name, logits, OWN).isfinite().all()
    alone = torch.ones(2, 2, 1, requires_grad=True)
    assert compute_gradient(name, alone, torch.zeros(2, dtype=torch.int64)).isfinite().all()


def test_temperature_is_trainable_and_clipped() -> None:
    """It has a gradient, starts at the given scale, and never exceeds 100."""
    temperature = Temperature(20)
    assert (temperature(torch.tensor(1.0)) - temperature(torch.tensor(0.0))).item() == pytest.approx(20)
    temperature(torch.ones(1)).sum().backward()
    assert temperature.log_scale.grad is not None
    temperature.log_scale.data.fill_(9.0)
    assert (temperature(torch.tensor(1.0)) - temperature(torch.tensor(0.0))).item() == pytest.approx(100)


@pytest.mark.parametrize("name", LOSSES)
def test_equal_texts_are_no_negatives_of_each_other(name: str) -> None:
    """Of twelve clips, eight share their title. A perfect model then has as low a loss as with twelve titles."""
    titles = torch.tensor([0] * 8 + [1, 2, 3, 4])
    own, equal = torch.arange(12), titles[:, None] == titles
    shared = equal & ~torch.eye(12, dtype=torch.bool)
    perfect = torch.where(equal, 10.0, -10.0)[:, :, None]
    loss = LOSSES[name](perfect, own, shared, make_random())
    assert loss < 0.01
    assert LOSSES[name](perfect, own, torch.zeros_like(shared), make_random()) > 1
    changed = perfect.masked_fill(shared[:, :, None], 3.0).requires_grad_()
    changed_loss = LOSSES[name](changed, own, shared, make_random())
    assert changed_loss.item() == loss.item()
    assert torch.autograd.grad(changed_loss, changed)[0].isfinite().all()
