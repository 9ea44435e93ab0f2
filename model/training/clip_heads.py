"""CLIP4Clip's similarity heads: from the frames' vectors to how near a clip is to a text.

Luo et al. 2021, "CLIP4Clip: An Empirical Study of CLIP for End to End Video Clip Retrieval", arXiv:2104.08860. The
towers stay as they are: heads learn on vectors that were made once. As in the paper the sequential heads add what they
find to the frames themselves, so each begins as mean pooling. What they give is a vector of the clip, which an index
can hold; the tight head reads text and frames together, so a search with it asks the model once for every clip.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import nn
from torch.nn import functional

MOST_FRAMES = 12
"""As in the paper."""
_HEADS = 8


class MeanPooling(nn.Module):
    """The mean of the frames' unit vectors: nothing is learnt, and the order does not count."""

    def clips(self, frames: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """Unit vectors (n, d) of `frames` (n, f, d), of which those count that are `there` (n, f)."""
        units = functional.normalize(frames, dim=2) * there[:, :, None]
        return functional.normalize(units.sum(1), dim=1)

    def forward(self, texts: torch.Tensor, frames: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """Cosines (t, n) of unit vectors `texts` (t, d) with each clip."""
        return texts @ self.clips(frames, there).T


class SequentialLstm(MeanPooling):
    """An LSTM over the frames, added to them."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(size, size, batch_first=True)
        self.out = _zero(nn.Linear(size, size))

    def clips(self, frames: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        units = functional.normalize(frames, dim=2)
        return super().clips(units + self.out(self.lstm(units)[0]), there)


class SequentialTransformer(MeanPooling):
    """A transformer over the frames and their places, added to them."""

    def __init__(self, size: int, layers: int = 1) -> None:
        super().__init__()
        self.places = nn.Parameter(0.02 * torch.randn(MOST_FRAMES, size))
        self.encoder = _transformer(size, layers)
        self.out = _zero(nn.Linear(size, size))

    def clips(self, frames: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        units = functional.normalize(frames, dim=2)
        placed = units + self.places[: units.shape[1]]
        return super().clips(units + self.out(self.encoder(placed, src_key_padding_mask=~there)), there)


class TightTransformer(nn.Module):
    """A transformer over the text and the frames together; the text's place gives the score."""

    def __init__(self, size: int, layers: int = 1) -> None:
        super().__init__()
        self.places = nn.Parameter(0.02 * torch.randn(MOST_FRAMES + 1, size))
        self.kinds = nn.Parameter(0.02 * torch.randn(2, size))
        self.encoder = _transformer(size, layers)
        self.out = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.Linear(size, 1))

    def forward(self, texts: torch.Tensor, frames: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """Scores (t, n)."""
        units = functional.normalize(frames, dim=2)
        return torch.stack([self._scores(text, units, there) for text in texts])

    def _scores(self, text: torch.Tensor, units: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        beside = torch.cat([(text + self.kinds[0]).expand(len(units), 1, -1), units + self.kinds[1]], 1)
        seen = torch.cat([torch.ones_like(there[:, :1]), there], 1)
        read = self.encoder(beside + self.places[: beside.shape[1]], src_key_padding_mask=~seen)
        scores: torch.Tensor = self.out(read[:, 0]).squeeze(1)
        return scores


HEADS: Mapping[str, Callable[[int], nn.Module]] = MappingProxyType(
    {
        "mean": lambda size: MeanPooling(),
        "lstm": SequentialLstm,
        "transformer": SequentialTransformer,
        "tight": TightTransformer,
    }
)


def fit(
    head: nn.Module,
    texts: torch.Tensor,
    frames: torch.Tensor,
    there: torch.Tensor,
    own: torch.Tensor,
    *,
    steps: int,
    batch: int = 32,
    rate: float = 1e-3,
    scale: float = 20.0,
    seed: int = 0,
) -> None:
    """Symmetric InfoNCE over batches of different clips with one text of each. `own` (t,) names each text's clip."""
    weights = list(head.parameters())
    if not weights:
        return
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.05)
    random = torch.Generator().manual_seed(seed)
    head.train()
    for _ in range(steps):
        order = torch.randperm(len(texts), generator=random)
        some, first = _first_of_each(own[order])
        chosen = order[first][:batch]
        clips = some[:batch]
        logits = scale * head(texts[chosen], frames[clips], there[clips])
        right = torch.arange(len(clips))
        loss = functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
    head.eval()


def _first_of_each(own: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The different clips in the order in which they come, and where each comes first."""
    seen = dict[int, int]()
    for place, clip in enumerate(own.tolist()):
        seen.setdefault(clip, place)
    return torch.tensor(list(seen)), torch.tensor(list(seen.values()))


def _transformer(size: int, layers: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        size, _HEADS, dim_feedforward=2 * size, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)


def _zero(linear: nn.Linear) -> nn.Linear:
    """Gives nothing until it has learnt."""
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear
