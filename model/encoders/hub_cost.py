"""What a hub preset costs on this machine, measured before its weights are fetched: with random ones."""

import json
import time
from pathlib import Path
from typing import Any, Final

import httpx2
import numpy as np
import torch
from httpx2 import HTTPError
from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.hf_api import RepoFile

from model.encoders.devices import select_device, select_dtype
from model.encoders.hub import FAMILIES, list_wanted_files
from model.errors import ArtifactsMissingError
from model.presets import HubModel, Preset, PresetCost

HUB_TIMEOUT_S: Final = 3.0
_BATCH: Final = 2


def measure_preset_cost(
    preset: Preset, artifacts_dir: Path, device: str, seconds: float = 3.0, endpoint: str | None = None
) -> PresetCost:
    """Ask the hub for sizes and architectures, and measure the model for frames with random weights for some seconds.

    The picture side's speed does not depend on the weights. Raises `ArtifactsMissingError` if the hub is not in reach.
    """
    models = [model for model in preset.models if isinstance(model, HubModel)]
    try:
        # Without this request, the hub's library retries for 23 s and prints each failure.
        httpx2.head(endpoint or constants.ENDPOINT, timeout=HUB_TIMEOUT_S)
        sizes = [_measure_download(model, endpoint) for model in models]
        configs = [_fetch_config(model, artifacts_dir, endpoint) for model in models]
    except (OSError, HTTPError, ValueError) as error:
        raise ArtifactsMissingError("the hub is not in reach ({error})", error=error) from error
    selected = select_device(device)
    dtype = select_dtype(selected)
    with torch.device("meta"):
        parameters = sum(weights.numel() for config in configs for weights in _build(config).parameters())
    speed = _measure_speed(configs[0], selected, dtype, seconds)
    return PresetCost(sum(sizes), parameters * dtype.itemsize, speed)


def _measure_download(model: HubModel, endpoint: str | None) -> int:
    """Return the size of the files that are fetched, in bytes."""
    tree = HfApi(endpoint=endpoint).list_repo_tree(model.repo, revision=model.revision)
    sizes = {each.path: each.size for each in tree if isinstance(each, RepoFile)}
    return sum(sizes[name] for name in list_wanted_files(sizes))


def _fetch_config(model: HubModel, artifacts_dir: Path, endpoint: str | None) -> Path:
    return Path(
        hf_hub_download(
            model.repo,
            "config.json",
            revision=model.revision,
            cache_dir=artifacts_dir / "hub",
            endpoint=endpoint,
            etag_timeout=HUB_TIMEOUT_S,
        )
    )


def _build(config_file: Path, with_texts: bool = True) -> Any:
    """Make a model with random weights. Without `with_texts`, its text side is minimal: a full one takes long."""
    family = FAMILIES[json.loads(config_file.read_text(encoding="utf-8"))["model_type"]].model
    config = family.config_class.from_pretrained(config_file.parent)
    if not with_texts:
        config.text_config.vocab_size, config.text_config.num_hidden_layers = 8, 1
    return family(config).eval()


@torch.inference_mode()
def _measure_speed(config_file: Path, device: torch.device, dtype: torch.dtype, seconds: float) -> float:
    model = _build(config_file, with_texts=False).to(device, dtype)
    side = model.config.vision_config.image_size
    pixels = torch.from_numpy(np.random.default_rng(0).random((_BATCH, 3, side, side), np.float32)).to(device, dtype)
    model.get_image_features(pixel_values=pixels)
    started_s, done = time.monotonic(), 0
    while not done or time.monotonic() - started_s < seconds:
        model.get_image_features(pixel_values=pixels).pooler_output.sum().item()  # waits for a GPU
        done += _BATCH
    return done / (time.monotonic() - started_s)
