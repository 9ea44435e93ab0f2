"""CLIP4Clip's similarity heads: they compare texts with clips, given the vectors of the clips' frames.

Luo et al. 2021, "CLIP4Clip: An Empirical Study of CLIP for End to End Video Clip Retrieval",
arXiv:2104.08860. The towers are frozen: heads are trained on vectors that are computed once. As in the paper,
the sequential heads add their output to the frame vectors, so each of them is initialized as mean pooling.
All but the tight head produce a vector of the clip, which an index can store. The tight head reads text and
frames together, so a search would have to run the model on every clip.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import nn
from torch.nn import functional

MAX_FRAMES = 12
"""Per clip, as in the paper."""
_ATTENTION_HEADS = 8
_LAYERS = 1


class MeanPooling(nn.Module):
    """The mean of the frames' unit vectors. It has no weights and ignores the order."""

    def encode_clips(self, frames: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return unit vectors (n, d) of `frames` (n, f, d). `mask` (n, f) is False for padding."""
        units = functional.normalize(frames, dim=2) * mask[:, :, None]
        return functional.normalize(units.sum(1), dim=1)

    def forward(self, texts: torch.Tensor, frames: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the cosines (t, n) of unit vectors `texts` (t, d) and the clips."""
        return texts @ self.encode_clips(frames, mask).T


class SequentialLstm(MeanPooling):
    """An LSTM over the frames with a residual connection."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(size, size, batch_first=True)
        self.out = _initialize_with_zeros(nn.Linear(size, size))

    def encode_clips(self, frames: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        units = functional.normalize(frames, dim=2)
        return super().encode_clips(units + self.out(self.lstm(units)[0]), mask)


class SequentialTransformer(MeanPooling):
    """A transformer over the frames and their positions with a residual connection."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.places = nn.Parameter(0.02 * torch.randn(MAX_FRAMES, size))
        self.encoder = _make_transformer(size)
        self.out = _initialize_with_zeros(nn.Linear(size, size))

    def encode_clips(self, frames: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        units = functional.normalize(frames, dim=2)
        placed = units + self.places[: units.shape[1]]
        return super().encode_clips(units + self.out(self.encoder(placed, src_key_padding_mask=~mask)), mask)


class TightTransformer(nn.Module):
    """A transformer over the text and the frames together. The output at the text's position gives the score."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.places = nn.Parameter(0.02 * torch.randn(MAX_FRAMES + 1, size))
        self.kinds = nn.Parameter(0.02 * torch.randn(2, size))
        self.encoder = _make_transformer(size)
        self.out = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.Linear(size, 1))

    def forward(self, texts: torch.Tensor, frames: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return scores (t, n)."""
        units = functional.normalize(frames, dim=2)
        return torch.stack([self._score_clips(text, units, mask) for text in texts])

    def _score_clips(self, text: torch.Tensor, units: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        sequence = torch.cat([(text + self.kinds[0]).expand(len(units), 1, -1), units + self.kinds[1]], 1)
        sequence_mask = torch.cat([torch.ones_like(mask[:, :1]), mask], 1)
        read = self.encoder(sequence + self.places[: sequence.shape[1]], src_key_padding_mask=~sequence_mask)
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


def _make_transformer(size: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        size,
        _ATTENTION_HEADS,
        dim_feedforward=2 * size,
        dropout=0.1,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
    return nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False)


def _initialize_with_zeros(linear: nn.Linear) -> nn.Linear:
    """Set the weights to zero, so that the layer has no effect until it is trained."""
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear
