"""Base models, from the Hugging Face hub at a pinned commit or from a folder, read with the classes of transformers."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final, NamedTuple

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
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
from model.ports import FetchProgress
from model.presets import HubModel, ModelSource

_END_WITHIN_S: Final = 5.0
"""Time in which a download that is stopped removes its incomplete files."""


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


def load_model(
    model: ModelSource, role: str, artifacts_dir: Path, on_fetch: FetchProgress | None = None
) -> LoadedModel:
    """Read the model for `frame` or `motion`, and fetch it first if it is not here.

    `on_fetch` may raise to stop a download. Raises `ArtifactsMissingError`, and `PresetUnusableError` if the model is
    of a family that the role cannot use.
    """
    if isinstance(model, HubModel):
        folder = fetch_model(model, artifacts_dir, on_fetch=on_fetch)
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


def fetch_model(
    model: HubModel, artifacts_dir: Path, endpoint: str | None = None, on_fetch: FetchProgress | None = None
) -> Path:
    """Return the folder of a hub model. Only missing files are downloaded, from `endpoint`, else HF_ENDPOINT.

    `on_fetch` is called twice a second during a download, and may raise to stop it: complete files are kept then.
    Raises `ArtifactsMissingError`.
    """
    # Repositories without safetensors have only the pickled weights; transformers reads them with weights_only.
    requests: dict[str, dict[str, Any]] = {
        weights: {
            "repo_id": model.repo,
            "revision": model.revision,
            "cache_dir": str(artifacts_dir / "hub"),
            "allow_patterns": ["*.json", "*.txt", weights],
            "endpoint": endpoint,
        }
        for weights in (WEIGHTS_FILE, PICKLED_WEIGHTS_FILE)
    }
    for weights, request in requests.items():
        found = _find_snapshot(request)
        if found and (found / weights).exists():
            return found
    for weights, request in requests.items():
        folder = _download(model, request, on_fetch)
        if (folder / weights).exists():
            return folder
    names = ", ".join(requests)
    raise ArtifactsMissingError("{model} has neither of {names}", model=model.name, names=names)


def _find_snapshot(request: dict[str, Any]) -> Path | None:
    """Return the folder of a model that was downloaded before, or None if files are known to be missing."""
    try:
        return Path(snapshot_download(**request, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _download(model: HubModel, request: dict[str, Any], on_fetch: FetchProgress | None) -> Path:
    """Download in a child process, which is ended if `on_fetch` raises."""
    error = "the download ended"
    with _start_download(request) as child:
        for line in child.stdout or ():
            match json.loads(line):
                case {"folder": str(folder)}:
                    return Path(folder)
                case {"error": str(error)}:
                    break
                case {"done": int(done), "total": int(total)} if on_fetch:
                    on_fetch(done, total)
    raise ArtifactsMissingError(
        "{model} is not in {folder} and could not be downloaded from the hub: connect once with access to it, set"
        " HF_ENDPOINT to a mirror, or choose the preset `starter`, which needs no hub ({error})",
        model=model.name,
        folder=request["cache_dir"],
        error=error,
    )


@contextmanager
def _start_download(request: dict[str, Any]) -> Iterator["subprocess.Popen[str]"]:
    """Run the child process, and end it with the block. Ctrl-C does not reach it: its parent decides."""
    with subprocess.Popen(
        [sys.executable, "-m", "model.encoders.hub_download"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            if child.stdin:
                child.stdin.write(json.dumps(request))
                child.stdin.close()
            yield child
        finally:
            child.terminate()
            try:
                child.wait(_END_WITHIN_S)
            except subprocess.TimeoutExpired:
                child.kill()


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
