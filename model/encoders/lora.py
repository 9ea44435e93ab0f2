"""LoRA adapters by peft: put on for training, saved, and merged into the model before it serves.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import PreTrainedModel

from model.config import TARGETS
from model.errors import AdapterMismatch

_LAYER = re.compile(r"(?P<stack>.*\.layers?)\.(?P<number>\d+)\.")

WEIGHTS = "adapter_model.safetensors"


def with_lora(
    model: PreTrainedModel, rank: int, alpha: int, dropout: float = 0.0, targets: Sequence[str] = TARGETS
) -> PeftModel:
    """The model with a fresh adapter, which changes nothing yet; only the adapter's weights are trainable."""
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(targets))
    return get_peft_model(model, config)


def upper(model: PreTrainedModel, targets: Sequence[str], layers: int) -> list[str]:
    """The full names of the targets in the upper so many layers of each of the model's stacks."""
    found = [(name, match) for name, _ in model.named_modules() if (match := _LAYER.match(name))]
    depth: dict[str, int] = {}
    for _, match in found:
        depth[match["stack"]] = max(depth.get(match["stack"], 0), int(match["number"]) + 1)
    return [
        name
        for name, match in found
        if name.rpartition(".")[2] in targets and int(match["number"]) >= depth[match["stack"]] - layers
    ]


def save(model: PeftModel, folder: Path) -> None:
    """Writes `adapter_config.json` and the weights, a few MB."""
    # embeddings are never trained here, and peft would ask the hub about them
    model.save_pretrained(str(folder), save_embedding_layers=False)


def merged(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """The model with the folder's adapter worked into its weights. Raises `AdapterMismatch`."""
    plain: PreTrainedModel = worn(model, folder).merge_and_unload()
    return plain


def worn(model: PreTrainedModel, folder: Path) -> PeftModel:
    """The model with the folder's adapter on it, to be trained further. Raises `AdapterMismatch`."""
    try:
        config = PeftConfig.from_pretrained(str(folder.resolve()))
        if config.base_model_name_or_path != model.name_or_path:
            raise AdapterMismatch(f"{folder} was made for {config.base_model_name_or_path}, not {model.name_or_path}")
        config.inference_mode = False
        adapted: PeftModel = get_peft_model(model, config)
        weights = load_file(folder / WEIGHTS)
        result: Any = set_peft_model_state_dict(adapted, weights)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise AdapterMismatch(f"{folder} holds no adapter for {model.name_or_path}: {error}") from error
    absent = [name for name in result.missing_keys if "lora_" in name]
    if absent or result.unexpected_keys:
        raise AdapterMismatch(f"the weights in {folder} do not fit the layers of {model.name_or_path}")
    return adapted
