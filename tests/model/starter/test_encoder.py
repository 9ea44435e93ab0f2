"""The starter preset on its real artifacts: three languages, unit vectors, int8 accuracy, adapters."""

import copy
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from indexer.topics.word_vectors import TEMPLATE, WordVectors
from model.encoders import lora
from model.errors import ArtifactsMissingError
from model.packages import default_artifacts_dir
from model.ports import Encoder, Picture, Vector
from model.presets import list_starter_revisions
from model.starter import artifacts, picture_tower
from model.starter import encoder as starter
from model.starter.encoder import StarterEncoder
from model.starter.picture_tower import PictureTower
from model.starter.samples import find_samples
from model.starter.sentence_encoder import FEATURES, SentenceEncoder
from model.starter.text_map import SIZE, TextMap

CAPTIONS = {
    "swimming.mp4": ("a man swims in the water", "물에서 수영하는 남자", "男人在水里游泳"),
    "banana.mp4": ("a woman eats a banana on the grass", "풀밭에서 바나나를 먹는 여자", "坐在草地上吃香蕉的女人"),
    "carphone.mp4": ("a man in a suit and a bow tie", "양복에 나비넥타이를 맨 남자", "穿西装打领结的男人"),
    "big_buck_bunny.mp4": ("a cartoon rabbit", "만화 토끼", "卡通兔子"),
    "city_bikes.mp4": ("bicycles and cars in a street", "거리의 자전거와 자동차", "街上的自行车和汽车"),
}


[PRESET, *_] = list_starter_revisions()


@pytest.fixture(scope="module")
def artifacts_dir() -> Path:
    folder = default_artifacts_dir()
    try:
        artifacts.find_tower(folder)
    except ArtifactsMissingError as missing:
        pytest.skip(f"the starter's files are missing: {missing}")
    return folder


@pytest.fixture(scope="module")
def encoder(artifacts_dir: Path) -> StarterEncoder:
    return starter.load_starter(PRESET, artifacts_dir, "cpu", None)


@pytest.fixture(scope="module")
def pictures(artifacts_dir: Path) -> dict[str, Picture]:
    """Return the middle frame of each sample clip."""
    pictures = {}
    for path, sample in find_samples(artifacts_dir):
        with av.open(str(path)) as media:
            frames = list(media.decode(video=0))
            pictures[sample.file] = np.asarray(frames[len(frames) // 2].to_ndarray(format="rgb24"), np.uint8)
    return pictures


@pytest.fixture(scope="module")
def vectors(encoder: Encoder, pictures: dict[str, Picture]) -> Vector:
    return encoder.encode_frames(list(pictures.values()))


@pytest.fixture(scope="module")
def tower(artifacts_dir: Path) -> CLIPVisionModelWithProjection:
    """Read the tower as training does."""
    return starter.read_tower(artifacts_dir)


@pytest.mark.parametrize("file", CAPTIONS)
def test_text_finds_its_sample_in_three_languages(
    encoder: Encoder, pictures: dict[str, Picture], vectors: Vector, file: str
) -> None:
    """The nearest of all samples is the described one, in English, Korean and Chinese."""
    for text in encoder.encode_texts(CAPTIONS[file]):
        assert list(pictures)[int((vectors @ text.frame).argmax())] == file


def test_vectors_are_float32_unit_vectors(encoder: Encoder, pictures: dict[str, Picture], vectors: Vector) -> None:
    """Frames and texts are (n, 512). An empty input gives an empty result."""
    assert vectors.shape == (len(pictures), encoder.frame_size)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.linalg.norm(encoder.encode_texts(["snow"])[0].frame) == pytest.approx(1, abs=1e-5)
    assert encoder.encode_frames([]).shape == (0, encoder.frame_size)
    assert encoder.encode_texts([]) == []


def test_words_are_encoded_without_loading_the_picture_tower() -> None:
    """It takes most of the time and memory. The first picture loads it, and the next ones do not."""
    loaded: list[None] = []

    def load_tower() -> PictureTower:
        loaded.append(None)
        return cast("PictureTower", lambda pixels: np.ones((len(pixels), SIZE), np.float32))

    text_map = TextMap(4)
    words = StarterEncoder("test", load_tower, SentenceEncoder(), lambda texts: torch.ones(1, FEATURES), text_map)
    words.encode_texts(["a dog"])
    assert loaded == []
    for _ in range(2):
        words.encode_frames([np.zeros((8, 8, 3), np.uint8)])
    assert len(loaded) == 1


def test_starter_has_no_motion_vectors(encoder: Encoder) -> None:
    assert encoder.motion_size is None
    assert encoder.encode_texts(["a dog runs"])[0].motion is None
    with pytest.raises(ValueError, match="no motion vectors"):
        encoder.encode_clips([])


@pytest.mark.parametrize(
    "text", ["", " ", "🍌🏄", "\ud800 half", "x" * 10_000, "고양이 " * 2_000, "\x00\u202e", "ꦲꦏ ሰላም"]
)
def test_any_text_is_encoded(encoder: Encoder, text: str) -> None:
    """The texts have any script, emoji, lone surrogates and 10,000 characters."""
    assert np.isfinite(encoder.encode_texts([text])[0].frame).all()


def test_text_vector_does_not_depend_on_batch_case_or_full_stop(encoder: Encoder) -> None:
    batch = encoder.encode_texts(
        ["a dog", "A long sentence about people who walk through a city in the rain", "雪", "x", "y"]
    )
    for text, index in (("a dog", 0), ("A Dog.", 0), ("雪。", 2)):
        assert float(encoder.encode_texts([text])[0].frame @ batch[index].frame) > 0.9999


def test_same_meaning_is_nearest_in_other_languages(encoder: Encoder) -> None:
    """A query and a stored sentence have the same vector. More sentences than one batch are encoded."""
    sentences = ["how to bake bread", "the train leaves at noon", *(f"number {i}" for i in range(80))]
    stored = encoder.encode_sentences(sentences)
    assert stored.shape == (len(sentences), encoder.meaning_size)
    for text, index in (("빵을 굽는 방법", 0), ("怎么烤面包", 0), ("기차는 정오에 출발합니다", 1), ("number 79", 81)):
        assert int((stored @ encoder.encode_texts([text])[0].meaning).argmax()) == index
    assert float(stored[0] @ encoder.encode_texts([sentences[0]])[0].meaning) == pytest.approx(1, abs=1e-4)
    assert encoder.encode_sentences([]).shape == (0, encoder.meaning_size)


@pytest.mark.parametrize("size", [0, 1_000])
def test_truncated_tower_raises_artifacts_missing(artifacts_dir: Path, tmp_path: Path, size: int) -> None:
    """The message says what to do."""
    source = artifacts.find_tower(artifacts_dir)
    for name in ("config.json", "source.txt"):
        (tmp_path / "tower").mkdir(exist_ok=True)
        (tmp_path / "tower" / name).write_bytes((source / name).read_bytes())
    with (source / "model.safetensors").open("rb") as weights:
        (tmp_path / "tower" / "model.safetensors").write_bytes(weights.read(size))
    with pytest.raises(
        ArtifactsMissingError, match=r"delete .*tower and run `python -m model\.starter\.artifacts --into "
    ):
        starter.load_starter(PRESET, tmp_path, "cpu", None)


def test_int8_tower_is_close_to_float32_and_equal_with_and_without_transformers(
    encoder: StarterEncoder, tower: CLIPVisionModelWithProjection, pictures: dict[str, Picture]
) -> None:
    """Cosines are 0.97 or more. It is read directly for serving, and through transformers for training."""
    pixels = starter.PREPROCESS(list(pictures.values())[:3])
    served = picture_tower.build_serving_tower(tower, torch.device("cpu"))(pixels)
    np.testing.assert_allclose(encoder.load_tower()(pixels), served, atol=1e-6)
    with torch.inference_mode():
        exact = tower(pixel_values=pixels, interpolate_pos_encoding=True).image_embeds
    exact = torch.nn.functional.normalize(exact, dim=1).numpy()
    assert (served * exact).sum(1).min() > 0.97


def test_adapter_changes_vectors_and_generation(
    artifacts_dir: Path,
    tower: CLIPVisionModelWithProjection,
    pictures: dict[str, Picture],
    encoder: Encoder,
    tmp_path: Path,
) -> None:
    """A missing adapter is reported."""
    torch.manual_seed(0)
    adapted = lora.add_adapter(copy.deepcopy(tower), rank=2, alpha=8)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    lora.save_adapter(adapted, tmp_path / "frame")
    other = starter.load_starter(PRESET, artifacts_dir, "cpu", tmp_path)
    assert other.generation != encoder.generation
    picture = [pictures["swimming.mp4"]]
    assert float(other.encode_frames(picture)[0] @ encoder.encode_frames(picture)[0]) < 0.999
    with pytest.raises(ArtifactsMissingError, match="no adapter"):
        starter.load_starter(PRESET, artifacts_dir, "cpu", tmp_path / "lost")


def test_measured_ranges_are_extremes_over_all_batches() -> None:
    """The ranges agree for each channel of the inputs of each matrix product."""
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=16
    )
    model = CLIPVisionModelWithProjection(config).eval()
    batches = [torch.randn(2, 3, 32, 32), 3 * torch.randn(1, 3, 32, 32)]
    ranges = picture_tower.measure_ranges(model, batches)
    layer = "vision_model.encoder.layers.0"
    assert set(ranges) == {
        f"{layer}.{name}" for name in ("self_attn.q_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2")
    }
    with torch.inference_mode():
        states = [model(pixel_values=pixels, output_hidden_states=True).hidden_states[0] for pixels in batches]
        read = torch.cat([model.get_submodule(f"{layer}.layer_norm1")(state).flatten(0, 1) for state in states])
    expected = torch.stack([read.amin(0).clamp(max=0), read.amax(0).clamp(min=0)]).numpy()
    np.testing.assert_allclose(ranges[f"{layer}.self_attn.q_proj"], expected, rtol=1e-4, atol=1e-5)


def test_vectors_of_the_vocabulary_are_bundled(encoder: StarterEncoder, tmp_path: Path) -> None:
    """`python -m worker.ops.bundle_words` writes them."""
    words = WordVectors(tmp_path)
    bundled = words.get_cached(encoder.generation)
    assert bundled is not None
    [expected] = encoder.encode_texts([TEMPLATE.format(words.words[-1])])
    assert bundled[-1] @ expected.frame > 0.99
