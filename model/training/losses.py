"""Contrastive losses.

All have the same signature and take the similarity of each text to each frame of each clip.

`logits` are (texts, columns, frames): cosines divided by the temperature. A column is a picture or clip.
`own` (texts,) is the column of each text's own clip. Several texts may share a column. Columns without a text
are hard negatives. `shared` (texts, columns) marks clips that have an equal text, for example the moments of a
video that share its title: they are neither right nor wrong, and are left out.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import torch
from torch import nn
from torch.nn import functional

Loss: TypeAlias = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Generator], torch.Tensor]

NEGATIVES = 32
"""Negatives that `sampled_nce` draws for each text."""

_MAX_SCALE = 100.0


class Temperature(nn.Module):
    """Scales cosines to logits.

    The scale is learned and clipped at 100, as in CLIP (Radford et al. 2021, arXiv:2103.00020). A learned shift is
    added, which affects only `sampled_nce`.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(min(scale, _MAX_SCALE)).log())
        self.shift = nn.Parameter(torch.tensor(-scale / 2))

    def forward(self, cosines: torch.Tensor) -> torch.Tensor:
        return self.log_scale.exp().clamp(max=_MAX_SCALE) * cosines + self.shift


def info_nce(logits: torch.Tensor, own: torch.Tensor, shared: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Compute symmetric InfoNCE.

    See van den Oord et al. 2018, arXiv:1807.03748; symmetric as in Radford et al. 2021, arXiv:2103.00020. Each
    text is classified among all columns, hard negatives included, and each column among all texts, of which
    all of its own are right. A clip is represented by the mean of its frames.
    """
    pooled = logits.mean(2).masked_fill(shared, -torch.inf)
    return (functional.cross_entropy(pooled, own) + image_to_text_nce(pooled, own)) / 2


def image_to_text_nce(logits: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Compute InfoNCE of each column with texts among all texts.

    `logits` are (texts, columns), -inf where a text is left out; all own texts are right.
    """
    columns, column_of = torch.unique(own, return_inverse=True)
    backward = logits[:, columns].T
    is_right = column_of == torch.arange(len(columns), device=own.device)[:, None]
    return (backward.logsumexp(1) - backward.masked_fill(~is_right, -torch.inf).logsumexp(1)).mean()


def sampled_nce(logits: torch.Tensor, own: torch.Tensor, shared: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Compute noise-contrastive estimation: tell the own column from k sampled ones.

    See Gutmann & Hyvärinen 2010, "Noise-contrastive estimation"; with k noise samples per word as in Mnih & Teh
    2012, arXiv:1206.6426. The noise is uniform over the columns, so a sample has probability 1 / columns. The
    scores are taken as log probabilities that the shift normalizes, as in both papers.
    """
    pooled = logits.mean(2)
    columns = pooled.shape[1]
    if columns < 2:
        raise ValueError("a text needs at least one other picture as a negative")
    count = min(NEGATIVES, columns - 1)
    # Sample among the other columns: skip the own one.
    drawn = torch.randint(columns - 1, (len(own), count), generator=random).to(own.device)
    drawn = drawn + (drawn >= own[:, None])
    odds = pooled - torch.tensor(count / columns).log()
    positive = functional.logsigmoid(odds.gather(1, own[:, None]))[:, 0]
    negative = functional.logsigmoid(-odds.gather(1, drawn)).masked_fill(shared.gather(1, drawn), 0.0).sum(1)
    return -(positive + negative).mean()


def mil_nce(logits: torch.Tensor, own: torch.Tensor, shared: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Compute MIL-NCE, for speech that is close in time to what it describes.

    See Miech et al. 2020, arXiv:1912.06430. Any frame of a text's own clip may be the right one. Their sum is
    contrasted with all frames of other clips for this text, and with this clip's frames for the texts of
    other clips.
    """
    positive = logits[torch.arange(len(own), device=own.device), own].logsumexp(1)
    logits = logits.masked_fill(shared[:, :, None], -torch.inf)
    is_other_clip = own[:, None] != own
    other_texts = logits[:, own].logsumexp(2).T.masked_fill(~is_other_clip, -torch.inf).logsumexp(1)
    total = torch.stack([logits.flatten(1).logsumexp(1), other_texts], 1).logsumexp(1)
    return (total - positive).mean()


LOSSES: Mapping[str, Loss] = MappingProxyType({"info_nce": info_nce, "sampled_nce": sampled_nce, "mil_nce": mil_nce})
