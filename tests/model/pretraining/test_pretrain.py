"""The real training run, on pictures made on the spot."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from model.pretraining import pretrain, pretrain_data
from model.starter.sentence_encoder import FEATURES
from model.starter.text_map import TextMap

COLOURS = {"red": (200, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 200), "grey": (120, 120, 120)}
PLAN = """
data = "data"
work = "work"
out = "map.safetensors"
seed = 1
held_out = 8
epochs = {epochs}
batch = 16
hidden = 8
dropout = 0.0
rate = 1e-3
weight_decay = 0.05
shortened = 0.3
word_weight = 0.0
[repeat]
ko = 2
"""


def tower(pictures: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
    """A picture's mean colour, spread over 512 numbers."""
    spread = np.random.default_rng(0).normal(size=(3, 512))
    vectors = np.stack([picture.reshape(-1, 3).mean(0) / 255 for picture in pictures]) @ spread
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def sentences(texts: Sequence[str]) -> torch.Tensor:
    """A bag of words: each word its own random direction."""
    words = [[torch.Generator().manual_seed(hash_of(word)) for word in text.split()] for text in texts]
    return torch.stack([sum((torch.randn(FEATURES, generator=w) for w in ws), torch.zeros(FEATURES)) for ws in words])


def hash_of(word: str) -> int:
    return int.from_bytes(word.encode()[:6])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    names = list(COLOURS)
    english, korean = ["split\tfile\tcaption"], ["split\tfile\tcaption"]
    for i in range(32):
        name = names[i % 4]
        noise = random.integers(-15, 15, (16, 16, 3))
        picture = np.clip(np.array(COLOURS[name]) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / "data" / f"{i}.png")
        english += [f"train\t{i}.png\tA {name} wall .", f"train\t{i}.png\tall is {name}"]
        korean.append(f"train\t{i}.png\t벽 {name[::-1]}")
    english.append("dev\tother.png\tnever read")
    (tmp_path / "data" / "captions.tsv").write_text("\n".join(english), encoding="utf-8")
    (tmp_path / "data" / "captions_ko.tsv").write_text("\n".join(korean), encoding="utf-8")
    return tmp_path


def plan(folder: Path, epochs: int) -> Path:
    file = folder / "run.toml"
    file.write_text(PLAN.format(epochs=epochs))
    return file


def test_a_run_learns_and_writes_its_map(folder: Path) -> None:
    """On held-out pictures a caption finds one of its own colour first, in both languages."""
    figures = pretrain.run(plan(folder, 6), tower=tower, sentences=sentences)
    # 8 pictures of 4 colours: among those of the right colour the order is chance
    assert set(figures) == {"en", "ko"}
    assert figures["en"].r5 > 0.9
    text_map = TextMap.read(folder / "map.safetensors")
    files = [f"{i}.png" for i in range(32)]
    pictures = pretrain_data.picture_vectors(folder / "data", files, tower, folder / "again.npy")
    with torch.inference_mode():
        best = (text_map.texts(sentences(["a red wall", "all is blue"])) @ text_map.pictures(pictures).T).argmax(1)
    assert [list(COLOURS)[int(i) % 4] for i in best] == ["red", "blue"]


def test_the_same_seed_gives_the_same_map(folder: Path, tmp_path: Path) -> None:
    """Two runs from nothing end in the same weights."""
    first = pretrain.run(plan(folder, 2), tower=tower, sentences=sentences)
    weights = (folder / "map.safetensors").read_bytes()
    (folder / "work" / "checkpoint.pt").unlink()
    assert pretrain.run(plan(folder, 2), tower=tower, sentences=sentences) == first
    assert (folder / "map.safetensors").read_bytes() == weights


def test_a_stopped_run_goes_on(folder: Path) -> None:
    """Stopped in its second epoch and started again, a run ends in the weights of an unbroken one."""
    pretrain.run(plan(folder, 3), tower=tower, sentences=sentences)
    unbroken = (folder / "map.safetensors").read_bytes()
    (folder / "work" / "checkpoint.pt").unlink()
    stated = pretrain.read_plan(plan(folder, 3))
    material = pretrain.gather(stated, tower, sentences)
    stopping = replace(material, views=Stopping(material.views))
    with pytest.raises(KeyboardInterrupt):
        pretrain.train(stated, stopping, pretrain.started(stated, material))
    assert torch.load(folder / "work" / "checkpoint.pt", weights_only=True)["epochs"] == 1
    pretrain.run(plan(folder, 3), tower=tower, sentences=sentences)
    assert (folder / "map.safetensors").read_bytes() == unbroken


class Stopping(tuple[torch.Tensor, ...]):
    """Views that are there for an epoch and a half (of 5 batches), then Ctrl-C comes."""

    seen = 0

    def __getitem__(self, key: object) -> torch.Tensor:  # type: ignore[override]
        self.seen += 1
        if self.seen > 8:
            raise KeyboardInterrupt
        return super().__getitem__(key)  # type: ignore[index, return-value]


def test_pictures_are_embedded_once(folder: Path) -> None:
    """A second run reads the vectors of the first from the work folder."""
    files = ["0.png", "1.png"]
    first = pretrain_data.picture_vectors(folder / "data", files, tower, folder / "kept.npy")

    def refusing(_pictures: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        raise AssertionError("embedded again")

    again = pretrain_data.picture_vectors(folder / "data", files, refusing, folder / "kept.npy")
    torch.testing.assert_close(first, again)


@pytest.mark.parametrize("caption", ["A dog runs through the deep snow .", "一只狗在雪地里奔跑。", "눈 속을 달리는 개"])
def test_shortened_is_a_part_of_the_caption(caption: str) -> None:
    """Every seed gives words of the caption in their order, and not always all of them."""
    shorter = [pretrain_data.shortened(caption, seed) for seed in range(30)]
    assert len(set(shorter)) > 3
    for text in shorter:
        units = text.split() if " " in caption else list(text)
        rest = iter(caption.lower().split() if " " in caption else caption)
        assert units
        assert all(unit in rest for unit in units)
