"""Pretraining of the text map, on pictures made by the test."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from model.pretraining import pretrain, pretrain_data
from model.starter.sentence_encoder import FEATURES
from model.starter.text_map import TextMap

COLOURS = {"red": (200, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 200), "grey": (120, 120, 120)}
CONFIG = """
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


def encode_mean_colours(pictures: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
    """Encode a picture as its mean colour, projected to 512 numbers."""
    spread = np.random.default_rng(0).normal(size=(3, 512))
    vectors = np.stack([picture.reshape(-1, 3).mean(0) / 255 for picture in pictures]) @ spread
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def encode_words(texts: Sequence[str]) -> torch.Tensor:
    """Encode a text as the sum of a random vector per word."""
    words = [[torch.Generator().manual_seed(hash_word(word)) for word in text.split()] for text in texts]
    return torch.stack([sum((torch.randn(FEATURES, generator=w) for w in ws), torch.zeros(FEATURES)) for ws in words])


def hash_word(word: str) -> int:
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


def write_config(folder: Path, epochs: int) -> Path:
    file = folder / "run.toml"
    file.write_text(CONFIG.format(epochs=epochs))
    return file


def test_pretraining_learns_and_writes_map(folder: Path) -> None:
    """On held-out pictures a caption finds one of its own colour, in both languages."""
    figures = pretrain.run_pretraining(write_config(folder, 6), tower=encode_mean_colours, sentences=encode_words)
    # 8 pictures of 4 colours: the order among those of the right colour is random.
    assert set(figures) == {"en", "ko"}
    assert figures["en"].r5 > 0.9
    text_map = TextMap.read(folder / "map.safetensors")
    files = [f"{i}.png" for i in range(32)]
    pictures = pretrain_data.load_picture_vectors(folder / "data", files, encode_mean_colours, folder / "again.npy")
    with torch.inference_mode():
        best = (
            text_map.encode_texts(encode_words(["a red wall", "all is blue"])) @ text_map.encode_pictures(pictures).T
        ).argmax(1)
    assert [list(COLOURS)[int(i) % 4] for i in best] == ["red", "blue"]


def test_pretraining_is_deterministic_per_seed(folder: Path, tmp_path: Path) -> None:
    first = pretrain.run_pretraining(write_config(folder, 2), tower=encode_mean_colours, sentences=encode_words)
    weights = (folder / "map.safetensors").read_bytes()
    (folder / "work" / "checkpoint.pt").unlink()
    assert pretrain.run_pretraining(write_config(folder, 2), tower=encode_mean_colours, sentences=encode_words) == first
    assert (folder / "map.safetensors").read_bytes() == weights


def test_interrupted_pretraining_resumes_bit_identically(folder: Path) -> None:
    """The run is interrupted in its second epoch."""
    pretrain.run_pretraining(write_config(folder, 3), tower=encode_mean_colours, sentences=encode_words)
    unbroken = (folder / "map.safetensors").read_bytes()
    (folder / "work" / "checkpoint.pt").unlink()
    config = pretrain.read_pretrain_config(write_config(folder, 3))
    training_set = pretrain.load_pretraining_set(config, encode_mean_colours, encode_words)
    interrupted = replace(training_set, views=InterruptingViews(training_set.views))
    with pytest.raises(KeyboardInterrupt):
        pretrain.train_map(config, interrupted, pretrain.initialize_map(config, training_set))
    assert torch.load(folder / "work" / "checkpoint.pt", weights_only=True)["epochs"] == 1
    pretrain.run_pretraining(write_config(folder, 3), tower=encode_mean_colours, sentences=encode_words)
    assert (folder / "map.safetensors").read_bytes() == unbroken


class InterruptingViews(tuple[torch.Tensor, ...]):
    """Views that raise Ctrl-C in the second epoch (of 5 batches each)."""

    reads = 0

    def __getitem__(self, key: Any) -> Any:
        self.reads += 1
        if self.reads > 8:
            raise KeyboardInterrupt
        return super().__getitem__(key)


def test_kept_picture_side_is_not_changed(folder: Path) -> None:
    """The other side is learnt for it."""
    first = write_config(folder, 1)
    pretrain.run_pretraining(first, tower=encode_mean_colours, sentences=encode_words)
    kept = TextMap.read(folder / "map.safetensors")
    first.write_text(first.read_text().replace("map.safetensors", "second.safetensors"))
    first.write_text(f'picture_side = "map.safetensors"\n{first.read_text()}')
    figures = pretrain.run_pretraining(first, tower=encode_mean_colours, sentences=encode_words)
    second = TextMap.read(folder / "second.safetensors")
    torch.testing.assert_close(second.weighing, kept.weighing, rtol=0, atol=0)
    torch.testing.assert_close(second.picture_centre, kept.picture_centre, rtol=0, atol=0)
    assert not torch.equal(second.outer.weight, kept.outer.weight)
    assert set(figures) == {"en", "ko"}


def test_names_of_word_sets_share_their_vectors_with_all_languages(tmp_path: Path) -> None:
    """Names are cleaned, equal ones have the mean of their vectors, and tokens that are no words are left out."""
    random = np.random.default_rng(0)
    (tmp_path / "words.tsv").write_text("en\tko\nred wall\t붉은 벽\n", encoding="utf-8")
    np.save(tmp_path / "zegclip_cocostuff171.npy", random.normal(size=(1, 512)))
    vectors = random.normal(size=(4, 512))
    np.savez(tmp_path / "some.npz", names=["Green_field-outdoor", "[PAD]", "ox", "green field"], emb=vectors)
    pictures = torch.nn.functional.normalize(torch.randn(5, 512), dim=1)
    targets = pretrain_data.read_word_targets(tmp_path / "words.tsv", tmp_path, ("some",), encode_words, pictures)
    torch.testing.assert_close(targets.features, encode_words(["green field", "red wall", "붉은 벽"]))
    assert targets.rows.tolist() == [0, 1, 1]
    unit = vectors[[0, 3]] / np.linalg.norm(vectors[[0, 3]], axis=1, keepdims=True)
    mean = torch.from_numpy(unit.mean(0) / np.linalg.norm(unit.mean(0))).float()
    torch.testing.assert_close(targets.shares[0], torch.softmax(100 * pictures @ mean, 0), rtol=1e-3, atol=1e-5)
    some = targets.compute_shares(np.array([2, 0]), torch.tensor([1, 3]))
    torch.testing.assert_close(some.sum(1), torch.ones(2))


def test_picture_vectors_are_cached(folder: Path) -> None:
    files = ["0.png", "1.png"]
    first = pretrain_data.load_picture_vectors(folder / "data", files, encode_mean_colours, folder / "kept.npy")

    def fail(_pictures: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        raise AssertionError("embedded again")

    again = pretrain_data.load_picture_vectors(folder / "data", files, fail, folder / "kept.npy")
    torch.testing.assert_close(first, again)


@pytest.mark.parametrize("caption", ["A dog runs through the deep snow .", "一只狗在雪地里奔跑。", "눈 속을 달리는 개"])
def test_shortened_caption_is_a_part_of_it(caption: str) -> None:
    """Every seed gives words of the caption in order, and not always all of them."""
    shorter = [pretrain_data.shorten_caption(caption, seed) for seed in range(30)]
    assert len(set(shorter)) > 3
    for text in shorter:
        units = text.split() if " " in caption else list(text)
        rest = iter(caption.lower().split() if " " in caption else caption)
        assert units
        assert all(unit in rest for unit in units)
