"""Tiny models and pictures that the training tests share."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from model.data.pairs import Pair
from tests.support.model import tiny_models
from tests.support.model.training_watcher import COUNT


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the tiny models, and pictures `NUMBER-FRAME.png`."""
    root = tmp_path_factory.mktemp("training")
    for name, save in tiny_models.FAMILIES.items():
        save(root / name)
    for i in range(COUNT + 2):
        for frame in range(3):
            Image.fromarray(tiny_models.picture(100 * frame + i)).save(root / f"{i}-{frame}.png")
    return root


@pytest.fixture(scope="session")
def pairs(root: Path) -> list[Pair]:
    """Return 16 training pairs, and the same for validation: the tests check that they are memorized."""
    training = [
        Pair(f"secret thing {i}", (root / f"{i}-0.png",), f"source {i}", fixed_split="train") for i in range(COUNT)
    ]
    return [*training, *(replace(pair, fixed_split="validation") for pair in training)]
