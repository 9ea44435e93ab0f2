"""multilingual-e5-small, a second sentence encoder: it knows more words than the first, in 100 languages.

It runs on torch, in bfloat16 if the processor multiplies that, which halves memory and time. The features agree with
those of the package's own program to a cosine of 0.9998.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from torch import nn
from torch.nn import functional

from model.data.normalization import normalize_text
from model.starter.e5_file import E5File, read_e5_file
from model.starter.sentence_encoder import EncodeSentences

E5_FEATURES: Final = 2 * 384
"""The mean of the tokens' vectors, and their maximum."""

_PREFIX: Final = "query: "
"""The model was trained with it."""
_MAX_TOKENS: Final = 128
"""Longer texts are cut: the time grows with the square of the length."""
_PADDING: Final = 1
_MEAN_LENGTH: Final = 20.0
"""Length that the mean is brought to, so that it has the scale of the other features."""


class E5Encoder(nn.Module):
    """Encodes texts as features (n, E5_FEATURES), float32, on the CPU. Its weights are frozen."""

    def __init__(self, artifacts_dir: Path) -> None:
        """Read the weights. Raises `ArtifactsMissingError`."""
        super().__init__()
        file = read_e5_file(artifacts_dir)
        self._shape, self._tokenizer, self._words = file.shape, file.tokenizer, file.words
        self._embedding = {
            name.removeprefix("emb."): torch.from_numpy(array)
            for name, array in file.tensors.items()
            if name.startswith("emb.")
        }
        has_bfloat16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()  # torch has no public name for it
        dtype = torch.bfloat16 if has_bfloat16 else torch.float32
        self._layers = [_Layer(file, layer, dtype) for layer in range(file.shape.layers)]

    @torch.inference_mode()
    def forward(self, texts: Sequence[str]) -> torch.Tensor:
        ids = [self._tokenizer.encode(_PREFIX + normalize_text(text), _MAX_TOKENS) for text in texts]
        lengths = torch.tensor([len(each) for each in ids])
        longest = int(lengths.max())
        padded = torch.tensor([each + [_PADDING] * (longest - len(each)) for each in ids])
        mask = torch.arange(longest) < lengths[:, None]
        states = self._embed(padded)
        for layer in self._layers:
            states = layer(states, mask[:, None, None])
        mean = (states * mask[..., None]).sum(1) / lengths[:, None]
        maximum = states.masked_fill(~mask[..., None], -torch.inf).amax(1)
        return torch.cat([_MEAN_LENGTH * functional.normalize(mean, dim=1), maximum], 1)

    def _embed(self, ids: torch.Tensor) -> torch.Tensor:
        width, stored = self._shape.width, self._embedding
        words = torch.from_numpy(self._words.read(ids.numpy().ravel())).reshape(*ids.shape, width)
        states = words + stored["pos"].reshape(-1, width)[: ids.shape[1]] + stored["type"].ravel()[:width]
        return functional.layer_norm(states, (width,), stored["ln.w"], stored["ln.b"], self._shape.eps)


def join_e5(sentences: EncodeSentences, artifacts_dir: Path) -> EncodeSentences:
    """Return what encodes texts as the features of both sentence encoders. Raises `ArtifactsMissingError`."""
    e5 = E5Encoder(artifacts_dir)
    return lambda texts: torch.cat([sentences(texts), e5(texts)], 1)


class _Layer(nn.Module):
    """One layer of BERT. Only its matrix products are computed in `dtype`."""

    def __init__(self, file: E5File, number: int, dtype: torch.dtype) -> None:
        super().__init__()
        self._shape, self._dtype = file.shape, dtype
        tensors = {
            name.removeprefix(f"l{number}."): torch.from_numpy(array)
            for name, array in file.tensors.items()
            if name.startswith(f"l{number}.")
        }
        self._norms = {name: tensors[name] for name in ("aln.w", "aln.b", "oln.w", "oln.b")}
        tensors |= {f"qkv.{kind}": torch.cat([tensors[f"{part}.{kind}"] for part in "qkv"]) for kind in "wb"}
        self._linear = {
            name: (tensors[f"{name}.w"].to(dtype), tensors[f"{name}.b"].to(dtype)) for name in ("qkv", "ao", "fi", "fo")
        }

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        texts, tokens, width = states.shape
        heads = self._multiply("qkv", states).view(texts, tokens, 3, self._shape.heads, -1).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(heads[0], heads[1], heads[2], attn_mask=mask)
        attended = attended.transpose(1, 2).reshape(texts, tokens, width)
        states = self._normalize("aln", states + self._multiply("ao", attended))
        inner = functional.gelu(self._multiply("fi", states))
        return self._normalize("oln", states + self._multiply("fo", inner))

    def _multiply(self, name: str, states: torch.Tensor) -> torch.Tensor:
        weights, bias = self._linear[name]
        return functional.linear(states.to(self._dtype), weights, bias).float()

    def _normalize(self, name: str, states: torch.Tensor) -> torch.Tensor:
        gain, shift = self._norms[f"{name}.w"], self._norms[f"{name}.b"]
        return functional.layer_norm(states, (self._shape.width,), gain, shift, self._shape.eps)
