"""From the sentence encoder's vectors to the picture space."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from model.encoders import Vector


class TextMap:
    """A linear map between two centres: that of the sentences and that of the pictures."""

    def __init__(self, weights: dict[str, Vector]) -> None:
        self._map, self._text_centre, self.picture_centre = weights["map"], weights["text_centre"], weights["centre"]

    @classmethod
    def read(cls, path: Path) -> "TextMap":
        return cls({name: data.astype(np.float32) for name, data in load_file(path).items()})

    def __call__(self, sentences: Vector) -> Vector:
        """Unit vectors (n, 512) of sentence vectors (n, 512)."""
        return unit((sentences - self._text_centre) @ self._map)


def unit(vectors: Vector) -> Vector:
    """Each row at length 1; a row of zeros stays."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    shorter: Vector = vectors / np.maximum(length, np.float32(1e-12))
    return shorter
