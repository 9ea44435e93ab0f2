"""The doctor's check whether the library was made with the models that are set."""

import json
from typing import Any

from indexer.blobs import BlobStore
from indexer.errors import StoreUnavailableError
from indexer.generation_id import LIVE_ALIAS, GenerationId
from worker.model_blobs import adapter_prefix
from worker.ops.doctor_checks import DoctorCheck, DoctorCheckName, DoctorOutcome
from worker.settings import Settings


def check_library(settings: Settings) -> DoctorCheck:
    """Compare the generation that is searched with the preset and its model files."""
    name, preset = DoctorCheckName.LIBRARY, settings.preset
    live = _read_live_generation(settings)
    if live is None:
        return DoctorCheck(name, DoctorOutcome.LIBRARY_EMPTY)
    stored = live.name.rpartition("-")[0]
    if stored != preset:
        return DoctorCheck(name, DoctorOutcome.LIBRARY_OTHER_PRESET, {"preset": preset, "stored": stored})
    current = _compute_generation_without_adapter(settings)
    if live.name != current and not _has_adapter(settings, live):
        parameters = {"preset": preset, "stored": live.name, "current": current}
        return DoctorCheck(name, DoctorOutcome.LIBRARY_OTHER_WEIGHTS, parameters)
    return DoctorCheck(name, DoctorOutcome.LIBRARY_FITS, {"preset": preset})


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


def _compute_generation_without_adapter(settings: Settings) -> str:
    from model.loader import compute_generation

    return compute_generation(settings.preset, None)


def _has_adapter(settings: Settings, generation: GenerationId) -> bool:
    """Return whether a retrain made the generation. True if the blob store, which another check reports, is away."""
    try:
        return bool(list(BlobStore(settings.blobs_address).list_names(adapter_prefix(generation))))
    except Exception:  # fsspec's stores have errors of their own
        return True
