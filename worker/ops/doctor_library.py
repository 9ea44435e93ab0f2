"""The doctor's check of the library: which model embedded it, and whether that model is here."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.blobs import BlobStore
from indexer.errors import StoreUnavailableError
from indexer.generation_id import LIVE_ALIAS, GenerationId
from worker.models.blobs import adapter_prefix
from worker.ops.doctor_checks import DoctorCheck, DoctorCheckName, DoctorOutcome
from worker.settings import Settings

if TYPE_CHECKING:
    from model.errors import ModelError


def check_library(settings: Settings, weights_dir: Path | None = None) -> DoctorCheck:
    """Check that the preset and the weights of the searched generation are here.

    Another preset in the settings counts for a new library only. `weights_dir` has the starter's weights if they are
    not this version's own.
    """
    live = _read_live_generation(settings)
    if live is None:
        return DoctorCheck(DoctorCheckName.LIBRARY, DoctorOutcome.LIBRARY_EMPTY)
    stored = live.name.rpartition("-")[0]
    has_adapter = _has_adapter(settings, live)
    parameters = {"generation": str(live), "stored": stored, "preset": settings.preset, "has_adapter": has_adapter}
    outcome, why = _compare(settings, live, stored, has_adapter, weights_dir)
    return DoctorCheck(DoctorCheckName.LIBRARY, outcome, parameters | ({"why": why} if why else {}))


def _compare(
    settings: Settings, live: GenerationId, preset: str, has_adapter: bool, weights_dir: Path | None
) -> tuple[DoctorOutcome, "ModelError | None"]:
    """Return the outcome, and the reason if the model cannot be loaded."""
    from model.errors import ModelError
    from model.loader import find_preset_of, is_outdated
    from model.preset_files import find_preset
    from model.presets import STARTER_TEXT_MAP

    weights_dir = weights_dir or STARTER_TEXT_MAP.parent
    try:
        if has_adapter:
            find_preset(preset, settings.presets_folder)
        elif is_outdated(
            find_preset_of(preset, live.name, presets_dir=settings.presets_folder, weights_dir=weights_dir)
        ):
            return DoctorOutcome.LIBRARY_NEWER_WEIGHTS, None
    except ModelError as error:
        return DoctorOutcome.LIBRARY_MODEL_GONE, error
    return (DoctorOutcome.LIBRARY_OTHER_PRESET if preset != settings.preset else DoctorOutcome.LIBRARY_FITS), None


def _read_live_generation(settings: Settings) -> GenerationId | None:
    """Return the generation that is searched. None if nothing is indexed, or if the store cannot be read now."""
    if settings.qdrant_url is not None:
        from worker.vector_store import open_vector_store

        vectors = open_vector_store(settings)
        try:
            collection = vectors.resolve(LIVE_ALIAS)
        except StoreUnavailableError:  # another check reports it
            return None
        finally:
            vectors.close()
    else:
        # Another process may own the folder, so that only the file with the aliases can be read.
        aliases = settings.data_dir / "vectors" / "aliases.json"
        stored: dict[str, Any] = json.loads(aliases.read_text()) if aliases.is_file() else {}
        collection = stored.get(LIVE_ALIAS)
    return GenerationId.of_collection(collection) if collection else None


def _has_adapter(settings: Settings, generation: GenerationId) -> bool:
    """Return whether the generation has an adapter. True if the blob store, which another check reports, is away."""
    try:
        return bool(list(BlobStore(settings.blobs_address).list_names(adapter_prefix(generation))))
    except Exception:  # fsspec's stores have errors of their own
        return True
