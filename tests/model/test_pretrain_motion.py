"""The motion part's real training run, on pictures made on the spot."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from model import pretrain_motion
from model.motion import Motion
from model.motion_tracks import AXES, FRAMES, draw, track_vectors
from model.sentence import FEATURES, one_thread

PHRASES = Path(pretrain_motion.__file__).parent / "runs" / "motion.tsv"
PLAN = """
data = "data"
work = "work"
out = "motion.safetensors"
phrases = "{phrases}"
seed = 1
pictures = 32
held_out = 8
captions = 1
epochs = {epochs}
batch = 12
hidden = 16
words = 8
rate = 1e-2
weight_decay = 0.0
scale = 10.0
bare = 1.0
noise = 0.05
"""


def slope(seed: int, side: int = 64) -> Image.Image:
    """Red grows to the right, green downwards, blue is its own."""
    rising = np.broadcast_to(np.linspace(0, 255, side)[None], (side, side))
    blue = np.full((side, side), np.random.default_rng(seed).integers(256))
    return Image.fromarray(np.stack([rising, rising.T, blue], 2).astype(np.uint8))


def tower(pictures: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
    """The means and the spreads of a picture's colours, spread over 512 numbers."""
    flat = [picture.reshape(-1, 3) / 255 for picture in pictures]
    vectors = np.stack([np.concatenate([each.mean(0), each.std(0), [1]]) for each in flat])
    vectors = vectors @ np.random.default_rng(0).normal(size=(7, 512))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def sentences(texts: Sequence[str]) -> torch.Tensor:
    """A bag of words: each word its own random direction."""
    words = [
        [torch.Generator().manual_seed(int.from_bytes(word.encode()[-6:])) for word in text.split()] for text in texts
    ]
    return torch.stack([sum((torch.randn(FEATURES, generator=w) for w in ws), torch.zeros(FEATURES)) for ws in words])


@pytest.fixture(autouse=True)
def one_thread_each() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    lines = ["split\tfile\tcaption"]
    for i in range(32):
        slope(i).save(tmp_path / "data" / f"{i:02d}.png")
        lines.append(f"train\t{i:02d}.png\tslope number{i}")
    (tmp_path / "data" / "captions.tsv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def plan(folder: Path, epochs: int) -> Path:
    file = folder / "run.toml"
    file.write_text(PLAN.format(epochs=epochs, phrases=PHRASES))
    return file


def test_a_run_learns_and_writes_its_weights(folder: Path) -> None:
    """On held-out pictures texts are nearer to their clip than to its reverse, where the tower sees which is which."""
    told = pretrain_motion.run(plan(folder, 100), tower=tower, sentences=sentences)
    assert told.of == 8
    assert told.right["pan_right"] > 0.9
    assert np.mean(list(told.right.values())) > 0.75
    assert len(Motion.read(folder / "motion.safetensors").narrow.bias) == 16


def test_the_same_seed_gives_the_same_weights(folder: Path) -> None:
    """Two runs end in the same weights; the second embeds nothing anew."""
    first = pretrain_motion.run(plan(folder, 2), tower=tower, sentences=sentences)
    weights = (folder / "motion.safetensors").read_bytes()

    def refusing(_pictures: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        raise AssertionError("embedded again")

    assert pretrain_motion.run(plan(folder, 2), tower=refusing, sentences=sentences) == first
    assert (folder / "motion.safetensors").read_bytes() == weights


@pytest.mark.parametrize("seed", range(5))
def test_a_track_shows_what_it_is_said_to(seed: int) -> None:
    """Panning right shows more red from frame to frame, tilting down more green, zooming in a narrower range."""
    means = {axis[0]: [f.reshape(-1, 3) for f in drawn(number, seed)] for number, axis in enumerate(AXES)}
    assert np.all(np.diff([frame[:, 0].mean() for frame in means["pan_right"]]) > 0)
    assert np.all(np.diff([frame[:, 1].mean() for frame in means["tilt_down"]]) > 0)
    assert np.all(np.diff([frame[:, 0].std() for frame in means["zoom_in"]]) < 0)


def test_a_thing_moves_to_the_right_over_what_stays() -> None:
    """The white disc's middle goes to the right; the black around it does not change."""
    ground, white = Image.new("RGB", (64, 64)), Image.new("RGB", (64, 64), "white")
    frames = draw(white, ground, 3, np.random.default_rng(0))
    assert len(frames) == FRAMES
    middles = [np.nonzero(frame[..., 0] > 128)[1].mean() for frame in frames]
    assert np.all(np.diff(middles) > 0)


def test_a_stopped_cache_goes_on(folder: Path) -> None:
    """Stopped between two batches and started again, the vectors are those of an unbroken pass."""
    files, axes = [f"{i:02d}.png" for i in range(12)], np.arange(12) % 4
    unbroken = track_vectors(folder / "data", files, axes, tower, folder / "whole.npy", 0)
    left = [2]

    def stopping(pictures: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return tower(pictures)

    with pytest.raises(KeyboardInterrupt):
        track_vectors(folder / "data", files, axes, stopping, folder / "parts.npy", 0)
    torch.testing.assert_close(track_vectors(folder / "data", files, axes, tower, folder / "parts.npy", 0), unbroken)


def drawn(axis: int, seed: int) -> list[npt.NDArray[np.uint8]]:
    return draw(slope(seed), slope(seed + 1), axis, np.random.default_rng(seed))
