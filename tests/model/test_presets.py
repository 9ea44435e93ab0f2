"""Presets are pinned, fetched once, and loaded with or without an adapter."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from model.encoders import lora
from model.encoders.clip import HubEncoder, build
from model.encoders.hub import fetch, read
from model.errors import AdapterMismatch, PartsMissing
from model.presets import PRESETS, HubModel, Preset, generation
from tests.support import tiny_models

pytestmark = pytest.mark.filterwarnings(tiny_models.PEFT_WARNS)

CPU = torch.device("cpu")
MODELS = {name: HubModel(f"tiny/{name}", tiny_models.COMMIT) for name in tiny_models.FAMILIES}
PAIR = Preset("pair", ("en",), frame=MODELS["clip"], motion=MODELS["xclip"])
ALONE = Preset("alone", ("zh",), frame=MODELS["chinese"])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hub")
    for name, save in tiny_models.FAMILIES.items():
        save(root / "tiny" / name)
    return root


@pytest.fixture
def hub(root: Path) -> Iterator[tiny_models.TinyHub]:
    with tiny_models.serving(root) as serving:
        yield serving


@pytest.fixture(scope="module")
def parts_dir(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all tiny models were fetched to; the hub is gone since."""
    parts_dir = tmp_path_factory.mktemp("parts")
    with tiny_models.serving(root) as serving:
        for model in MODELS.values():
            fetch(model, parts_dir, serving.endpoint)
    return parts_dir


@pytest.fixture
def adapter(parts_dir: Path, tmp_path: Path) -> Path:
    """An adapter of both models of the pair, that has learnt something."""
    folder = tmp_path / "adapter"
    for role, model in (("frame", MODELS["clip"]), ("motion", MODELS["xclip"])):
        worn = lora.with_lora(read(fetch(model, parts_dir), model.name).model, rank=2, alpha=4)
        for name, parameter in worn.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.5)
        lora.save(worn, folder / role)
    return folder


def load(preset: Preset, parts_dir: Path, adapter: Path | None = None) -> HubEncoder:
    return build(preset, device=CPU, adapter=adapter, parts_dir=parts_dir)


def test_every_model_is_pinned() -> None:
    """Each preset names its models at a full commit, and none at the same commit as another."""
    models = [model for preset in PRESETS.values() for model in (preset.frame, preset.motion) if model]
    assert set(PRESETS) == {"base", "large", "multilingual", "chinese"}
    assert all(re.fullmatch("[0-9a-f]{40}", model.revision) for model in models)
    assert len({model.revision for model in models}) == len(models)


def test_motion_only_where_its_texts_are_read() -> None:
    """X-CLIP reads English only, so only presets for English alone have motion."""
    assert all((preset.languages == ("en",)) == (preset.motion is not None) for preset in PRESETS.values())


def test_fetched_once(hub: tiny_models.TinyHub, tmp_path: Path) -> None:
    """The first fetch brings a model; the next asks the hub for nothing."""
    folder = fetch(MODELS["clip"], tmp_path, hub.endpoint)
    asked = len(hub.asked)
    assert asked > 0
    assert fetch(MODELS["clip"], tmp_path, hub.endpoint) == folder
    assert len(hub.asked) == asked


def test_only_one_form_of_the_weights_is_fetched(root: Path, hub: tiny_models.TinyHub, tmp_path: Path) -> None:
    """Where a repository holds its weights in several forms, only the safe one comes, and nothing else that is big."""
    crowded = root / "tiny" / "crowded"
    shutil.copytree(root / "tiny" / "clip", crowded)
    for file in ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"):
        (crowded / file).write_bytes(b"large")
    folder = fetch(HubModel("tiny/crowded", tiny_models.COMMIT), tmp_path, hub.endpoint)
    assert {file.name for file in folder.iterdir()} == {file.name for file in (root / "tiny" / "clip").iterdir()}


def test_an_interrupted_download_is_finished(root: Path, hub: tiny_models.TinyHub, tmp_path: Path) -> None:
    """A file that did not come before is fetched by the next start."""
    folder = fetch(MODELS["clip"], tmp_path, hub.endpoint)
    (folder / "tokenizer.json").unlink()
    assert (fetch(MODELS["clip"], tmp_path, hub.endpoint) / "tokenizer.json").exists()


@pytest.mark.parametrize(
    "model", [HubModel("tiny/none", tiny_models.COMMIT), HubModel("tiny/clip", "f" * 40)], ids=["repository", "commit"]
)
def test_what_the_hub_has_not(hub: tiny_models.TinyHub, tmp_path: Path, model: HubModel) -> None:
    """A repository or commit that is not there is missing parts, and the sentence says what to do."""
    with pytest.raises(PartsMissing, match=f"{model.name}.*HF_ENDPOINT.*starter") as caught:
        fetch(model, tmp_path, hub.endpoint)
    assert caught.value.code == "model_missing"


def test_a_repository_without_weights(root: Path, hub: tiny_models.TinyHub, tmp_path: Path) -> None:
    """A repository in no form that is read here is missing parts."""
    (root / "tiny" / "empty").mkdir()
    shutil.copy(root / "tiny" / "clip" / "config.json", root / "tiny" / "empty")
    with pytest.raises(PartsMissing, match="neither"):
        fetch(HubModel("tiny/empty", tiny_models.COMMIT), tmp_path, hub.endpoint)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"])
def test_a_damaged_folder(root: Path, tmp_path: Path, file: str) -> None:
    """A file that is cut short is missing parts, and the sentence says which folder to delete."""
    folder = tmp_path / "models--tiny--clip" / "snapshots" / tiny_models.COMMIT
    shutil.copytree(root / "tiny" / "clip", folder)
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PartsMissing, match=f"delete {tmp_path}/models--tiny--clip and"):
        read(folder, "tiny/clip@1")


@pytest.mark.parametrize("size", [0, 1000, 100_000])
def test_damaged_old_weights(root: Path, tmp_path: Path, size: int) -> None:
    """Weights of the old form that are cut short are missing parts too."""
    folder = tmp_path / "models--tiny--chinese" / "snapshots" / tiny_models.COMMIT
    shutil.copytree(root / "tiny" / "chinese", folder)
    weights = folder / "pytorch_model.bin"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(PartsMissing, match="cannot be read"):
        read(folder, "tiny/chinese@1")


def test_incomplete_weights(root: Path, tmp_path: Path) -> None:
    """Weights that leave a layer unset are missing parts, not random numbers."""
    folder = tmp_path / "clip"
    shutil.copytree(root / "tiny" / "clip", folder)
    weights = load_file(folder / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PartsMissing, match=r"lacks weights \(text_projection.weight\)"):
        read(folder, "tiny/clip@1")


def test_weights_of_another_model(root: Path, tmp_path: Path) -> None:
    """Weights of other shapes are missing parts."""
    folder = tmp_path / "clip"
    shutil.copytree(root / "tiny" / "clip", folder)
    shutil.copy(root / "tiny" / "siglip" / "model.safetensors", folder)
    with pytest.raises(PartsMissing, match="tiny/clip@1 cannot be read"):
        read(folder, "tiny/clip@1")


def test_a_pair_loads_without_the_hub(parts_dir: Path) -> None:
    """A fetched preset with two models loads offline and has both kinds of vectors."""
    encoder = load(PAIR, parts_dir)
    assert (encoder.frame_size, encoder.motion_size) == (24, 16)
    assert encoder.frames([tiny_models.picture(1)]).shape == (1, 24)
    assert encoder.clips([tiny_models.clip(1)]).shape == (1, 16)


def test_a_preset_without_motion(parts_dir: Path) -> None:
    """A fetched preset of one model, with old-form weights, loads and has no motion vectors."""
    encoder = load(ALONE, parts_dir)
    assert encoder.motion_size is None
    assert encoder.texts(["狗在雪里"])[0].frame.shape == (24,)


def test_an_adapter_is_served(parts_dir: Path, adapter: Path) -> None:
    """An adapter's parts change the vectors of the model they are for, each on its own."""
    plain, worn = load(PAIR, parts_dir).texts(["a"])[0], load(PAIR, parts_dir, adapter).texts(["a"])[0]
    assert plain.frame @ worn.frame < 0.99
    assert plain.motion is not None
    assert worn.motion is not None
    assert plain.motion @ worn.motion < 0.99
    shutil.rmtree(adapter / "motion")
    half = load(PAIR, parts_dir, adapter).texts(["a"])[0]
    assert half.motion is not None
    assert np.array_equal(half.frame, worn.frame)
    assert np.array_equal(half.motion, plain.motion)


def test_adapters_that_cannot_be_served(parts_dir: Path, adapter: Path, tmp_path: Path) -> None:
    """An adapter for motion without motion, or of another model, is refused; a lost one is missing."""
    with pytest.raises(AdapterMismatch, match="no motion model") as caught:
        load(ALONE, parts_dir, adapter)
    assert caught.value.code == "model_mismatch"
    with pytest.raises(AdapterMismatch, match="made for tiny/clip"):
        load(replace(PAIR, frame=MODELS["siglip"]), parts_dir, adapter)
    with pytest.raises(PartsMissing, match="no adapter"):
        load(PAIR, parts_dir, tmp_path / "gone")


def test_generation_tells_models_and_adapters_apart(adapter: Path, tmp_path: Path) -> None:
    """The generation is the same for the same models and adapter wherever they lie, and another for any other."""
    moved = tmp_path / "moved"
    shutil.copytree(adapter, moved)
    changed = tmp_path / "changed"
    shutil.copytree(adapter, changed)
    weights = changed / "frame" / lora.WEIGHTS
    weights.write_bytes(weights.read_bytes() + b"\0")
    later = replace(PAIR, motion=HubModel("tiny/xclip", "f" * 40))
    assert generation(PAIR, adapter) == generation(PAIR, moved)
    assert re.fullmatch("pair-[0-9a-f]{8}", generation(PAIR, None))
    names = {generation(PAIR, None), generation(PAIR, adapter), generation(PAIR, changed), generation(later, None)}
    assert len(names) == 4


def test_generations_of_the_presets() -> None:
    """These names are in libraries out there: they change only when a model does."""
    assert {name: generation(preset, None) for name, preset in PRESETS.items()} == {
        "base": "base-5bfd9335",
        "large": "large-812fa584",
        "multilingual": "multilingual-add561ff",
        "chinese": "chinese-1c75feff",
    }
