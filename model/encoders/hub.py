"""Models of the hub: fetched at one commit, and read with the classes transformers has for them."""

import json
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from httpx2 import HTTPError
from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import (
    BertTokenizer,
    ChineseCLIPImageProcessorPil,
    ChineseCLIPModel,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    SiglipImageProcessorPil,
    SiglipModel,
    TokenizersBackend,
    VideoMAEImageProcessorPil,
    XCLIPModel,
)
from transformers.utils.logging import disable_progress_bar

from model.encoders.preprocess import Preprocess
from model.errors import PartsMissing
from model.presets import HubModel

WEIGHTS = "model.safetensors"
OLD_WEIGHTS = "pytorch_model.bin"


@dataclass(frozen=True)
class Loaded:
    """One model read from its folder, float32, on the CPU."""

    model: Any
    """A `PreTrainedModel`; transformers types neither its methods nor its outputs."""
    tokenizer: Tokenizer
    preprocess: Preprocess
    masks_padding: bool


class _Family(NamedTuple):
    """What transformers has for one kind of model, and how its texts were prepared in training."""

    model: Any
    tokenizer: type[TokenizersBackend]
    processor: Any
    max_tokens: int
    masks_padding: bool = True
    """False: texts were all padded to `max_tokens`, and the model learnt to read the padding."""


_FAMILIES = {
    "clip": _Family(CLIPModel, CLIPTokenizer, CLIPImageProcessorPil, 77),
    "xclip": _Family(XCLIPModel, CLIPTokenizer, VideoMAEImageProcessorPil, 77),
    "chinese_clip": _Family(ChineseCLIPModel, BertTokenizer, ChineseCLIPImageProcessorPil, 52),
    # SigLIP 2 of a fixed size is a SigLIP with Gemma's tokenizer, which only its tokenizer.json describes in full
    "siglip": _Family(SiglipModel, TokenizersBackend, SiglipImageProcessorPil, 64, masks_padding=False),
}


def fetch(model: HubModel, parts_dir: Path, endpoint: str | None = None) -> Path:
    """The model's folder. Only for what is missing the hub (`endpoint`, else HF_ENDPOINT) is asked.

    Raises `PartsMissing`.
    """
    try:
        # without safetensors there is only the old form; transformers reads it with weights_only
        for weights in (WEIGHTS, OLD_WEIGHTS):
            folder = Path(
                snapshot_download(
                    model.repo,
                    revision=model.revision,
                    cache_dir=parts_dir / "hub",
                    allow_patterns=["*.json", "*.txt", weights],
                    endpoint=endpoint,
                )
            )
            if (folder / weights).exists():
                return folder
    except (OSError, HTTPError) as error:
        raise PartsMissing(
            f"{model.name} is not in {parts_dir / 'hub'}, and the hub did not give it: connect once with access to it,"
            " set HF_ENDPOINT to a mirror, or choose the preset `starter`, which needs no hub"
            f" ({str(error).partition(chr(10))[0]})"
        ) from error
    raise PartsMissing(f"{model.name} has neither {WEIGHTS} nor {OLD_WEIGHTS}")


def read(folder: Path, name: str) -> Loaded:
    """The model of a folder that `fetch` gave. Raises `PartsMissing`.

    Its `name_or_path` becomes `name`, not the folder: the adapters trained on it carry that along.
    """
    disable_progress_bar()
    again = f"delete {folder.parents[1]} and start again"  # the files of a commit are links to what lies beside it
    try:
        loaded, missing = _read(folder)
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, SafetensorError, UnpicklingError) as error:
        raise PartsMissing(f"{name} cannot be read: {again} ({error})") from error
    if missing:
        raise PartsMissing(f"{name} lacks weights ({', '.join(sorted(missing)[:3])}): {again}")
    loaded.model.name_or_path = name
    return loaded


def _read(folder: Path) -> tuple[Loaded, set[str]]:
    family = _FAMILIES[json.loads((folder / "config.json").read_text())["model_type"]]
    model, report = family.model.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    positions = model.config.text_config.max_position_embeddings
    return Loaded(
        model=model.eval(),
        tokenizer=_tokenizer(family, folder, min(family.max_tokens, positions)),
        preprocess=Preprocess.like(family.processor.from_pretrained(folder)),
        masks_padding=family.masks_padding,
    ), set(report["missing_keys"])


def _tokenizer(family: _Family, folder: Path, max_tokens: int) -> Tokenizer:
    """The bare tokenizer, set once: that of transformers sets it anew in each call, which threads may not share."""
    whole = family.tokenizer.from_pretrained(folder)
    bare: Tokenizer = whole.backend_tokenizer
    bare.enable_truncation(max_tokens)
    bare.enable_padding(
        direction="right",
        pad_id=whole.pad_token_id,
        pad_token=whole.pad_token,
        length=None if family.masks_padding else max_tokens,
    )
    return bare
