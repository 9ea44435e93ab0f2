"""Models of the Hugging Face hub: fetched at a pinned commit and read with the classes of transformers."""

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
from model.errors import ArtifactsMissingError
from model.presets import HubModel

WEIGHTS_FILE = "model.safetensors"
PICKLED_WEIGHTS_FILE = "pytorch_model.bin"


@dataclass(frozen=True)
class LoadedModel:
    """A model read from its folder, float32, on the CPU."""

    model: Any
    """A `PreTrainedModel`; transformers types neither its methods nor its outputs."""
    tokenizer: Tokenizer
    preprocess: Preprocess
    masks_padding: bool


class _Family(NamedTuple):
    """The classes of transformers for one kind of model, and its text preparation in training."""

    model: Any
    tokenizer: type[TokenizersBackend]
    processor: Any
    max_tokens: int
    masks_padding: bool = True
    """False: all texts were padded to `max_tokens` in training, and the model attends to the padding."""


_FAMILIES = {
    "clip": _Family(CLIPModel, CLIPTokenizer, CLIPImageProcessorPil, 77),
    "xclip": _Family(XCLIPModel, CLIPTokenizer, VideoMAEImageProcessorPil, 77),
    "chinese_clip": _Family(ChineseCLIPModel, BertTokenizer, ChineseCLIPImageProcessorPil, 52),
    # SigLIP 2 of a fixed size is a SigLIP with Gemma's tokenizer, which only its tokenizer.json describes
    # completely.
    "siglip": _Family(SiglipModel, TokenizersBackend, SiglipImageProcessorPil, 64, masks_padding=False),
}


def fetch_model(model: HubModel, artifacts_dir: Path, endpoint: str | None = None) -> Path:
    """Return the model's folder. Only missing files are downloaded, from `endpoint`, else HF_ENDPOINT.

    Raises `ArtifactsMissingError`.
    """
    try:
        # Repositories without safetensors have only the pickled weights; transformers reads them with
        # weights_only.
        for weights in (WEIGHTS_FILE, PICKLED_WEIGHTS_FILE):
            folder = Path(
                snapshot_download(
                    model.repo,
                    revision=model.revision,
                    cache_dir=artifacts_dir / "hub",
                    allow_patterns=["*.json", "*.txt", weights],
                    endpoint=endpoint,
                )
            )
            if (folder / weights).exists():
                return folder
    except (OSError, HTTPError) as error:
        raise ArtifactsMissingError(
            f"{model.name} is not in {artifacts_dir / 'hub'} and could not be downloaded from the hub: connect once"
            " with access to it, set HF_ENDPOINT to a mirror, or choose the preset `starter`, which needs no hub"
            f" ({str(error).partition(chr(10))[0]})"
        ) from error
    raise ArtifactsMissingError(f"{model.name} has neither {WEIGHTS_FILE} nor {PICKLED_WEIGHTS_FILE}")


def read_model(folder: Path, name: str) -> LoadedModel:
    """Read the model in a folder that `fetch_model` returned. Raises `ArtifactsMissingError`.

    `name_or_path` of the model is set to `name` instead of the folder, because adapters trained on it store
    the value.
    """
    disable_progress_bar()
    # The files of a commit are links to blobs in the same repository folder.
    hint = f"delete {folder.parents[1]} and start again"
    try:
        loaded, missing = _read(folder)
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, SafetensorError, UnpicklingError) as error:
        raise ArtifactsMissingError(f"{name} cannot be read: {hint} ({error})") from error
    if missing:
        raise ArtifactsMissingError(f"{name} lacks weights ({', '.join(sorted(missing)[:3])}): {hint}")
    loaded.model.name_or_path = name
    return loaded


def _read(folder: Path) -> tuple[LoadedModel, set[str]]:
    family = _FAMILIES[json.loads((folder / "config.json").read_text())["model_type"]]
    model, report = family.model.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    positions = model.config.text_config.max_position_embeddings
    return LoadedModel(
        model=model.eval(),
        tokenizer=_read_tokenizer(family, folder, min(family.max_tokens, positions)),
        preprocess=Preprocess.from_processor(family.processor.from_pretrained(folder)),
        masks_padding=family.masks_padding,
    ), set(report["missing_keys"])


def _read_tokenizer(family: _Family, folder: Path, max_tokens: int) -> Tokenizer:
    """Read the underlying fast tokenizer and configure it once.

    The wrapper of transformers reconfigures it in every call, which is not thread-safe.
    """
    wrapper = family.tokenizer.from_pretrained(folder)
    tokenizer: Tokenizer = wrapper.backend_tokenizer
    tokenizer.enable_truncation(max_tokens)
    tokenizer.enable_padding(
        direction="right",
        pad_id=wrapper.pad_token_id,
        pad_token=wrapper.pad_token,
        length=None if family.masks_padding else max_tokens,
    )
    return tokenizer
