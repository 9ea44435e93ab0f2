"""LoRA adapters in peft's format: add one for training, save it, and merge it into the model for serving.

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

from model.config import LORA_TARGETS
from model.errors import AdapterMismatchError

_LAYER = re.compile(r"(?P<stack>.*\.layers?)\.(?P<number>\d+)\.")

WEIGHTS_FILE = "adapter_model.safetensors"


def add_adapter(
    model: PreTrainedModel, rank: int, alpha: int, dropout: float = 0.0, targets: Sequence[str] = LORA_TARGETS
) -> PeftModel:
    """Add a new adapter, which has no effect until it is trained. Only the adapter's weights are trainable."""
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(targets))
    return get_peft_model(model, config)


def find_upper_layers(model: PreTrainedModel, targets: Sequence[str], layers: int) -> list[str]:
    """Return the full names of the targets in the upper `layers` layers of each of the model's stacks."""
    matches = [(name, match) for name, _ in model.named_modules() if (match := _LAYER.match(name))]
    depth: dict[str, int] = {}
    for _, match in matches:
        depth[match["stack"]] = max(depth.get(match["stack"], 0), int(match["number"]) + 1)
    return [
        name
        for name, match in matches
        if name.rpartition(".")[2] in targets and int(match["number"]) >= depth[match["stack"]] - layers
    ]


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write `adapter_config.json` and the weights, a few MB, into `folder`."""
    # Embeddings are never trained here, and peft would query the hub about them.
    model.save_pretrained(str(folder), save_embedding_layers=False)


def merge_adapter(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Merge the adapter in `folder` into the model's weights. Raises `AdapterMismatchError`."""
    plain: PreTrainedModel = attach_adapter(model, folder).merge_and_unload()
    return plain


def attach_adapter(model: PreTrainedModel, folder: Path) -> PeftModel:
    """Attach the adapter in `folder`, so that it can be trained further. Raises `AdapterMismatchError`."""
    try:
        config = PeftConfig.from_pretrained(str(folder.resolve()))
        if config.base_model_name_or_path != model.name_or_path:
            raise AdapterMismatchError(
                "{folder} was made for {base}, not {model}",
                folder=folder,
                base=config.base_model_name_or_path,
                model=model.name_or_path,
            )
        config.inference_mode = False
        adapted: PeftModel = get_peft_model(model, config)
        weights = load_file(folder / WEIGHTS_FILE)
        result: Any = set_peft_model_state_dict(adapted, weights)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise AdapterMismatchError(
            "{folder} contains no adapter for {model}", folder=folder, model=model.name_or_path
        ) from error
    missing = [name for name in result.missing_keys if "lora_" in name]
    if missing or result.unexpected_keys:
        raise AdapterMismatchError(
            "the weights in {folder} do not fit the layers of {model}", folder=folder, model=model.name_or_path
        )
    return adapted
