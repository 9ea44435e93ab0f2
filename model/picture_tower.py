"""The starter's picture tower, as it serves."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import CLIPVisionModelWithProjection

from model.encoders import Vector

BATCH = 16


class PictureTower:
    """Pixels (n, 3, height, width), float32, into unit vectors (n, 512)."""

    def __init__(self, model: CLIPVisionModelWithProjection, device: str) -> None:
        self._model = model.to(device, torch.bfloat16).eval()
        self._device = device

    @torch.inference_mode()
    def __call__(self, pixels: torch.Tensor) -> Vector:
        parts = [self._model(pixel_values=p.to(self._device, torch.bfloat16)).image_embeds for p in pixels.split(BATCH)]
        vectors: Vector = functional.normalize(torch.cat(parts).float(), dim=1).cpu().numpy()
        return np.ascontiguousarray(vectors)


def read(folder: Path) -> CLIPVisionModelWithProjection:
    """The tower of a folder in transformers' layout, in float32."""
    return CLIPVisionModelWithProjection.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
