"""Looks at each part of an installation and says how to mend what is wrong."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import fsspec
import redis

from indexer.errors import StoreUnavailableError
from indexer.fetch.fetch_worker import find_js_runtime
from model.errors import PartsMissing
from model.evaluation import published
from model.starter.artifacts import default_folder, fetching, sample_files, tower_folder
from worker.settings import Settings

LEAST_FREE_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class DoctorCheck:
    """One part: how it is, and what mends it."""

    name: str
    ok: bool
    detail: str
    mend: str = ""


def check(settings: Settings) -> list[DoctorCheck]:
    """Every part that these settings use."""
    checks: list[Callable[[Settings], DoctorCheck]] = [_data_folder, _model, _samples, _device, _blobs, _youtube]
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
        checks.append(lambda _: _redis(url))
    if settings.qdrant_url is not None:
        checks.append(_qdrant)
    return [each(settings) for each in checks]


def _data_folder(settings: Settings) -> DoctorCheck:
    folder, mend = (
        settings.data_dir.absolute(),
        "Set REELSEEK_DATA_DIR to a folder on a disk with room that you may write to.",
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        return DoctorCheck("data folder", False, f"{folder}: {error.strerror}", mend)
    free_bytes = shutil.disk_usage(folder).free
    return DoctorCheck("data folder", free_bytes >= LEAST_FREE_BYTES, f"{folder}, {free_bytes / 1e9:.0f} GB free", mend)


def _model(settings: Settings) -> DoctorCheck:
    measured = published.read(settings.preset) or "not measured here, `reelseek evaluate` does"
    if settings.preset != "starter":
        return DoctorCheck("model", True, f"preset {settings.preset}, fetched from its hub at first use; {measured}")
    services = settings.parts_dir or default_folder()
    try:
        folder = tower_folder(services)
    except PartsMissing as missing:
        return DoctorCheck("model", False, str(missing), f"Run `{fetching(services)}`.")
    return DoctorCheck("model", True, f"preset starter, {folder}; {measured} (docs/starter-model.md)")


def _samples(settings: Settings) -> DoctorCheck:
    services = settings.parts_dir or default_folder()
    count = len(sample_files(services))
    return DoctorCheck("samples", count > 0, f"{count} clips", f"Run `{fetching(services)}`.")


def _device(settings: Settings) -> DoctorCheck:
    import torch  # takes seconds: only the doctor's own command waits for it

    cuda = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads"
    wrong = settings.device == "cuda" and not cuda
    return DoctorCheck(
        "device", not wrong, name, "Set REELSEEK_DEVICE=auto, or install a CUDA build of torch and its driver."
    )


def _blobs(settings: Settings) -> DoctorCheck:
    try:
        filesystem, root = fsspec.core.url_to_fs(settings.blobs_address)
        filesystem.makedirs(root, exist_ok=True)
    except (OSError, ValueError, ImportError) as error:
        return DoctorCheck(
            "blob store", False, str(error), "Correct REELSEEK_BLOBS_URL; S3 needs AWS_ACCESS_KEY_ID and its like."
        )
    return DoctorCheck("blob store", True, settings.blobs_address)


def _youtube(_settings: Settings) -> DoctorCheck:
    runtime = find_js_runtime()
    return DoctorCheck(
        "YouTube", runtime is not None, f"yt-dlp runs YouTube's scripts with {runtime}", "Run `pip install deno`."
    )


def _redis(url: str) -> DoctorCheck:
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=3) as client:
            version = client.info("server")["redis_version"]
            durable = client.info("persistence")["aof_enabled"]
    except (redis.RedisError, ValueError) as error:
        return DoctorCheck(
            "Redis", False, str(error), "Start Redis, or correct REELSEEK_REDIS_URL (redis://:password@host:6379/0)."
        )
    mend = "Start Redis with `--appendonly yes`, so that queued links outlive its restart."
    return DoctorCheck(
        "Redis", bool(durable), f"version {version}, append-only file {'on' if durable else 'off'}", mend
    )


def _qdrant(settings: Settings) -> DoctorCheck:
    from indexer.vectors.qdrant_server import QdrantVectorStore  # its client takes a second to import

    key = settings.qdrant_api_key
    points = QdrantVectorStore(str(settings.qdrant_url), key.get_secret_value() if key else None)
    try:
        return DoctorCheck("Qdrant", True, f"{len(points.collections())} collections at {settings.qdrant_url}")
    except StoreUnavailableError as error:
        return DoctorCheck(
            "Qdrant", False, str(error), "Start Qdrant, or correct REELSEEK_QDRANT_URL and REELSEEK_QDRANT_API_KEY."
        )
    finally:
        points.close()
