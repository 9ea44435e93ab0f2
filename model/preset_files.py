"""Presets of the operator: TOML files in one folder, each with the models of one preset.

    name = "my-clip"
    languages = ["en", "ko"]
    licence = "MIT"

    [frame]                         # CLIP, SigLIP, SigLIP 2, Chinese-CLIP or MetaCLIP 2
    folder = "my-clip"              # a folder in the layout of a hub repository, or
    # repo = "owner/name"           # a repository of the hub
    # revision = "<commit>"         # at a full commit hash

    [motion]                        # optional: X-CLIP
    repo = "owner/name"
    revision = "<commit>"

Nothing here loads torch. Every mistake raises `PresetUnusableError` with a sentence that names the file.
"""

import json
import tomllib
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.atomic_write import write_atomically
from model.errors import PresetUnusableError, UnknownPresetError
from model.local_files import compute_folder_digest, read_family, require_family
from model.presets import (
    PRESETS,
    STARTER,
    BasePreset,
    HubModel,
    LocalModel,
    ModelSource,
    Preset,
    list_starter_revisions,
)

_NAME: Final = r"[a-z0-9][a-z0-9_]*(-[a-z0-9_]+)*"
"""Collections and generations are named after it."""


class _ModelTable(BaseModel):
    """The table `frame` or `motion` of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repo: str | None = Field(None, pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str | None = Field(None, pattern=r"^[0-9a-f]{40}$")
    folder: Path | None = None


class _PresetTable(BaseModel):
    """A preset file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=f"^{_NAME}$", max_length=40)
    languages: tuple[str, ...] = Field(min_length=1)
    licence: str | None = None
    frame: _ModelTable
    motion: _ModelTable | None = None


def find_preset(name: str, folder: Path | None = None) -> BasePreset:
    """Return a preset: one of Reelseek's, or one of a file in `folder`.

    Raises `UnknownPresetError` if there is none with this name, and `PresetUnusableError` if its file has a mistake.
    """
    if name == STARTER:
        return list_starter_revisions()[0]
    if name in PRESETS:
        return PRESETS[name]
    file = list_preset_files(folder).get(name)
    if file is None:
        raise UnknownPresetError(name, list_preset_names(folder))
    return read_preset_file(file)


def list_preset_names(folder: Path | None) -> list[str]:
    """Return the names of all presets, Reelseek's first."""
    return [STARTER, *PRESETS, *list_preset_files(folder)]


def list_preset_files(folder: Path | None) -> dict[str, Path]:
    """Return the files in a folder by the names of their presets; a file without a readable name by its own."""
    files = sorted(folder.glob("*.toml")) if folder else []
    return {_read_name(file): file for file in files}


def read_preset_file(file: Path) -> Preset:
    """Read a preset from its file. Raises `PresetUnusableError`."""
    try:
        table = _PresetTable.model_validate(_read_toml(file))
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"]))
        raise PresetUnusableError("{file}: `{field}` is missing or wrong", file=file, field=field) from error
    if table.name == STARTER or table.name in PRESETS:
        raise PresetUnusableError(
            "{file}: the name {name!r} is that of a preset of Reelseek: choose another", file=file, name=table.name
        )
    same = [each for each in sorted(file.parent.glob("*.toml")) if each != file and _read_name(each) == table.name]
    if same:
        raise PresetUnusableError(
            "{file} and {other} have the same name {name!r}: rename one", file=file, other=same[0], name=table.name
        )
    return Preset(
        table.name,
        table.languages,
        frame=_read_model(table.frame, "frame", file),
        motion=_read_model(table.motion, "motion", file) if table.motion else None,
        licence=table.licence,
    )


def write_preset_file(folder: Path, model: Path) -> str:
    """Write a preset file for the model in the folder `model`, and return the preset's name.

    The name is that of the folder. Raises `PresetUnusableError`.
    """
    model = model.resolve()
    require_family(read_family(model), "frame", model)
    name = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in model.name.lower()).split())
    file = folder / f"{name}.toml"
    lines = (f"name = {_quote(name)}", 'languages = ["en"]', "[frame]", f"folder = {_quote(str(model))}")
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with write_atomically(file) as partial:
            partial.write_text("\n".join((*lines, "")), encoding="utf-8")
    preset = read_preset_file(file)
    if not isinstance(preset.frame, LocalModel) or preset.frame.folder != model:
        raise PresetUnusableError(
            "{file} exists already and names another model: rename it, or the folder {folder}", file=file, folder=model
        )
    return preset.name


def _quote(text: str) -> str:
    """Return a text as a string of TOML, which are those of JSON."""
    return json.dumps(text, ensure_ascii=False)


def _read_toml(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise PresetUnusableError("{file} cannot be read: {error}", file=file, error=error) from error
    except ValueError as error:
        raise PresetUnusableError("{file} is not TOML in UTF-8", file=file) from error


def _read_name(file: Path) -> str:
    try:
        return str(_read_toml(file).get("name", file.stem))
    except PresetUnusableError:
        return file.stem


def _read_model(table: _ModelTable, role: str, file: Path) -> ModelSource:
    if table.folder and not (table.repo or table.revision):
        folder = (file.parent / table.folder.expanduser()).resolve()
        require_family(read_family(folder), role, folder)
        return LocalModel(folder, compute_folder_digest(folder))
    if table.repo and table.revision and not table.folder:
        return HubModel(table.repo, table.revision)
    raise PresetUnusableError(
        "{file}: `{role}` needs either a `folder`, or a `repo` with its `revision`", file=file, role=role
    )
