"""A prior is trained on texts and pictures that lie apart, stored in the adapter's folder, and served."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from model.config import PriorConfig, read_training_config
from model.data.pairs import Pair
from model.encoders.text_prior import PRIOR_FILE, TextPrior, attach_prior
from model.errors import AdapterMismatchError
from model.ports import Clip, Picture, TextVectors, Vector
from model.preset_files import find_preset
from model.presets import PRESETS
from model.training.train import train
from model.training.train_clip_head import ClipHeadExamples, fit_clip_head
from model.training.train_prior import train_prior
from model.training.training_run import TrainingRun
from tests.support.model.colour_encoder import LengthEncoder

SIZE = 8
LEVELS = range(0, 256, 32)


class GapEncoder(LengthEncoder):
    """Encodes a grey picture as one of eight axes, and the number of its level as another one."""

    generation = "gap-00000000"
    frame_size = SIZE
    motion_size: int | None = None

    def encode_texts(self, texts: Sequence[str]) -> list[TextVectors]:
        axes = np.eye(SIZE, dtype=np.float32)[::-1]
        return [TextVectors(axes[int(text)], axes[0]) for text in texts]

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        return np.eye(SIZE, dtype=np.float32)[[picture[0, 0, 0] // 32 for picture in pictures]]

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        raise NotImplementedError


@pytest.fixture
def run(tmp_path: Path) -> TrainingRun:
    """Return a run with a picture of each level."""
    pairs = []
    for number, level in enumerate(LEVELS):
        file = tmp_path / f"{number}.png"
        Image.new("RGB", (4, 4), (level, level, level)).save(file)
        pairs.append(Pair(str(number), (file,), f"picture {number}", fixed_split="train"))
    prior = PriorConfig(rank=SIZE, steps=100, rate=0.03)
    config = read_training_config().model_copy(update={"prior": prior})
    run = TrainingRun(config, pairs, PRESETS["base"], "cpu", tmp_path)
    run.adapter.mkdir()
    return run


def test_trained_prior_is_served_as_another_generation(run: TrainingRun) -> None:
    """Texts find their pictures, and the vectors of pictures stay."""
    plain = GapEncoder()
    train_prior(run, plain)
    encoder = attach_prior(GapEncoder(), run.adapter)
    pictures = [np.full((1, 1, 3), level, np.uint8) for level in LEVELS]
    texts = np.stack([each.frame for each in encoder.encode_texts([str(number) for number in range(SIZE)])])
    assert (texts @ encoder.encode_frames(pictures).T).argmax(1).tolist() == list(range(SIZE))
    assert np.array_equal(encoder.encode_frames(pictures), plain.encode_frames(pictures))
    assert np.allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    assert encoder.encode_texts([]) == []
    assert encoder.generation.startswith("gap-")
    assert encoder.generation != plain.generation


def test_prior_helps_texts_that_it_was_not_trained_on() -> None:
    """Pictures are texts with their numbers in reverse. A third of them are held out."""
    vectors = torch.nn.functional.normalize(torch.randn(150, 16, generator=torch.Generator().manual_seed(0)), dim=1)
    pictures = vectors.flip(1)
    mask, numbers = torch.ones(100, 1, dtype=torch.bool), torch.arange(100)
    prior = TextPrior(16, rank=16)

    def recall() -> float:
        found = (prior.encode_texts(vectors[100:]) @ pictures[100:].T).argmax(1)
        return float((found == torch.arange(50)).float().mean())

    before = recall()
    examples = ClipHeadExamples(vectors[:100], pictures[:100, None], mask, numbers, numbers)
    fit_clip_head(prior, examples, PriorConfig(rank=16, steps=150, rate=0.03))
    assert before < 0.2
    assert recall() > 0.9


def test_untrained_prior_changes_nothing() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(4, SIZE), dim=1)
    assert torch.allclose(TextPrior(SIZE, rank=2).encode_texts(vectors), vectors)


def test_prior_for_the_starter_is_refused_before_the_training(run: TrainingRun) -> None:
    """It has a map of its own."""
    with pytest.raises(AdapterMismatchError, match="has a map"):
        train(replace(run, preset=find_preset("starter")))


@pytest.mark.parametrize("weights", [{"down": torch.zeros(4, 2)}, {"shift": torch.zeros(SIZE)}, None])
def test_file_that_is_no_prior_of_this_size_is_refused(tmp_path: Path, weights: dict[str, torch.Tensor] | None) -> None:
    if weights is None:
        (tmp_path / PRIOR_FILE).write_bytes(b"nothing")
    else:
        save_file(weights, tmp_path / PRIOR_FILE)
    with pytest.raises(AdapterMismatchError):
        attach_prior(GapEncoder(), tmp_path)
