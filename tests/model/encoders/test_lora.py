"""Adapters are put on, saved, and merged only into the model they were made for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from model.config import TARGETS
from model.encoders import lora
from model.encoders.hub import read
from model.errors import AdapterMismatch
from tests.support import tiny_models

pytestmark = pytest.mark.filterwarnings(tiny_models.PEFT_WARNS)

Fresh = Callable[[str], Any]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for name, save in tiny_models.FAMILIES.items():
        save(root / name)
    return root


@pytest.fixture
def fresh(root: Path) -> Fresh:
    """A model as it is read."""
    return lambda name: read(root / name, f"tiny/{name}@1").model


@pytest.fixture
def trained(fresh: Fresh, tmp_path: Path) -> Path:
    """A CLIP adapter that has learnt something."""
    model = lora.with_lora(fresh("clip"), rank=4, alpha=8)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    lora.save(model, tmp_path / "trained")
    return tmp_path / "trained"


def features(model: Any) -> torch.Tensor:
    words = torch.arange(10)[None]
    with torch.inference_mode():
        found: torch.Tensor = model.get_text_features(input_ids=words, attention_mask=words >= 0).pooler_output
    return found


@pytest.mark.parametrize("name", ["clip", "xclip", "siglip"])
def test_a_fresh_adapter_changes_nothing(fresh: Fresh, tmp_path: Path, name: str) -> None:
    """Merging an adapter that was never trained gives the base model within 1e-5."""
    lora.save(lora.with_lora(fresh(name), rank=4, alpha=8, dropout=0.1), tmp_path)
    merged = lora.merged(fresh(name), tmp_path)
    assert torch.allclose(features(merged), features(fresh(name)), atol=1e-5)
    assert type(merged) is type(fresh(name))


def test_what_was_learnt_is_merged(fresh: Fresh, trained: Path) -> None:
    """The merged model is plain, gives what the model with the adapter gives, and not what the base gives."""
    merged = lora.merged(fresh("clip"), trained)
    worn = PeftModel.from_pretrained(fresh("clip"), str(trained)).eval()
    assert not any("lora" in name for name, _ in merged.named_parameters())
    assert torch.allclose(features(merged), features(worn), atol=1e-4)
    assert not torch.allclose(features(merged), features(fresh("clip")), atol=1e-2)


def test_the_upper_layers_are_each_stacks_own(fresh: Fresh) -> None:
    """Of both towers the last layer's attention is named, in full, and nothing below it."""
    named = lora.upper(fresh("clip"), TARGETS, layers=1)
    assert len(named) == 2 * 4
    assert {name.partition(".self_attn")[0] for name in named} == {
        "text_model.encoder.layers.1",
        "vision_model.encoder.layers.1",
    }


@pytest.mark.parametrize("name", ["clip", "xclip"])
def test_only_the_adapter_learns(fresh: Fresh, name: str) -> None:
    """With an adapter on, only its own weights have gradients, in both towers."""
    model = lora.with_lora(fresh(name), rank=2, alpha=4)
    learning = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert all("lora_" in name for name in learning)
    assert any("text_model" in name for name in learning)
    assert any("vision_model" in name for name in learning)


def test_a_saved_adapter_names_its_model(trained: Path) -> None:
    """The folder says which model and commit it is for, and holds nothing of this machine."""
    config = json.loads((trained / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny/clip@1"
    assert {file.name for file in trained.iterdir()} == {"adapter_config.json", lora.WEIGHTS, "README.md"}


def test_another_model_is_refused(fresh: Fresh, trained: Path) -> None:
    """An adapter is not merged into another commit of its model, though its shapes would fit."""
    later = fresh("clip")
    later.name_or_path = "tiny/clip@2"
    with pytest.raises(AdapterMismatch, match="made for tiny/clip@1, not tiny/clip@2"):
        lora.merged(later, trained)


def rename(folder: Path, **changes: object) -> None:
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
def test_what_does_not_fit_is_refused(fresh: Fresh, trained: Path, changes: dict[str, object]) -> None:
    """Weights of other layers or ranks, and settings peft does not know, are refused with a sentence."""
    rename(trained, **changes)
    name = "chinese" if "base_model_name_or_path" in changes else "clip"
    with pytest.raises(AdapterMismatch, match=f"tiny/{name}@1"):
        lora.merged(fresh(name), trained)


def test_a_damaged_adapter_is_refused(fresh: Fresh, trained: Path) -> None:
    """Weights that were cut off, or that are not there, are refused with a sentence."""
    weights = trained / lora.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(AdapterMismatch, match="holds no adapter"):
        lora.merged(fresh("clip"), trained)
    weights.unlink()
    with pytest.raises(AdapterMismatch, match="holds no adapter"):
        lora.merged(fresh("clip"), trained)
