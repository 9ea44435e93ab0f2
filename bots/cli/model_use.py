"""`reelseek model use` and `train --register`: what a preset's name, an adapter's folder or a model's folder means."""

import uuid
from pathlib import Path
from typing import Any

from bots.connect import CommandError, requiring_extra
from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import explain_error, translate
from worker.protocol.base import Caller
from worker.settings import Settings


def choose_model(settings: Settings, caller: Caller, name: str, for_space: bool) -> dict[str, Any]:
    """Return the arguments of `manage_models` for a preset's name, an adapter's folder, or a model's folder.

    An adapter is stored as a blob, and a model's folder gets a preset file. Raises `CommandError`.
    """
    folder = Path(name).expanduser()
    if name.endswith(".toml") and folder.is_file():
        raise CommandError(translate(CliMsg.PRESET_FILE_ELSEWHERE, file=folder, folder=settings.presets_folder))
    if not folder.is_dir():
        _check_preset_file(settings.presets_folder, name)
        return {"to": name}
    with requiring_extra("worker"):
        from model.errors import ModelError
        from model.preset_files import write_preset_file
        from worker.models.adapter_offers import SUMMARY_FILE

    adapter = next((each for each in (folder, folder / "adapter") if (each / SUMMARY_FILE).is_file()), None)
    if adapter is not None:
        return _offer_adapter(settings, caller, adapter, for_space)
    try:
        return {"to": write_preset_file(settings.presets_folder, folder)}
    except ModelError as error:
        raise CommandError(translate(CliMsg.PRESET_UNUSABLE, why=explain_error(error))) from error


def _check_preset_file(folder: Path, name: str) -> None:
    """Raise `CommandError`, which names the mistake, if a preset file of this computer has one."""
    if not any(folder.glob("*.toml")):
        return
    with requiring_extra("worker"):
        from model.errors import ModelError
        from model.preset_files import list_preset_files, read_preset_file

    file = list_preset_files(folder).get(name, folder / f"{name}.toml")
    try:
        if file.is_file():
            read_preset_file(file)
    except ModelError as error:
        raise CommandError(translate(CliMsg.PRESET_UNUSABLE, why=explain_error(error))) from error


def _offer_adapter(settings: Settings, caller: Caller, adapter: Path, for_space: bool) -> dict[str, Any]:
    from indexer.blobs import BlobStore
    from worker.models.adapter_offers import NotAnAdapterError, put_offer, read_preset_name
    from worker.models.blobs import space_prefix

    prefix = f"{space_prefix(caller.space if for_space else None)}offers/{uuid.uuid4().hex}/"
    try:
        preset = read_preset_name(adapter)
        put_offer(BlobStore(settings.blobs_address), prefix, adapter)
    except (NotAnAdapterError, OSError) as error:
        raise CommandError(translate(CliMsg.ADAPTER_UNUSABLE, why=explain_error(error))) from error
    return {"to": preset, "offer": prefix}
