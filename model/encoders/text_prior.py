"""An encoder with a prior: a small map that moves the vectors of texts to where those of pictures are.

Texts and pictures lie apart in a CLIP space (Liang et al. 2022, "Mind the Gap", arXiv:2203.02053). DALL·E 2 has a model
from one to the other, its prior (Ramesh et al. 2022, arXiv:2204.06125); here it is a linear map of low rank. Stored
vectors of pictures stay as they are.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from model.encoders.clip_head_encoder import name_with_file
from model.encoders.clip_heads import MeanPooling
from model.encoders.encoder_wrapper import EncoderWrapper
from model.errors import AdapterMismatchError
from model.ports import Encoder, TextVectors

PRIOR_FILE = "prior.safetensors"
"""In an adapter's folder."""


class TextPrior(MeanPooling):
    """Adds a shift and a map of low rank to unit vectors of texts. It has no effect until it is trained."""

    def __init__(self, size: int, rank: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(size))
        self.down = nn.Parameter(torch.randn(size, rank) / size**0.5)
        self.up = nn.Parameter(torch.zeros(rank, size))

    def encode_texts(self, texts: torch.Tensor) -> torch.Tensor:
        """Return unit vectors (n, size) for the vectors (n, size) of texts."""
        return functional.normalize(texts + texts @ self.down @ self.up + self.shift, dim=1)

    def forward(self, texts: torch.Tensor, frames: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return super().forward(self.encode_texts(texts), frames, mask)


class PriorEncoder(EncoderWrapper):
    """An encoder whose texts pass a prior."""

    def __init__(self, encoder: Encoder, prior: TextPrior, generation: str) -> None:
        super().__init__(encoder, generation)
        self._prior = prior.eval()

    def encode_texts(self, texts: Sequence[str]) -> list[TextVectors]:
        encoded = self._encoder.encode_texts(texts)
        if not encoded:
            return []
        with torch.inference_mode():
            moved = self._prior.encode_texts(torch.from_numpy(np.stack([each.frame for each in encoded]))).numpy()
        return [replace(each, frame=frame) for each, frame in zip(encoded, moved, strict=True)]


def attach_prior(encoder: Encoder, adapter: Path | None) -> Encoder:
    """Return the encoder with the prior in an adapter's folder, or `encoder` itself if there is none.

    Raises `AdapterMismatchError`.
    """
    file = adapter / PRIOR_FILE if adapter else None
    if file is None or not file.exists():
        return encoder
    try:
        weights = load_file(file)
        prior = TextPrior(encoder.frame_size, weights["down"].shape[1])
        prior.load_state_dict(weights)
    except (SafetensorError, KeyError, IndexError, RuntimeError) as error:
        raise AdapterMismatchError(
            "{file} is not a prior for vectors of {size} numbers", file=file, size=encoder.frame_size
        ) from error
    return PriorEncoder(encoder, prior, name_with_file(encoder.generation, file))
