"""Encoders of hub presets: unit vectors that do not depend on batch, thread or precision."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import (
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    Siglip2ImageProcessorPil,
    Siglip2Model,
)

from model.encoders.devices import select_device, select_dtype
from model.encoders.hub import read_model
from model.encoders.hub_encoder import HubEncoder, HubTower
from model.errors import ModelError
from model.ports import Vector
from tests.support.model import tiny_models
from tests.support.model.colour_encoder import LengthEncoder

CPU = torch.device("cpu")
TEXTS = [
    "a dog in the snow",
    "",
    "강아지가 눈에서 노는 장면",
    "狗在雪里玩",
    "🐕❄️🧑‍🚀",
    "word " * 2_000,
    "x" * 10_000,
    "half a \ud83d character",
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    for name, save in tiny_models.FAMILIES.items():
        save(root / name)
    return {name: root / name for name in tiny_models.FAMILIES}


@pytest.fixture(scope="module")
def towers(folders: dict[str, Path]) -> dict[str, HubTower]:
    return {name: HubTower(read_model(folder, name), CPU, torch.float32) for name, folder in folders.items()}


@pytest.fixture(params=list(tiny_models.FAMILIES))
def tower(request: pytest.FixtureRequest, towers: dict[str, HubTower]) -> HubTower:
    return towers[request.param]


@pytest.fixture
def encoder(towers: dict[str, HubTower]) -> HubEncoder:
    return HubEncoder("tiny-1", towers["clip"], towers["xclip"], LengthEncoder())


def encode_looks(tower: HubTower, seeds: range) -> Vector:
    """Encode pictures, or clips if the tower takes clips."""
    if tower.clip_length:
        return tower.encode_clips([tiny_models.clip(seed) for seed in seeds])
    return tower.encode_pictures([tiny_models.picture(seed) for seed in seeds])


def assert_unit(vectors: Vector, count: int, size: int) -> None:
    assert vectors.shape == (count, size)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_tower_returns_unit_vectors(tower: HubTower) -> None:
    """Texts of any length, and pictures or clips, become float32 unit vectors of the tower's size."""
    assert_unit(tower.encode_texts(TEXTS), len(TEXTS), tower.size)
    assert_unit(encode_looks(tower, range(3)), 3, tower.size)


def test_empty_batch_returns_empty_array(tower: HubTower) -> None:
    assert tower.encode_texts([]).shape == (0, tower.size)
    assert encode_looks(tower, range(0)).shape == (0, tower.size)


def test_vector_does_not_depend_on_batch(tower: HubTower) -> None:
    texts = [*TEXTS, *(f"number {i}" for i in range(60))]
    assert np.allclose(
        tower.encode_texts(texts), np.concatenate([tower.encode_texts([text]) for text in texts]), atol=1e-5
    )
    together, alone = encode_looks(tower, range(34)), [encode_looks(tower, range(i, i + 1)) for i in range(34)]
    assert np.allclose(together, np.concatenate(alone), atol=1e-5)


def test_different_inputs_give_different_vectors(tower: HubTower) -> None:
    """Otherwise the other tests could not fail."""
    words = tower.encode_texts(["a", "cab", "bad face"])
    for vectors in (words, encode_looks(tower, range(3))):
        assert (vectors @ vectors.T)[np.triu_indices(3, 1)].max() < 0.99


def test_long_text_is_truncated(tower: HubTower) -> None:
    """Only the beginning of a text that is too long counts."""
    long = "a b c " * 200
    assert np.allclose(tower.encode_texts([long]), tower.encode_texts([long + "d e f g"]), atol=1e-6)
    assert not np.allclose(tower.encode_texts([long]), tower.encode_texts(["d " + long]), atol=1e-3)


@pytest.mark.parametrize(("text", "spelled"), [("🐶", "dog"), ("e\u0301", "é"), ("c\u200bab", "cab")])
def test_spelling_of_a_text_makes_no_difference(tower: HubTower, text: str, spelled: str) -> None:
    """Names of emoji, composed letters and characters that are not seen."""
    assert np.allclose(tower.encode_texts([text]), tower.encode_texts([spelled]), atol=1e-6)


@pytest.mark.parametrize("name", list(tiny_models.FAMILIES))
def test_case_counts_only_for_models_that_were_trained_with_it(towers: dict[str, HubTower], name: str) -> None:
    """MetaCLIP 2 alone reads capitals."""
    upper, lower = towers[name].encode_texts(["A BAD CAB", "a bad cab"])
    assert np.allclose(upper, lower, atol=1e-6) == (name != "metaclip2")


def test_bfloat16_is_close_to_float32(
    folders: dict[str, Path], tower: HubTower, request: pytest.FixtureRequest
) -> None:
    """Cosines are above 0.99."""
    name = request.node.callspec.params["tower"]
    half = HubTower(read_model(folders[name], name), CPU, torch.bfloat16)
    for exact, rough in (
        (tower.encode_texts(TEXTS), half.encode_texts(TEXTS)),
        (encode_looks(tower, range(4)), encode_looks(half, range(4))),
    ):
        assert (exact * rough).sum(axis=1).min() > 0.99
        assert_unit(rough, len(exact), tower.size)


def test_concurrent_threads_get_equal_vectors(tower: HubTower) -> None:
    texts = [f"{'a b ' * (i % 7)} {i}" for i in range(64)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda text: tower.encode_texts([text])[0], texts))
    assert np.allclose(found, tower.encode_texts(texts), atol=1e-5)


def test_clip_vectors_equal_those_of_transformers(folders: dict[str, Path], towers: dict[str, HubTower]) -> None:
    """The comparison uses the tokenizer and image processor of transformers; only the resize differs."""
    folder, tower = folders["clip"], towers["clip"]
    model, tokenizer = CLIPModel.from_pretrained(folder), CLIPTokenizer.from_pretrained(folder)
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    texts, pictures = ["a dog in the snow", "two"], [tiny_models.picture(1), tiny_models.picture(2)]
    with torch.inference_mode():
        words = model(
            **tokenizer(texts, padding="max_length", max_length=77, return_tensors="pt"),
            pixel_values=processor(pictures, return_tensors="pt").pixel_values,
        )
    assert np.allclose(tower.encode_texts(texts), words.text_embeds.numpy(), atol=1e-5)
    assert (tower.encode_pictures(pictures) * words.image_embeds.numpy()).sum(axis=1).min() > 0.999


def test_naflex_vectors_equal_those_of_transformers(folders: dict[str, Path], towers: dict[str, HubTower]) -> None:
    """A wide and a tall picture keep their aspect ratio."""
    folder, pictures = folders["siglip2"], [tiny_models.picture(1, 60, 160), tiny_models.picture(2, 160, 60)]
    model, processor = Siglip2Model.from_pretrained(folder), Siglip2ImageProcessorPil.from_pretrained(folder)
    inputs = processor(images=pictures, return_tensors="pt")
    with torch.inference_mode():
        features = functional.normalize(model.get_image_features(**inputs).pooler_output, dim=-1).numpy()
    assert inputs["spatial_shapes"].tolist() == [[2, 6], [6, 2]]
    assert np.allclose(towers["siglip2"].encode_pictures(pictures), features, atol=1e-5)


def test_siglip_texts_are_padded_to_full_length(towers: dict[str, HubTower]) -> None:
    """The padding is on the right, after the end token, as in its training."""
    encoding = towers["siglip"].tokenizer.encode("ab")
    assert encoding.tokens == ["a", "b", "<eos>", *["<pad>"] * 61]


def test_chinese_clip_reads_52_tokens(towers: dict[str, HubTower]) -> None:
    """It was trained with 52, though its table has 512 positions."""
    assert len(towers["chinese"].tokenizer.encode("狗" * 100).ids) == 52


def test_xclip_text_and_video_vectors_are_independent(encoder: HubEncoder) -> None:
    """A text's vector is the same whichever clips were encoded, and the other way round."""
    words, clip = encoder.encode_texts(["a"])[0].motion, encoder.encode_clips([tiny_models.clip(1)])
    encoder.encode_clips([tiny_models.clip(2), tiny_models.clip(3)])
    encoder.encode_texts(["b", "c"])
    again = encoder.encode_texts(["a"])[0].motion
    assert words is not None
    assert again is not None
    assert np.array_equal(words, again)
    assert np.array_equal(clip, encoder.encode_clips([tiny_models.clip(1)]))


def test_clip_pictures_are_sampled_evenly(towers: dict[str, HubTower]) -> None:
    """Of more pictures, 8 are taken, first and last included. Fewer pictures are repeated."""
    tower, pictures = towers["xclip"], [tiny_models.picture(i) for i in range(15)]
    none = np.zeros((0, 24), np.float32)

    def vector(chosen: list[int]) -> Vector:
        return tower.encode_clips([tiny_models.TinyClip(tuple(pictures[i] for i in chosen), none)])

    assert np.array_equal(vector(list(range(15))), vector([0, 2, 4, 6, 8, 10, 12, 14]))
    assert np.array_equal(vector([3]), vector([3] * 8))
    assert np.array_equal(vector([3, 4]), vector([3] * 4 + [4] * 4))


def test_reversed_clip_has_another_vector(towers: dict[str, HubTower]) -> None:
    clip = tiny_models.clip(1, length=8)
    back = tiny_models.TinyClip(clip.pictures[::-1], clip.frame_vectors)
    forth, back_again = towers["xclip"].encode_clips([clip, back])
    assert forth @ back_again < 0.9999


def test_text_vectors_for_frames_and_motion(encoder: HubEncoder, towers: dict[str, HubTower]) -> None:
    """Both have the size that the encoder declares."""
    vectors = encoder.encode_texts(TEXTS)
    assert encoder.frame_size == 24
    assert encoder.meaning_size == 2
    assert encoder.motion_size == 16
    assert np.array_equal(np.array([v.frame for v in vectors]), towers["clip"].encode_texts(TEXTS))
    assert np.array_equal(np.array([v.meaning for v in vectors]), LengthEncoder().encode_sentences(TEXTS))
    assert np.array_equal(np.array([v.motion for v in vectors]), towers["xclip"].encode_texts(TEXTS))
    assert encoder.encode_frames([tiny_models.picture(1)]).shape == (1, 24)


def test_encoder_without_motion_model(towers: dict[str, HubTower]) -> None:
    """It has no motion size, gives texts no motion vector, and refuses clips."""
    encoder = HubEncoder("tiny-2", towers["siglip"], None, LengthEncoder())
    assert encoder.motion_size is None
    assert encoder.encode_texts(["a"])[0].motion is None
    with pytest.raises(ValueError, match="no motion"):
        encoder.encode_clips([tiny_models.clip(1)])


def test_select_device() -> None:
    """`auto` finds what is available. Requesting unavailable CUDA is an error."""
    cuda = torch.cuda.is_available()
    assert select_device("auto").type == ("cuda" if cuda else "cpu")
    assert select_device("cpu") == CPU
    if not cuda:
        with pytest.raises(ModelError, match="CUDA"):
            select_device("cuda")


def test_dtype_is_bfloat16_only_with_native_support() -> None:
    chip = torch.cpu.get_capabilities()
    native = chip.get("avx512_bf16") or chip.get("amx_bf16") or chip.get("bf16")
    assert select_dtype(CPU) == (torch.bfloat16 if native else torch.float32)
