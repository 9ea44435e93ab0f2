"""Texts, frames and clips become unit vectors, the same ones however they are asked for."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from model.encoders.clip import HubEncoder, HubTower
from model.encoders.devices import serving_device, serving_dtype
from model.encoders.hub import read
from model.errors import ModelError
from model.ports import Vector
from tests.support import tiny_models

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
    return {name: HubTower(read(folder, name), CPU, torch.float32) for name, folder in folders.items()}


@pytest.fixture(params=list(tiny_models.FAMILIES))
def tower(request: pytest.FixtureRequest, towers: dict[str, HubTower]) -> HubTower:
    return towers[request.param]


@pytest.fixture
def encoder(towers: dict[str, HubTower]) -> HubEncoder:
    return HubEncoder("tiny-1", towers["clip"], towers["xclip"])


def looks(tower: HubTower, seeds: range) -> Vector:
    """Its vectors of some pictures, or of clips where it takes those."""
    if tower.clip_length:
        return tower.clips([tiny_models.clip(seed) for seed in seeds])
    return tower.pictures([tiny_models.picture(seed) for seed in seeds])


def assert_unit(vectors: Vector, count: int, size: int) -> None:
    assert vectors.shape == (count, size)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_unit_vectors(tower: HubTower) -> None:
    """Any text of any length, and pictures or clips, become float32 unit vectors of the tower's size."""
    assert_unit(tower.texts(TEXTS), len(TEXTS), tower.size)
    assert_unit(looks(tower, range(3)), 3, tower.size)


def test_nothing_gives_nothing(tower: HubTower) -> None:
    """No texts and no pictures are an empty batch, not an error."""
    assert tower.texts([]).shape == (0, tower.size)
    assert looks(tower, range(0)).shape == (0, tower.size)


def test_one_by_one_equals_batched(tower: HubTower) -> None:
    """What else is in a batch, and how long it is, changes no vector."""
    texts = [*TEXTS, *(f"number {i}" for i in range(60))]
    assert np.allclose(tower.texts(texts), np.concatenate([tower.texts([text]) for text in texts]), atol=1e-5)
    together, alone = looks(tower, range(34)), [looks(tower, range(i, i + 1)) for i in range(34)]
    assert np.allclose(together, np.concatenate(alone), atol=1e-5)


def test_different_inputs_differ(tower: HubTower) -> None:
    """The towers of these tests tell things apart, so that the other tests can fail."""
    words = tower.texts(["a", "cab", "bad face"])
    for vectors in (words, looks(tower, range(3))):
        assert (vectors @ vectors.T)[np.triu_indices(3, 1)].max() < 0.99


def test_long_texts_are_cut(tower: HubTower) -> None:
    """Of a text longer than the model reads only the beginning counts."""
    long = "a b c " * 200
    assert np.allclose(tower.texts([long]), tower.texts([long + "d e f g"]), atol=1e-6)
    assert not np.allclose(tower.texts([long]), tower.texts(["d " + long]), atol=1e-3)


def test_case_does_not_matter(tower: HubTower) -> None:
    """All these models read lower case."""
    assert np.allclose(tower.texts(["A BAD CAB"]), tower.texts(["a bad cab"]), atol=1e-6)


def test_bfloat16_is_close(folders: dict[str, Path], tower: HubTower, request: pytest.FixtureRequest) -> None:
    """bfloat16 gives vectors within a cosine of 0.99 of float32's."""
    name = request.node.callspec.params["tower"]
    half = HubTower(read(folders[name], name), CPU, torch.bfloat16)
    for exact, rough in ((tower.texts(TEXTS), half.texts(TEXTS)), (looks(tower, range(4)), looks(half, range(4)))):
        assert (exact * rough).sum(axis=1).min() > 0.99
        assert_unit(rough, len(exact), tower.size)


def test_threads(tower: HubTower) -> None:
    """Many threads at once get what one would."""
    texts = [f"{'a b ' * (i % 7)} {i}" for i in range(64)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda text: tower.texts([text])[0], texts))
    assert np.allclose(found, tower.texts(texts), atol=1e-5)


def test_equals_transformers_own_way(folders: dict[str, Path], towers: dict[str, HubTower]) -> None:
    """CLIP's vectors are those of transformers' own tokenizer and image processor, up to the resize."""
    folder, tower = folders["clip"], towers["clip"]
    model, tokenizer = CLIPModel.from_pretrained(folder), CLIPTokenizer.from_pretrained(folder)
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    texts, pictures = ["a dog in the snow", "two"], [tiny_models.picture(1), tiny_models.picture(2)]
    with torch.inference_mode():
        words = model(
            **tokenizer(texts, padding="max_length", max_length=77, return_tensors="pt"),
            pixel_values=processor(pictures, return_tensors="pt").pixel_values,
        )
    assert np.allclose(tower.texts(texts), words.text_embeds.numpy(), atol=1e-5)
    assert (tower.pictures(pictures) * words.image_embeds.numpy()).sum(axis=1).min() > 0.999


def test_siglip_reads_its_padding(towers: dict[str, HubTower]) -> None:
    """SigLIP always sees its full length, padded on the right after the end mark, as in its training."""
    encoding = towers["siglip"].tokenizer.encode("ab")
    assert encoding.tokens == ["a", "b", "<eos>", *["<pad>"] * 61]


def test_chinese_reads_52_tokens(towers: dict[str, HubTower]) -> None:
    """Chinese-CLIP reads the 52 tokens it was trained on, though its table holds 512."""
    assert len(towers["chinese"].tokenizer.encode("狗" * 100).ids) == 52


def test_motion_is_conditioned_on_nothing(encoder: HubEncoder) -> None:
    """X-CLIP's text vector is the same whichever clips were encoded, and a clip's whichever texts were."""
    words, clip = encoder.texts(["a"])[0].motion, encoder.clips([tiny_models.clip(1)])
    encoder.clips([tiny_models.clip(2), tiny_models.clip(3)])
    encoder.texts(["b", "c"])
    again = encoder.texts(["a"])[0].motion
    assert words is not None
    assert again is not None
    assert np.array_equal(words, again)
    assert np.array_equal(clip, encoder.clips([tiny_models.clip(1)]))


def test_clips_of_any_length(towers: dict[str, HubTower]) -> None:
    """Of more pictures 8 are taken evenly, first and last among them; of fewer some are taken again."""
    tower, pictures = towers["xclip"], [tiny_models.picture(i) for i in range(15)]
    none = np.zeros((0, 24), np.float32)

    def vector(chosen: list[int]) -> Vector:
        return tower.clips([tiny_models.TinyClip(tuple(pictures[i] for i in chosen), none)])

    assert np.array_equal(vector(list(range(15))), vector([0, 2, 4, 6, 8, 10, 12, 14]))
    assert np.array_equal(vector([3]), vector([3] * 8))
    assert np.array_equal(vector([3, 4]), vector([3] * 4 + [4] * 4))


def test_order_of_a_clip_matters(towers: dict[str, HubTower]) -> None:
    """A clip played backwards is another motion."""
    clip = tiny_models.clip(1, length=8)
    back = tiny_models.TinyClip(clip.pictures[::-1], clip.frame_vectors)
    forth, back_again = towers["xclip"].clips([clip, back])
    assert forth @ back_again < 0.9999


def test_texts_carry_both_vectors(encoder: HubEncoder, towers: dict[str, HubTower]) -> None:
    """Each text has a vector for frames and one for motion, of the sizes that the encoder tells."""
    vectors = encoder.texts(TEXTS)
    assert encoder.frame_size == 24
    assert encoder.motion_size == 16
    assert np.array_equal(np.array([v.frame for v in vectors]), towers["clip"].texts(TEXTS))
    assert np.array_equal(np.array([v.motion for v in vectors]), towers["xclip"].texts(TEXTS))
    assert encoder.frames([tiny_models.picture(1)]).shape == (1, 24)


def test_without_motion(towers: dict[str, HubTower]) -> None:
    """A preset without X-CLIP says so, gives texts no motion vector, and refuses clips."""
    encoder = HubEncoder("tiny-2", towers["siglip"], None)
    assert encoder.motion_size is None
    assert encoder.texts(["a"])[0].motion is None
    with pytest.raises(ValueError, match="no motion"):
        encoder.clips([tiny_models.clip(1)])


def test_device() -> None:
    """`auto` finds what there is; CUDA that is not there is an error, not a silent CPU."""
    cuda = torch.cuda.is_available()
    assert serving_device("auto").type == ("cuda" if cuda else "cpu")
    assert serving_device("cpu") == CPU
    if not cuda:
        with pytest.raises(ModelError, match="CUDA"):
            serving_device("cuda")


def test_dtype_follows_the_chip() -> None:
    """bfloat16 is used exactly where the chip has instructions for it."""
    chip = torch.cpu.get_capabilities()
    native = chip.get("avx512_bf16") or chip.get("amx_bf16") or chip.get("bf16")
    assert serving_dtype(CPU) == (torch.bfloat16 if native else torch.float32)
