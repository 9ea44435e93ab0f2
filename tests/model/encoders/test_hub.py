"""Hub models: fetched once at a pinned commit, checked, and loaded with or without an adapter."""

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
from model.encoders.hub import fetch_model, read_model
from model.encoders.hub_encoder import HubEncoder, compute_hub_generation, load_hub_encoder
from model.errors import AdapterMismatchError, ArtifactsMissingError
from model.presets import HubModel, Preset
from tests.support.model import tiny_models
from tests.support.model.colour_encoder import LengthEncoder

pytestmark = pytest.mark.filterwarnings(tiny_models.PEFT_WARNING)

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
    with tiny_models.serve_hub(root) as hub:
        yield hub


@pytest.fixture(scope="module")
def artifacts_dir(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all tiny models, where a download puts them."""
    artifacts_dir = tmp_path_factory.mktemp("parts")
    for name in MODELS:
        snapshots = artifacts_dir / "hub" / f"models--tiny--{name}" / "snapshots"
        shutil.copytree(root / "tiny" / name, snapshots / tiny_models.COMMIT)
    return artifacts_dir


@pytest.fixture
def adapter(artifacts_dir: Path, tmp_path: Path) -> Path:
    """Return a trained adapter for both models of the pair."""
    folder = tmp_path / "adapter"
    for role, model in (("frame", MODELS["clip"]), ("motion", MODELS["xclip"])):
        adapted = lora.add_adapter(read_model(fetch_model(model, artifacts_dir), model.name).model, rank=2, alpha=4)
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.5)
        lora.save_adapter(adapted, folder / role)
    return folder


def load(preset: Preset, artifacts_dir: Path, adapter: Path | None = None) -> HubEncoder:
    return load_hub_encoder(preset, LengthEncoder(), device="cpu", adapter=adapter, artifacts_dir=artifacts_dir)


def test_model_is_fetched_once(hub: tiny_models.TinyHub, tmp_path: Path) -> None:
    """The second fetch sends no request to the hub."""
    folder = fetch_model(MODELS["clip"], tmp_path, hub.endpoint)
    requests = len(hub.requests)
    assert requests > 0
    assert fetch_model(MODELS["clip"], tmp_path, hub.endpoint) == folder
    assert len(hub.requests) == requests


def test_download_that_is_stopped_leaves_only_complete_files(hub: tiny_models.TinyHub, tmp_path: Path) -> None:
    """Also if the hub sends nothing more. The next fetch downloads what is missing."""
    hub.stalled.add("model.safetensors")
    reported: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        reported.append((done, total))
        if list(tmp_path.rglob("tokenizer.json")) and list(tmp_path.rglob("*.incomplete")):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fetch_model(MODELS["clip"], tmp_path, hub.endpoint, stop)
    assert 0 < reported[-1][0] < reported[-1][1]
    assert not list(tmp_path.rglob("*.incomplete"))
    hub.stalled.clear()
    folder = fetch_model(MODELS["clip"], tmp_path, hub.endpoint)
    assert (folder / "model.safetensors").exists()
    assert sum(path.endswith("tokenizer.json") for path in hub.requests if "resolve" in path) == 2  # HEAD and GET


def test_only_safetensors_are_fetched_if_available(root: Path, hub: tiny_models.TinyHub, tmp_path: Path) -> None:
    """No other large file of the repository is fetched."""
    crowded = root / "tiny" / "crowded"
    shutil.copytree(root / "tiny" / "clip", crowded)
    for file in ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"):
        (crowded / file).write_bytes(b"large")
    folder = fetch_model(HubModel("tiny/crowded", tiny_models.COMMIT), tmp_path, hub.endpoint)
    assert {file.name for file in folder.iterdir()} == {file.name for file in (root / "tiny" / "clip").iterdir()}


def test_missing_file_is_fetched_again(root: Path, hub: tiny_models.TinyHub, tmp_path: Path) -> None:
    folder = fetch_model(MODELS["clip"], tmp_path, hub.endpoint)
    (folder / "tokenizer.json").unlink()
    assert (fetch_model(MODELS["clip"], tmp_path, hub.endpoint) / "tokenizer.json").exists()


@pytest.mark.parametrize(
    "model", [HubModel("tiny/none", tiny_models.COMMIT), HubModel("tiny/clip", "f" * 40)], ids=["repository", "commit"]
)
def test_unknown_repository_or_commit_raises_artifacts_missing(
    hub: tiny_models.TinyHub, tmp_path: Path, model: HubModel
) -> None:
    """The message says what to do."""
    with pytest.raises(ArtifactsMissingError, match=f"{model.name}.*HF_ENDPOINT.*starter") as caught:
        fetch_model(model, tmp_path, hub.endpoint)
    assert caught.value.code == "model_missing"


def test_repository_without_weights_raises_artifacts_missing(
    root: Path, hub: tiny_models.TinyHub, tmp_path: Path
) -> None:
    (root / "tiny" / "empty").mkdir()
    shutil.copy(root / "tiny" / "clip" / "config.json", root / "tiny" / "empty")
    with pytest.raises(ArtifactsMissingError, match="neither"):
        fetch_model(HubModel("tiny/empty", tiny_models.COMMIT), tmp_path, hub.endpoint)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"])
def test_truncated_file_raises_artifacts_missing(root: Path, tmp_path: Path, file: str) -> None:
    """The message says which folder to delete."""
    folder = tmp_path / "models--tiny--clip" / "snapshots" / tiny_models.COMMIT
    shutil.copytree(root / "tiny" / "clip", folder)
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactsMissingError, match=f"delete {tmp_path}/models--tiny--clip and"):
        read_model(folder, "tiny/clip@1")


@pytest.mark.parametrize("size", [0, 1000, 100_000])
def test_truncated_pickled_weights_raise_artifacts_missing(root: Path, tmp_path: Path, size: int) -> None:
    folder = tmp_path / "models--tiny--chinese" / "snapshots" / tiny_models.COMMIT
    shutil.copytree(root / "tiny" / "chinese", folder)
    weights = folder / "pytorch_model.bin"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(ArtifactsMissingError, match="cannot be read"):
        read_model(folder, "tiny/chinese@1")


def test_missing_weights_raise_artifacts_missing(root: Path, tmp_path: Path) -> None:
    """They must not be replaced by random numbers."""
    folder = tmp_path / "clip"
    shutil.copytree(root / "tiny" / "clip", folder)
    weights = load_file(folder / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ArtifactsMissingError, match=r"lacks weights \(text_projection.weight\)"):
        read_model(folder, "tiny/clip@1")


def test_weights_of_another_model_raise_artifacts_missing(root: Path, tmp_path: Path) -> None:
    """The shapes of the weights differ."""
    folder = tmp_path / "clip"
    shutil.copytree(root / "tiny" / "clip", folder)
    shutil.copy(root / "tiny" / "siglip" / "model.safetensors", folder)
    with pytest.raises(ArtifactsMissingError, match="tiny/clip@1 cannot be read"):
        read_model(folder, "tiny/clip@1")


def test_preset_with_motion_loads_offline(artifacts_dir: Path) -> None:
    encoder = load(PAIR, artifacts_dir)
    assert (encoder.frame_size, encoder.motion_size) == (24, 16)
    assert encoder.encode_frames([tiny_models.picture(1)]).shape == (1, 24)
    assert encoder.encode_clips([tiny_models.clip(1)]).shape == (1, 16)


def test_preset_without_motion_loads_from_pickled_weights(artifacts_dir: Path) -> None:
    encoder = load(ALONE, artifacts_dir)
    assert encoder.motion_size is None
    assert encoder.encode_texts(["狗在雪里"])[0].frame.shape == (24,)


def test_adapter_changes_vectors_of_its_models(artifacts_dir: Path, adapter: Path) -> None:
    """The adapters for frame and motion work independently."""
    plain, adapted = (
        load(PAIR, artifacts_dir).encode_texts(["a"])[0],
        load(PAIR, artifacts_dir, adapter).encode_texts(["a"])[0],
    )
    assert plain.frame @ adapted.frame < 0.99
    assert plain.motion is not None
    assert adapted.motion is not None
    assert plain.motion @ adapted.motion < 0.99
    shutil.rmtree(adapter / "motion")
    half = load(PAIR, artifacts_dir, adapter).encode_texts(["a"])[0]
    assert half.motion is not None
    assert np.array_equal(half.frame, adapted.frame)
    assert np.array_equal(half.motion, plain.motion)


def test_unusable_adapter_is_refused(artifacts_dir: Path, adapter: Path, tmp_path: Path) -> None:
    """An adapter for motion without a motion model, one for another model, and a missing one."""
    with pytest.raises(AdapterMismatchError, match="the preset alone has none") as caught:
        load(ALONE, artifacts_dir, adapter)
    assert caught.value.code == "model_mismatch"
    with pytest.raises(AdapterMismatchError, match="made for tiny/clip"):
        load(replace(PAIR, frame=MODELS["siglip"]), artifacts_dir, adapter)
    with pytest.raises(ArtifactsMissingError, match="no adapter"):
        load(PAIR, artifacts_dir, tmp_path / "gone")


def test_generation_depends_on_models_and_adapter_only(adapter: Path, tmp_path: Path) -> None:
    """The adapter's folder does not matter."""
    moved = tmp_path / "moved"
    shutil.copytree(adapter, moved)
    changed = tmp_path / "changed"
    shutil.copytree(adapter, changed)
    weights = changed / "frame" / lora.WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes() + b"\0")
    later = replace(PAIR, motion=HubModel("tiny/xclip", "f" * 40))
    assert compute_hub_generation(PAIR, adapter) == compute_hub_generation(PAIR, moved)
    assert re.fullmatch("pair-[0-9a-f]{8}", compute_hub_generation(PAIR, None))
    names = {
        compute_hub_generation(PAIR, None),
        compute_hub_generation(PAIR, adapter),
        compute_hub_generation(PAIR, changed),
        compute_hub_generation(later, None),
    }
    assert len(names) == 4
