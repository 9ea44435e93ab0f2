"""LoRA adapters: attaching, saving, merging, and refusing adapters of other models."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from model.config import LORA_TARGETS
from model.encoders import lora
from model.encoders.hub import read_model
from model.errors import AdapterMismatchError
from tests.support.model import tiny_models

pytestmark = pytest.mark.filterwarnings(tiny_models.PEFT_WARNING)

MakeModel = Callable[[str], Any]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for name, save in tiny_models.FAMILIES.items():
        save(root / name)
    return root


@pytest.fixture
def make_model(root: Path) -> MakeModel:
    """Return a function that reads a tiny model without an adapter."""
    return lambda name: read_model(root / name, f"tiny/{name}@1").model


@pytest.fixture
def trained_adapter(make_model: MakeModel, tmp_path: Path) -> Path:
    """Return the folder of a CLIP adapter that is not zero."""
    model = lora.add_adapter(make_model("clip"), rank=4, alpha=8)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    lora.save_adapter(model, tmp_path / "trained")
    return tmp_path / "trained"


def encode_words(model: Any) -> torch.Tensor:
    words = torch.arange(10)[None]
    with torch.inference_mode():
        found: torch.Tensor = model.get_text_features(input_ids=words, attention_mask=words >= 0).pooler_output
    return found


@pytest.mark.parametrize("name", ["clip", "xclip", "siglip", "siglip2", "metaclip2"])
def test_merging_untrained_adapter_equals_base_model(make_model: MakeModel, tmp_path: Path, name: str) -> None:
    """The features agree within 1e-5."""
    lora.save_adapter(lora.add_adapter(make_model(name), rank=4, alpha=8, dropout=0.1), tmp_path)
    merged = lora.merge_adapter(make_model(name), tmp_path)
    assert torch.allclose(encode_words(merged), encode_words(make_model(name)), atol=1e-5)
    assert type(merged) is type(make_model(name))


def test_merged_adapter_equals_attached_adapter(make_model: MakeModel, trained_adapter: Path) -> None:
    """The merged model has no LoRA layers, and differs from the base model."""
    merged = lora.merge_adapter(make_model("clip"), trained_adapter)
    attached = PeftModel.from_pretrained(make_model("clip"), str(trained_adapter)).eval()
    assert not any("lora" in name for name, _ in merged.named_parameters())
    assert torch.allclose(encode_words(merged), encode_words(attached), atol=1e-4)
    assert not torch.allclose(encode_words(merged), encode_words(make_model("clip")), atol=1e-2)


def test_upper_layers_are_counted_per_tower(make_model: MakeModel) -> None:
    """The last layer's attention of both towers is named in full, and nothing below it."""
    named = lora.find_upper_layers(make_model("clip"), LORA_TARGETS, layers=1)
    assert len(named) == 2 * 4
    assert {name.partition(".self_attn")[0] for name in named} == {
        "text_model.encoder.layers.1",
        "vision_model.encoder.layers.1",
    }


@pytest.mark.parametrize("name", ["clip", "xclip"])
def test_only_adapter_weights_are_trainable(make_model: MakeModel, name: str) -> None:
    """The adapter is on both towers."""
    model = lora.add_adapter(make_model(name), rank=2, alpha=4)
    learning = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert all("lora_" in name for name in learning)
    assert any("text_model" in name for name in learning)
    assert any("vision_model" in name for name in learning)


def test_saved_adapter_names_its_base_model(trained_adapter: Path) -> None:
    """The folder contains the model and commit, and no paths of this machine."""
    config = json.loads((trained_adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny/clip@1"
    assert {file.name for file in trained_adapter.iterdir()} == {"adapter_config.json", lora.WEIGHTS_FILE, "README.md"}


def test_adapter_of_another_commit_is_refused(make_model: MakeModel, trained_adapter: Path) -> None:
    """The shapes of its weights would fit."""
    later = make_model("clip")
    later.name_or_path = "tiny/clip@2"
    with pytest.raises(AdapterMismatchError, match="made for tiny/clip@1, not tiny/clip@2"):
        lora.merge_adapter(later, trained_adapter)


def change_adapter_config(folder: Path, **changes: object) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"base_model_name_or_path": "tiny/chinese@1"},
        {"r": 3},
        {"target_modules": ["q_proj"]},
        {"target_modules": ["q_proj", "k_proj", "v_proj", "out_proj", "fc1"]},
        {"target_modules": ["no_such_layer"]},
        {"peft_type": "NO_SUCH_TYPE"},
    ],
    ids=str,
)
def test_adapter_that_does_not_fit_is_refused(
    make_model: MakeModel, trained_adapter: Path, changes: dict[str, object]
) -> None:
    """Refused are weights of other layers or ranks, and settings that peft does not know."""
    change_adapter_config(trained_adapter, **changes)
    name = "chinese" if "base_model_name_or_path" in changes else "clip"
    with pytest.raises(AdapterMismatchError, match=f"tiny/{name}@1"):
        lora.merge_adapter(make_model(name), trained_adapter)


def test_damaged_adapter_is_refused(make_model: MakeModel, trained_adapter: Path) -> None:
    """Its weights are truncated or missing."""
    weights = trained_adapter / lora.WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(AdapterMismatchError, match="contains no adapter"):
        lora.merge_adapter(make_model("clip"), trained_adapter)
    weights.unlink()
    with pytest.raises(AdapterMismatchError, match="contains no adapter"):
        lora.merge_adapter(make_model("clip"), trained_adapter)
