"""Files of models on this machine: which ones of a folder are read, their sizes, and the hash of their content."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Final

from model.errors import PresetUnusableError
from model.presets import HubModel

WEIGHTS_FILE: Final = "model.safetensors"
PICKLED_WEIGHTS_FILE: Final = "pytorch_model.bin"
FRAME_FAMILIES: Final = ("clip", "siglip", "siglip2", "chinese_clip", "metaclip_2")
"""`model_type` in `config.json` of the models that embed frames."""
MOTION_FAMILIES: Final = ("xclip",)


def find_fetched_model(model: HubModel, artifacts_dir: Path) -> Path | None:
    """Return the folder of a hub model if it was fetched before, or None."""
    folder = artifacts_dir / "hub" / f"models--{model.repo.replace('/', '--')}" / "snapshots" / model.revision
    return folder if _find_weights(folder) else None


def measure_weights(folder: Path) -> int:
    """Return the size of the weights in a model's folder, in bytes."""
    weights = _find_weights(folder)
    return weights.stat().st_size if weights else 0


def list_model_files(folder: Path) -> list[Path]:
    """Return the files of a model that are read: its weights, configuration and vocabulary, sorted by name."""
    weights = _find_weights(folder)
    described = (path for pattern in ("*.json", "*.txt") for path in folder.glob(pattern))
    return sorted([*described, *((weights,) if weights else ())])


def _find_weights(folder: Path) -> Path | None:
    return next((folder / name for name in (WEIGHTS_FILE, PICKLED_WEIGHTS_FILE) if (folder / name).is_file()), None)


def read_family(folder: Path) -> str:
    """Return the `model_type` of the model in a folder. Raises `PresetUnusableError` if there is no readable model."""
    try:
        family = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except OSError as error:
        raise PresetUnusableError("{folder} contains no model: config.json cannot be read", folder=folder) from error
    except (ValueError, KeyError, TypeError) as error:
        raise PresetUnusableError("{file} names no model_type", file=folder / "config.json") from error
    if _find_weights(folder) is None:
        names = f"{WEIGHTS_FILE}, {PICKLED_WEIGHTS_FILE}"
        raise PresetUnusableError("{folder} contains no weights (one of {names})", folder=folder, names=names)
    return str(family)


def require_family(family: str, role: str, where: object) -> None:
    """Raise `PresetUnusableError` if a model of this family cannot embed frames, or motion, as `role` says."""
    allowed = FRAME_FAMILIES if role == "frame" else MOTION_FAMILIES
    if family not in allowed:
        raise PresetUnusableError(
            "{where} is a model of the family {family!r}, but for `{role}` it has to be one of {allowed}",
            where=where,
            family=family,
            role=role,
            allowed=", ".join(allowed),
        )


def compute_folder_digest(folder: Path) -> str:
    """Return the SHA-256 of the model in a folder: the same for the same files on every machine."""
    return _hash_files(tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in list_model_files(folder)))


@cache
def _hash_files(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Hash files by name and content. Size and time are the cache's key: weights can have gigabytes."""
    digest = hashlib.sha256()
    for path, _, _ in files:
        digest.update(f"\n{path.name}\n".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
