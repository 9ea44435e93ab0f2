"""Base models, from the Hugging Face hub at a pinned commit or from a folder, read with the classes of transformers."""

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
    MetaClip2Model,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    SiglipImageProcessorPil,
    SiglipModel,
    TokenizersBackend,
    VideoMAEImageProcessorPil,
    XCLIPModel,
)
from transformers.utils.logging import disable_progress_bar

from model.encoders.preprocess import FlexiblePreprocess, Preprocess
from model.errors import ArtifactsMissingError, PresetUnusableError
from model.local_files import PICKLED_WEIGHTS_FILE, WEIGHTS_FILE, compute_folder_digest, require_family
from model.presets import HubModel, ModelSource


@dataclass(frozen=True)
class LoadedModel:
    """A model read from its folder, float32, on the CPU."""

    model: Any
    """A `PreTrainedModel`; transformers types neither its methods nor its outputs."""
    tokenizer: Tokenizer
    preprocess: "Preprocess | FlexiblePreprocess"
    masks_padding: bool
    folds_case: bool


class _Family(NamedTuple):
    """The classes of transformers for one kind of model, and its text preparation in training."""

    model: Any
    tokenizer: type[TokenizersBackend]
    processor: Any
    max_tokens: int
    masks_padding: bool = True
    """False: all texts were padded to `max_tokens` in training, and the model attends to the padding."""
    folds_case: bool = True
    """Whether the model was trained with texts in lower case."""


_FAMILIES = {
    "clip": _Family(CLIPModel, CLIPTokenizer, CLIPImageProcessorPil, 77),
    "xclip": _Family(XCLIPModel, CLIPTokenizer, VideoMAEImageProcessorPil, 77),
    "chinese_clip": _Family(ChineseCLIPModel, BertTokenizer, ChineseCLIPImageProcessorPil, 52),
    # SigLIP 2 of a fixed size is a SigLIP with Gemma's tokenizer, which only its tokenizer.json describes
    # completely.
    "siglip": _Family(SiglipModel, TokenizersBackend, SiglipImageProcessorPil, 64, masks_padding=False),
    # SigLIP 2 NaFlex.
    "siglip2": _Family(Siglip2Model, TokenizersBackend, Siglip2ImageProcessorPil, 64, masks_padding=False),
    "metaclip_2": _Family(MetaClip2Model, TokenizersBackend, CLIPImageProcessorPil, 77, folds_case=False),
}


def load_model(model: ModelSource, role: str, artifacts_dir: Path) -> LoadedModel:
    """Read the model for `frame` or `motion`, and fetch it first if it is not here.

    Raises `ArtifactsMissingError`, and `PresetUnusableError` if the model is of a family that the role cannot use.
    """
    if isinstance(model, HubModel):
        folder = fetch_model(model, artifacts_dir)
    else:
        folder = model.folder
        if not folder.is_dir() or compute_folder_digest(folder) != model.digest:
            raise ArtifactsMissingError(f"the model in {folder} was moved or changed: put its files back")
    loaded = read_model(folder, model.name)
    require_family(loaded.model.config.model_type, role, model.name)
    return loaded


def fetch_model(model: HubModel, artifacts_dir: Path, endpoint: str | None = None) -> Path:
    """Return the folder of a hub model. Only missing files are downloaded, from `endpoint`, else HF_ENDPOINT.

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
    """Read the model in a folder. Raises `ArtifactsMissingError`, and `PresetUnusableError` for an unknown family.

    `name_or_path` of the model is set to `name` instead of the folder, because adapters trained on it store
    the value.
    """
    disable_progress_bar()
    # The files of a commit are links to blobs in the same repository folder.
    is_fetched = folder.parent.name == "snapshots"
    hint = f"delete {folder.parents[1]} and start again" if is_fetched else f"put the files of {folder} back"
    try:
        loaded, missing = _read(folder)
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, SafetensorError, UnpicklingError) as error:
        raise ArtifactsMissingError(f"{name} cannot be read: {hint} ({error})") from error
    if missing:
        raise ArtifactsMissingError(f"{name} lacks weights ({', '.join(sorted(missing)[:3])}): {hint}")
    loaded.model.name_or_path = name
    return loaded


def _read(folder: Path) -> tuple[LoadedModel, set[str]]:
    model_type = json.loads((folder / "config.json").read_text())["model_type"]
    if model_type not in _FAMILIES:
        raise PresetUnusableError(f"{folder} is a model of the family {model_type!r}; known are {', '.join(_FAMILIES)}")
    family = _FAMILIES[model_type]
    processor = family.processor.from_pretrained(folder)
    model, report = family.model.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    positions = model.config.text_config.max_position_embeddings
    return LoadedModel(
        model=model.eval(),
        tokenizer=_read_tokenizer(family, folder, min(family.max_tokens, positions)),
        preprocess=FlexiblePreprocess(processor)
        if isinstance(processor, Siglip2ImageProcessorPil)
        else Preprocess.from_processor(processor),
        masks_padding=family.masks_padding,
        folds_case=family.folds_case,
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
