"""Checks of an installation's parts: the data folder, the models, and the servers that the settings name.

A check's outcome is a code with parameters. `bots.cli` turns it into sentences: what was found, and how to fix it.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import fsspec
import redis

from indexer.errors import StoreUnavailableError
from indexer.sandbox.guard import HostResolver, resolve_host
from worker.ops.doctor_checks import DoctorCheck, DoctorCheckName, DoctorOutcome
from worker.ops.doctor_library import check_library
from worker.ops.doctor_network import check_certificates, check_network, list_certificate_paths
from worker.ops.doctor_senses import check_recognition, check_recognizers
from worker.redis_client import PROBE, redis_client
from worker.settings import Settings

MIN_FREE_BYTES: Final = 2 * 1024**3


def run_checks(settings: Settings, resolve: HostResolver = resolve_host) -> list[DoctorCheck]:
    """Check every part that these settings use. `resolve` resolves the names of sites."""
    checks: dict[DoctorCheckName, Callable[[Settings], DoctorCheck]] = {
        DoctorCheckName.DATA_FOLDER: _check_data_folder,
        DoctorCheckName.MODEL: _check_model,
        DoctorCheckName.SAMPLES: _check_samples,
        DoctorCheckName.DEVICE: _check_device,
        DoctorCheckName.BLOB_STORE: _check_blob_store,
        DoctorCheckName.YOUTUBE: _check_youtube,
        DoctorCheckName.NETWORK: lambda settings: check_network(settings, resolve),
        DoctorCheckName.LIBRARY: check_library,
        DoctorCheckName.RECOGNIZERS: check_recognizers,
        DoctorCheckName.RECOGNITION: check_recognition,
    }
    if list_certificate_paths():
        checks[DoctorCheckName.CERTIFICATES] = lambda _: check_certificates()
    if settings.redis_url is not None:
        checks[DoctorCheckName.REDIS] = _check_redis
    if settings.qdrant_url is not None:
        checks[DoctorCheckName.QDRANT] = _check_qdrant
    return [_run(name, check, settings) for name, check in checks.items()]


def _run(name: DoctorCheckName, check: Callable[[Settings], DoctorCheck], settings: Settings) -> DoctorCheck:
    try:
        return check(settings)
    except ModuleNotFoundError as error:
        return DoctorCheck(name, DoctorOutcome.NOT_INSTALLED, {"module": error.name})


def _check_data_folder(settings: Settings) -> DoctorCheck:
    name, folder = DoctorCheckName.DATA_FOLDER, settings.data_dir.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        parameters = {"folder": folder, "error": error}
        return DoctorCheck(name, DoctorOutcome.DATA_FOLDER_UNWRITABLE, parameters)
    free_bytes = shutil.disk_usage(folder).free
    outcome = DoctorOutcome.DATA_FOLDER_READY if free_bytes >= MIN_FREE_BYTES else DoctorOutcome.DATA_FOLDER_FULL
    return DoctorCheck(name, outcome, {"folder": folder, "free_gb": round(free_bytes / 1e9)})


# The checks below import what they check: it takes seconds, and a bot's machine does not have it.


def _check_model(settings: Settings) -> DoctorCheck:
    from model.errors import ArtifactsMissingError
    from model.evaluation.published import read_published_figures
    from model.packages import fetch_command
    from model.starter.artifacts import find_tower
    from model.starter.e5_file import E5

    name, figures = DoctorCheckName.MODEL, read_published_figures(settings.preset)
    if settings.preset != "starter":
        return DoctorCheck(name, DoctorOutcome.MODEL_FROM_HUB, {"preset": settings.preset, "figures": figures})
    artifacts_dir = _artifacts_dir(settings)
    try:
        folder = find_tower(artifacts_dir)
    except ArtifactsMissingError:
        parameters = {"folder": artifacts_dir, "command": fetch_command(artifacts_dir)}
        return DoctorCheck(name, DoctorOutcome.MODEL_MISSING, parameters)
    if not E5.is_complete(artifacts_dir):
        parameters = {"preset": settings.preset, "folder": folder, "command": fetch_command(artifacts_dir)}
        return DoctorCheck(name, DoctorOutcome.MODEL_WITHOUT_E5, parameters)
    parameters = {"preset": settings.preset, "folder": folder, "figures": figures}
    return DoctorCheck(name, DoctorOutcome.MODEL_READY, parameters)


def _check_samples(settings: Settings) -> DoctorCheck:
    from model.packages import fetch_command
    from model.starter.samples import find_samples

    name, artifacts_dir = DoctorCheckName.SAMPLES, _artifacts_dir(settings)
    if count := len(find_samples(artifacts_dir)):
        return DoctorCheck(name, DoctorOutcome.SAMPLES_READY, {"count": count})
    return DoctorCheck(name, DoctorOutcome.SAMPLES_MISSING, {"command": fetch_command(artifacts_dir)})


def _artifacts_dir(settings: Settings) -> Path:
    from model.packages import default_artifacts_dir

    return settings.parts_dir or default_artifacts_dir()


def _check_device(settings: Settings) -> DoctorCheck:
    import torch

    name = DoctorCheckName.DEVICE
    if torch.cuda.is_available():
        return DoctorCheck(name, DoctorOutcome.DEVICE_CUDA, {"name": torch.cuda.get_device_name()})
    outcome = DoctorOutcome.DEVICE_CUDA_MISSING if settings.device == "cuda" else DoctorOutcome.DEVICE_CPU
    return DoctorCheck(name, outcome, {"threads": torch.get_num_threads()})


def _check_blob_store(settings: Settings) -> DoctorCheck:
    name = DoctorCheckName.BLOB_STORE
    try:
        filesystem, root = fsspec.core.url_to_fs(settings.blobs_address)
        filesystem.makedirs(root, exist_ok=True)
    except (OSError, ValueError, ImportError) as error:
        return DoctorCheck(name, DoctorOutcome.BLOB_STORE_UNAVAILABLE, {"error": error})
    return DoctorCheck(name, DoctorOutcome.BLOB_STORE_READY, {"address": settings.blobs_address})


def _check_youtube(_settings: Settings) -> DoctorCheck:
    from indexer.fetch.ydl_session import find_js_runtime

    if (runtime := find_js_runtime()) is None:
        return DoctorCheck(DoctorCheckName.YOUTUBE, DoctorOutcome.YOUTUBE_RUNTIME_MISSING)
    return DoctorCheck(DoctorCheckName.YOUTUBE, DoctorOutcome.YOUTUBE_READY, {"runtime": runtime})


def _check_redis(settings: Settings) -> DoctorCheck:
    assert settings.redis_url is not None  # noqa: S101  # checked only with one
    name = DoctorCheckName.REDIS
    try:
        with redis_client(settings.redis_url.get_secret_value(), PROBE) as client:
            version = client.info("server")["redis_version"]
            is_durable = bool(client.info("persistence")["aof_enabled"])
    except (redis.RedisError, ValueError) as error:
        return DoctorCheck(name, DoctorOutcome.REDIS_UNAVAILABLE, {"error": error})
    outcome = DoctorOutcome.REDIS_READY if is_durable else DoctorOutcome.REDIS_NOT_DURABLE
    return DoctorCheck(name, outcome, {"version": version})


def _check_qdrant(settings: Settings) -> DoctorCheck:
    from indexer.vectors.qdrant_server import QdrantVectorStore

    name, key = DoctorCheckName.QDRANT, settings.qdrant_api_key
    points = QdrantVectorStore(str(settings.qdrant_url), key.get_secret_value() if key else None)
    try:
        parameters = {"collections": len(points.collections()), "url": settings.qdrant_url}
        return DoctorCheck(name, DoctorOutcome.QDRANT_READY, parameters)
    except StoreUnavailableError as error:
        return DoctorCheck(name, DoctorOutcome.QDRANT_UNAVAILABLE, {"error": error})
    finally:
        points.close()
