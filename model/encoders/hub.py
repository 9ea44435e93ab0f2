"""Base models, from the Hugging Face hub at a pinned commit or from a folder, read with the classes of transformers."""

import json
from collections.abc import Iterable
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
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

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


class ModelFamily(NamedTuple):
    """The classes of transformers for one kind of model, and its text preparation in training."""

    model: Any
    tokenizer: type[TokenizersBackend]
    processor: Any
    max_tokens: int
    masks_padding: bool = True
    """False: all texts were padded to `max_tokens` in training, and the model attends to the padding."""
    folds_case: bool = True
    """Whether the model was trained with texts in lower case."""


FAMILIES = {
    "clip": ModelFamily(CLIPModel, CLIPTokenizer, CLIPImageProcessorPil, 77),
    "xclip": ModelFamily(XCLIPModel, CLIPTokenizer, VideoMAEImageProcessorPil, 77),
    "chinese_clip": ModelFamily(ChineseCLIPModel, BertTokenizer, ChineseCLIPImageProcessorPil, 52),
    # SigLIP 2 of a fixed size is a SigLIP with Gemma's tokenizer, which only its tokenizer.json describes
    # completely.
    "siglip": ModelFamily(SiglipModel, TokenizersBackend, SiglipImageProcessorPil, 64, masks_padding=False),
    # SigLIP 2 NaFlex.
    "siglip2": ModelFamily(Siglip2Model, TokenizersBackend, Siglip2ImageProcessorPil, 64, masks_padding=False),
    "metaclip_2": ModelFamily(MetaClip2Model, TokenizersBackend, CLIPImageProcessorPil, 77, folds_case=False),
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
            raise ArtifactsMissingError("the model in {folder} was moved or changed: put its files back", folder=folder)
    loaded = read_model(folder, model.name)
    require_family(loaded.model.config.model_type, role, model.name)
    return loaded


def list_wanted_files(names: Iterable[str]) -> list[str]:
    """Return the files of a repository that are fetched: safetensors, or else the pickled weights, and small files."""
    weights = next((name for name in (WEIGHTS_FILE, PICKLED_WEIGHTS_FILE) if name in set(names)), None)
    return [name for name in names if name == weights or ("/" not in name and name.endswith((".json", ".txt")))]


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
            "{model} is not in {folder} and could not be downloaded from the hub: connect once with access to it, set"
            " HF_ENDPOINT to a mirror, or choose the preset `starter`, which needs no hub ({error})",
            model=model.name,
            folder=artifacts_dir / "hub",
            error=str(error).partition("\n")[0],
        ) from error
    names = f"{WEIGHTS_FILE}, {PICKLED_WEIGHTS_FILE}"
    raise ArtifactsMissingError("{model} has neither of {names}", model=model.name, names=names)


def read_model(folder: Path, name: str) -> LoadedModel:
    """Read the model in a folder. Raises `ArtifactsMissingError`, and `PresetUnusableError` for an unknown family.

    `name_or_path` of the model is set to `name` instead of the folder, because adapters trained on it store
    the value.
    """
    disable_progress_bar()
    set_verbosity_error()  # its remarks about a configuration mean nothing to a user
    # The files of a commit are links to blobs in the same repository folder.
    is_fetched = folder.parent.name == "snapshots"
    try:
        loaded, missing = _read(folder)
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, SafetensorError, UnpicklingError) as error:
        raise _make_damage_error(name, folder, is_fetched) from error
    if missing:
        raise ArtifactsMissingError(
            "{model} lacks weights ({names}): delete {folder} and start again, or put its files back",
            model=name,
            names=", ".join(sorted(missing)[:3]),
            folder=folder,
        )
    loaded.model.name_or_path = name
    return loaded


def _make_damage_error(name: str, folder: Path, is_fetched: bool) -> ArtifactsMissingError:
    if is_fetched:
        return ArtifactsMissingError(
            "{model} cannot be read: delete {folder} and start again", model=name, folder=folder.parents[1]
        )
    return ArtifactsMissingError("{model} cannot be read: put the files of {folder} back", model=name, folder=folder)


def _read(folder: Path) -> tuple[LoadedModel, set[str]]:
    model_type = json.loads((folder / "config.json").read_text())["model_type"]
    if model_type not in FAMILIES:
        raise PresetUnusableError(
            "{folder} is a model of the family {family!r}; known are {known}",
            folder=folder,
            family=model_type,
            known=", ".join(FAMILIES),
        )
    family = FAMILIES[model_type]
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


def _read_tokenizer(family: ModelFamily, folder: Path, max_tokens: int) -> Tokenizer:
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
