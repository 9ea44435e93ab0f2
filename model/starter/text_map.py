"""The trained bridge between the sentence encoder's features and the picture space."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from model.errors import AdapterMismatch
from model.starter.sentence_encoder import FEATURES

SIZE = 512


class TextMap(nn.Module):
    """Texts and pictures into one space, each around its own centre.

    Texts and pictures lie apart in CLIP's space (Liang et al. 2022, "Mind the Gap", arXiv:2203.02053); taking each
    side's own centre off closes the gap. Then texts go through a linear map and a small correction, pictures through a
    linear map that starts as the identity and weighs up what captions speak of.
    """

    def __init__(self, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.text_centre = nn.Parameter(torch.zeros(FEATURES), requires_grad=False)
        self.text_scale = nn.Parameter(torch.ones(FEATURES), requires_grad=False)
        self.linear = nn.Linear(FEATURES, SIZE, bias=False)
        self.inner = nn.Linear(FEATURES, hidden)
        self.outer = nn.Linear(hidden, SIZE)
        self.picture_centre = nn.Parameter(torch.zeros(SIZE))
        self.weighing = nn.Parameter(torch.zeros(SIZE, SIZE))
        self._dropout = nn.Dropout(dropout)

    def texts(self, features: torch.Tensor) -> torch.Tensor:
        """Unit vectors (n, 512) of features (n, FEATURES)."""
        x = self._dropout((features - self.text_centre) / self.text_scale)
        correction = self.outer(self._dropout(functional.gelu(self.inner(x))))
        return functional.normalize(self.linear(x) + correction, dim=1)

    def pictures(self, vectors: torch.Tensor) -> torch.Tensor:
        """Unit vectors (n, 512) of the tower's unit vectors (n, 512)."""
        x = vectors - self.picture_centre
        return functional.normalize(x + x @ self.weighing, dim=1)

    @classmethod
    def read(cls, path: Path, dropout: float = 0.0) -> "TextMap":
        """Raises `AdapterMismatch` where the file holds no map of this form."""
        try:
            weights = load_file(path)
            text_map = cls(len(weights["inner.bias"]), dropout)
            text_map.load_state_dict(weights)
        except (OSError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise AdapterMismatch(f"{path} holds no map of texts for the preset `starter`: {error}") from error
        return text_map.eval()

    def save(self, path: Path) -> None:
        """In half precision, which is enough for every figure."""
        new = path.with_suffix(".new")
        save_file({name: tensor.half().contiguous() for name, tensor in self.state_dict().items()}, new)
        new.chmod(0o644)
        new.replace(path)
