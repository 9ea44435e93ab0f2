"""Backup and restore of the installation that the settings name."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from indexer.blobs import BlobStore
from indexer.vectors.vector_store import VectorStore
from worker.ops.backup import (
    BackupRefusedError,
    Manifest,
    StoreForm,
    restore_backup,
    verify_backup,
    write_backup,
)
from worker.protocol.error_codes import ErrorCode
from worker.runtime.embedded import DataFolderInUseError, lock_data_folder
from worker.settings import Settings
from worker.vector_store import open_vector_store


def back_up_installation(settings: Settings, folder: Path) -> Manifest:
    """Write a backup into a new or empty folder. Raises `BackupRefusedError` and `IndexerError`."""
    with _open_exclusively(settings) as vectors:
        blobs = BlobStore(settings.blobs_address)
        return write_backup(folder, vectors, blobs, settings.preset, _get_store_form(settings))


def restore_installation(settings: Settings, folder: Path) -> Manifest:
    """Load a backup into empty stores. Raises `BackupRefusedError` before anything is changed, and `IndexerError`."""
    manifest = verify_backup(folder, _get_store_form(settings))
    with _open_exclusively(settings) as vectors:
        restore_backup(manifest, folder, vectors, BlobStore(settings.blobs_address))
    return manifest


@contextmanager
def _open_exclusively(settings: Settings) -> Iterator[VectorStore]:
    """Open the vector store. In the embedded form, no other process may use the data folder meanwhile."""
    try:
        lock = lock_data_folder(settings) if _get_store_form(settings) == "embedded" else nullcontext()
        with lock, closing(open_vector_store(settings)) as vectors:
            yield vectors
    except DataFolderInUseError as error:
        raise BackupRefusedError(ErrorCode.IN_USE, str(settings.data_dir)) from error


def _get_store_form(settings: Settings) -> StoreForm:
    return "embedded" if settings.qdrant_url is None else "server"
