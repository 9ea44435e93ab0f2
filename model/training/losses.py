"""What a batch is taught by. Every loss reads the same: how near each text is to each frame of each clip.

`logits` are (texts, columns, frames): cosines times the temperature's inverse. A column is a picture or clip; `own`
(texts,) names each text's own one. Several texts may share a column, and columns that no text owns are hard negatives.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import torch
from torch import nn
from torch.nn import functional

Loss: TypeAlias = Callable[[torch.Tensor, torch.Tensor, torch.Generator], torch.Tensor]

NEGATIVES = 32
"""Sampled for each text by `sampled_nce`."""

_GREATEST = 100.0


class Temperature(nn.Module):
    """Cosines into logits by a scale that is learnt, as CLIP learns it, and is clipped at 100 (Radford et al. 2021,
    arXiv:2103.00020), and a shift that only `sampled_nce` feels.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(min(scale, _GREATEST)).log())
        self.shift = nn.Parameter(torch.tensor(-scale / 2))

    def forward(self, cosines: torch.Tensor) -> torch.Tensor:
        return self.log_scale.exp().clamp(max=_GREATEST) * cosines + self.shift


def info_nce(logits: torch.Tensor, own: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Symmetric InfoNCE (van den Oord et al. 2018, arXiv:1807.03748; both ways as in Radford et al. 2021).

    A text against all columns, hard negatives among them, and a column against all texts, where each of its own is
    right. A clip counts by the mean of its frames.
    """
    pooled = logits.mean(2)
    owned, owner = torch.unique(own, return_inverse=True)
    backward = pooled[:, owned].T
    right = owner == torch.arange(len(owned), device=own.device)[:, None]
    back = backward.logsumexp(1) - backward.masked_fill(~right, -torch.inf).logsumexp(1)
    return (functional.cross_entropy(pooled, own) + back.mean()) / 2


def sampled_nce(logits: torch.Tensor, own: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Noise-contrastive estimation: own column or one drawn from k others (Gutmann & Hyvärinen 2010, "Noise-contrastive
    estimation"; with k noise samples for each word as in Mnih & Teh 2012, arXiv:1206.6426).

    The noise is even over the columns, so a draw has probability 1 / columns. The scores are taken as log probabilities
    that the shift normalises, as both papers do.
    """
    pooled = logits.mean(2)
    columns = pooled.shape[1]
    if columns < 2:
        raise ValueError("a text needs another picture to be told from")
    count = min(NEGATIVES, columns - 1)
    # a draw among the others: skip the own column
    drawn = torch.randint(columns - 1, (len(own), count), generator=random).to(own.device)
    drawn = drawn + (drawn >= own[:, None])
    odds = pooled - torch.tensor(count / columns).log()
    positive = functional.logsigmoid(odds.gather(1, own[:, None]))[:, 0]
    negative = functional.logsigmoid(-odds.gather(1, drawn)).sum(1)
    return -(positive + negative).mean()


def mil_nce(logits: torch.Tensor, own: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """MIL-NCE (Miech et al. 2020, arXiv:1912.06430), for speech that is near what it speaks of, not on it.

    Any frame of a text's own clip may be the right one: their sum stands against all frames of other clips for this
    text, and this clip's frames for other clips' texts.
    """
    mine = logits[torch.arange(len(own), device=own.device), own].logsumexp(1)
    foreign = own[:, None] != own
    others = logits[:, own].logsumexp(2).T.masked_fill(~foreign, -torch.inf).logsumexp(1)
    everything = torch.stack([logits.flatten(1).logsumexp(1), others], 1).logsumexp(1)
    return (everything - mine).mean()


LOSSES: Mapping[str, Loss] = MappingProxyType({"info_nce": info_nce, "sampled_nce": sampled_nce, "mil_nce": mil_nce})
