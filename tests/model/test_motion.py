"""The motion part: clips from their frames' vectors, in order, and the starter with and without it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from model.motion import FRAMES, Motion, stacked
from model.sentence import FEATURES
from model.starter import Starter
from model.text_map import SIZE, TextMap
from tests.model.tiny import TinyClip


@pytest.fixture
def motion() -> Motion:
    """Random weights, which is all that the plumbing needs."""
    torch.manual_seed(0)
    return Motion(hidden=16, words=4).eval()


def unit(shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def sentences(texts: Sequence[str]) -> torch.Tensor:
    return torch.stack([torch.randn(FEATURES, generator=torch.Generator().manual_seed(len(text))) for text in texts])


def no_pictures(_pixels: torch.Tensor) -> npt.NDArray[np.float32]:
    raise AssertionError("a picture was looked at again")


def starter_with(motion: Motion | None) -> Starter:
    return Starter("starter-test", no_pictures, sentences, TextMap(hidden=4).eval(), motion)  # type: ignore[arg-type]


def test_the_order_of_frames_matters(motion: Motion) -> None:
    """Clips give unit vectors, and a clip and its reverse give different ones."""
    frames = torch.from_numpy(unit((3, FRAMES, SIZE)))
    with torch.inference_mode():
        vectors, turned = motion.clips(frames), motion.clips(frames.flip(1))
    assert vectors.shape == (3, SIZE)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    assert (vectors * turned).sum(1).max() < 0.999


@pytest.mark.parametrize(
    ("count", "taken"),
    [(1, [0] * 8), (3, [0, 0, 1, 1, 1, 1, 2, 2]), (8, list(range(8))), (15, list(range(0, 16, 2)))],
)
def test_frames_are_taken_evenly(count: int, taken: list[int]) -> None:
    """Eight of any number, first and last among them, again where there are too few."""
    assert stacked([np.arange(count, dtype=np.float32)[:, None]])[0, :, 0].tolist() == taken


def test_weights_are_kept(motion: Motion, tmp_path: Path) -> None:
    """Read from its file, a motion part gives the vectors it gave, up to half precision."""
    motion.save(tmp_path / "motion.safetensors")
    again = Motion.read(tmp_path / "motion.safetensors")
    frames, features = stacked([unit((5, SIZE))]), sentences(["a dog"])
    with torch.inference_mode():
        torch.testing.assert_close(again.clips(frames), motion.clips(frames), atol=2e-3, rtol=0)
        text = torch.from_numpy(unit((1, SIZE)))
        torch.testing.assert_close(again.texts(text, features), motion.texts(text, features), atol=2e-3, rtol=0)


def test_a_starter_with_motion_looks_at_no_picture_again(motion: Motion) -> None:
    """Clips come from the frames' vectors alone, of any number; texts get a motion vector of the same size."""
    encoder = starter_with(motion)
    assert encoder.motion_size == SIZE
    clips = [TinyClip((), unit((count, SIZE), count)) for count in (1, 5, 12)]
    vectors = encoder.clips(clips)
    assert vectors.shape == (3, SIZE)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors[1], encoder.clips(clips[1:2])[0], atol=1e-5)
    (text,) = encoder.texts(["a dog runs"])
    assert text.motion is not None
    assert text.motion.shape == text.frame.shape
    assert not np.allclose(text.motion, text.frame)


def test_a_starter_without_motion_has_none() -> None:
    """Switched off, there is no motion vector of a text, none is announced, and asking for one is a fault."""
    encoder = starter_with(None)
    assert encoder.motion_size is None
    assert encoder.texts(["a dog runs"])[0].motion is None
    with pytest.raises(ValueError, match="no motion vectors"):
        encoder.clips([TinyClip((), unit((2, SIZE)))])
