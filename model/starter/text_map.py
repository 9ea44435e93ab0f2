"""The text map: projects the sentence encoder's features into the picture space."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from model.atomic_write import write_atomically
from model.errors import AdapterMismatchError
from model.starter.sentence_encoder import FEATURES

SIZE = 512


class TextMap(nn.Module):
    """Maps texts and pictures into one space, each around its own centre.

    Texts and pictures occupy separate regions of CLIP's space (Liang et al. 2022, "Mind the Gap",
    arXiv:2203.02053). Subtracting the centre of each side closes the gap. Texts then pass a linear map plus a
    small correction. Pictures pass a linear map that is initialized as the identity and learns which
    directions captions mention.
    """

    def __init__(self, hidden: int, dropout: float = 0.0, features: int = FEATURES) -> None:
        super().__init__()
        self.text_centre = nn.Parameter(torch.zeros(features), requires_grad=False)
        self.text_scale = nn.Parameter(torch.ones(features), requires_grad=False)
        self.linear = nn.Linear(features, SIZE, bias=False)
        self.inner = nn.Linear(features, hidden)
        self.outer = nn.Linear(hidden, SIZE)
        self.picture_centre = nn.Parameter(torch.zeros(SIZE))
        self.weighing = nn.Parameter(torch.zeros(SIZE, SIZE))
        self._dropout = nn.Dropout(dropout)

    @property
    def features(self) -> int:
        """Return the number of features that a text has."""
        return len(self.text_centre)

    def encode_texts(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (n, `self.features`) to unit vectors (n, 512)."""
        x = self._dropout((features - self.text_centre) / self.text_scale)
        correction = self.outer(self._dropout(functional.gelu(self.inner(x))))
        return functional.normalize(self.linear(x) + correction, dim=1)

    def encode_pictures(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map the tower's unit vectors (n, 512) to unit vectors (n, 512)."""
        x = vectors - self.picture_centre
        return functional.normalize(x + x @ self.weighing, dim=1)

    @classmethod
    def read(cls, path: Path, dropout: float = 0.0) -> "TextMap":
        """Read a map. Raises `AdapterMismatchError` if the file does not contain one."""
        try:
            weights = load_file(path)
            text_map = cls(len(weights["inner.bias"]), dropout, len(weights["text_centre"]))
            text_map.load_state_dict(weights)
        except (OSError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise AdapterMismatchError("{file} contains no text map for the preset `starter`", file=path) from error
        return text_map.eval()

    def save(self, path: Path) -> None:
        """Write the map in half precision, which does not change any evaluation figure."""
        with write_atomically(path) as partial:
            save_file({name: tensor.half().contiguous() for name, tensor in self.state_dict().items()}, partial)
            partial.chmod(0o644)
