"""The starter preset on its real parts: it truly understands, in three languages, and serves fast."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from model.encoders import lora
from model.errors import PartsMissing
from model.ports import Encoder, Picture
from model.starter import artifacts, picture_tower
from model.starter import encoder as starter

SHOWS = {
    "swimming.mp4": ("a man swims in the water", "물에서 수영하는 남자", "男人在水里游泳"),
    "banana.mp4": ("a woman eats a banana on the grass", "풀밭에서 바나나를 먹는 여자", "坐在草地上吃香蕉的女人"),
    "carphone.mp4": ("a man in a suit and a bow tie", "양복에 나비넥타이를 맨 남자", "穿西装打领结的男人"),
    "big_buck_bunny.mp4": ("a cartoon rabbit", "만화 토끼", "卡通兔子"),
    "city_bikes.mp4": ("bicycles and cars in a street", "거리의 자전거와 자동차", "街上的自行车和汽车"),
}


@pytest.fixture(scope="module")
def parts_dir() -> Path:
    folder = artifacts.default_folder()
    try:
        artifacts.tower_folder(folder)
    except PartsMissing as missing:
        pytest.skip(f"the starter's parts are not there: {missing}")
    return folder


@pytest.fixture(scope="module")
def encoder(parts_dir: Path) -> Encoder:
    return starter.load(parts_dir, "cpu", None)


@pytest.fixture(scope="module")
def pictures(parts_dir: Path) -> dict[str, Picture]:
    """The frame in the middle of each sample."""
    found = {}
    for path, sample in artifacts.sample_files(parts_dir):
        with av.open(str(path)) as media:
            frames = list(media.decode(video=0))
            found[sample.file] = frames[len(frames) // 2].to_ndarray(format="rgb24")
    return found


@pytest.mark.parametrize("file", SHOWS)
def test_words_find_the_picture_in_three_languages(encoder: Encoder, pictures: dict[str, Picture], file: str) -> None:
    """Among all samples a sentence's nearest picture is the one it speaks of, in English, Korean and Chinese."""
    names = list(pictures)
    vectors = encoder.frames([pictures[name] for name in names])
    for text in encoder.texts(SHOWS[file]):
        assert names[int((vectors @ text.frame).argmax())] == file


def test_vectors_are_unit_and_float32(encoder: Encoder, pictures: dict[str, Picture]) -> None:
    """Frames and texts are (n, 512) float32 of length 1; nothing in, nothing out."""
    vectors = encoder.frames(list(pictures.values())[:3])
    assert vectors.shape == (3, encoder.frame_size)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.linalg.norm(encoder.texts(["snow"])[0].frame) == pytest.approx(1, abs=1e-5)
    assert encoder.frames([]).shape == (0, encoder.frame_size)
    assert encoder.texts([]) == []


def test_it_has_no_motion(encoder: Encoder) -> None:
    """It announces no motion vectors, gives texts none, and refuses clips."""
    assert encoder.motion_size is None
    assert encoder.texts(["a dog runs"])[0].motion is None
    with pytest.raises(ValueError, match="no motion vectors"):
        encoder.clips([])


@pytest.mark.parametrize(
    "text", ["", " ", "🍌🏄", "\ud800 half", "x" * 10_000, "고양이 " * 2_000, "\x00\u202e", "ꦲꦏ ሰላም"]
)
def test_any_text_is_taken(encoder: Encoder, text: str) -> None:
    """Any script, emoji, half characters and 10,000 characters give a vector."""
    assert np.isfinite(encoder.texts([text])[0].frame).all()


def test_a_text_means_the_same_alone_and_in_a_batch(encoder: Encoder) -> None:
    """Padding changes nothing, and neither do capitals or a full stop."""
    batch = encoder.texts(["a dog", "A long sentence about people who walk through a city in the rain", "雪", "x", "y"])
    for text, index in (("a dog", 0), ("A Dog.", 0), ("雪。", 2)):
        assert float(encoder.texts([text])[0].frame @ batch[index].frame) > 0.9999


@pytest.mark.parametrize("size", [0, 1_000])
def test_a_damaged_tower_is_a_sentence(parts_dir: Path, tmp_path: Path, size: int) -> None:
    """Cut short, the weights are refused with what to do."""
    source = artifacts.tower_folder(parts_dir)
    for name in ("config.json", "source.txt"):
        (tmp_path / "tower").mkdir(exist_ok=True)
        (tmp_path / "tower" / name).write_bytes((source / name).read_bytes())
    with (source / "model.safetensors").open("rb") as weights:
        (tmp_path / "tower" / "model.safetensors").write_bytes(weights.read(size))
    with pytest.raises(PartsMissing, match=r"delete .*tower and run `python -m model\.parts --into "):
        starter.load(tmp_path, "cpu", None)


def test_int8_sees_what_float_sees(parts_dir: Path, pictures: dict[str, Picture]) -> None:
    """The served form's vectors keep a cosine of 0.97 or more to those of transformers in float32."""
    model = starter.read_tower(parts_dir)
    pixels = starter.PREPROCESS(list(pictures.values())[:4])
    served = picture_tower.serve(model, torch.device("cpu"))(pixels)
    with torch.inference_mode():
        exact = model(pixel_values=pixels, interpolate_pos_encoding=True).image_embeds
    exact = torch.nn.functional.normalize(exact, dim=1).numpy()
    assert (served * exact).sum(1).min() > 0.97


def test_the_tower_is_the_same_with_and_without_transformers(parts_dir: Path, pictures: dict[str, Picture]) -> None:
    """Read straight from its file, as it is served, or through transformers, as it is trained: the same vectors."""
    pixels = starter.PREPROCESS(list(pictures.values())[:2])
    straight = picture_tower.serve_folder(artifacts.tower_folder(parts_dir))(pixels)
    through = picture_tower.serve(starter.read_tower(parts_dir), torch.device("cpu"))(pixels)
    assert np.allclose(straight, through, atol=1e-6)


def test_an_adapter_is_served_and_has_its_own_generation(
    parts_dir: Path, pictures: dict[str, Picture], encoder: Encoder, tmp_path: Path
) -> None:
    """A LoRA adapter goes through the same path: other vectors, another generation; a lost one is a sentence."""
    torch.manual_seed(0)
    adapted = lora.with_lora(starter.read_tower(parts_dir), rank=2, alpha=8)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    lora.save(adapted, tmp_path / "frame")
    other = starter.load(parts_dir, "cpu", tmp_path)
    assert other.generation != encoder.generation
    picture = [pictures["swimming.mp4"]]
    assert float(other.frames(picture)[0] @ encoder.frames(picture)[0]) < 0.999
    with pytest.raises(PartsMissing, match="no adapter"):
        starter.load(parts_dir, "cpu", tmp_path / "lost")


def test_ranges_are_the_extremes_of_what_each_product_reads() -> None:
    """For the patches of two batches, the measured range is that of all inputs together, channel by channel."""
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
