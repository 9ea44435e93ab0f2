"""Backup of everything that an installation must not lose, into a folder, and its restore.

A backup contains Qdrant's snapshots (in the embedded form: its folders), the aliases that name the live generations,
and all blobs: thumbnails, frames, adapters. `manifest.json` is written last and contains every file with its hash, so
that an interrupted backup is not taken for a complete one.

With a Qdrant server, a backup can be made while jobs run. The records are saved first: a video that is finished after
that is `waiting` in them and is indexed again after a restore. Redis is not part of a backup, because everything in it
can be made again.

A snapshot contains one node's data. Back up each node of a cluster by Qdrant's own means.

The caller opens the stores; `worker.runtime.maintenance` does so from the settings.
"""

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar, Final, Literal, TypeAlias

from pydantic import BaseModel, ValidationError

from indexer.blobs import BlobStore
from indexer.generation_id import LIVE_ALIAS, is_moment_collection
from indexer.store.records import FINDABLE, RECORDS, SCHEMA, IndexStatus, VideoRecord
from indexer.store.stores import open_stores
from indexer.vectors.vector_store import Filter, VectorStore
from worker.protocol.error_codes import ErrorCode

MANIFEST: Final = "manifest.json"
INDEXED_VIDEOS: Final = Filter({"status": FINDABLE, "kind": VideoRecord.KIND})

StoreForm: TypeAlias = Literal["embedded", "server"]
"""Which vector store a backup was made of; it can only be restored into the same."""


class BackupRefusedError(Exception):
    """No complete backup was written, or nothing was restored. The operator can fix the reason."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code


class BackupFile(BaseModel):
    """One file of a backup, by its path in the backup's folder."""

    path: str
    bytes: int
    sha256: str


class Manifest(BaseModel):
    """Content of a backup, and which installations it fits."""

    FORMAT: ClassVar[int] = 1

    format: int
    reelseek: str
    """Version of Reelseek that wrote it."""
    schema_version: int
    preset: str
    form: StoreForm
    videos: int
    moments: int
    """Moments of the live generation; approximate if jobs were running."""
    collections: tuple[str, ...]
    """The records are first."""
    aliases: dict[str, str]
    files: tuple[BackupFile, ...]


def write_backup(folder: Path, vectors: VectorStore, blobs: BlobStore, preset: str, form: StoreForm) -> Manifest:
    """Write a backup into a new or empty folder. Raises `BackupRefusedError` and `IndexerError`."""
    try:
        return _write_backup(folder, vectors, blobs, preset, form)
    except OSError as error:
        raise BackupRefusedError(ErrorCode.NOT_WRITTEN, str(error)) from error


def _write_backup(folder: Path, vectors: VectorStore, blobs: BlobStore, preset: str, form: StoreForm) -> Manifest:
    if folder.exists() and any(folder.iterdir()):
        raise BackupRefusedError(ErrorCode.NOT_EMPTY, f"{folder} is not empty")
    (folder / "points").mkdir(parents=True)
    aliases = {alias: name for alias, name in vectors.aliases().items() if name in _list_collections(vectors)}
    collections = _list_collections(vectors)
    videos = vectors.count(RECORDS, Filter({"kind": "video"})) if collections else 0
    moments = vectors.count(LIVE_ALIAS, Filter()) if LIVE_ALIAS in aliases else 0
    for name in collections:
        vectors.save(name, folder / "points" / name)
    for key in blobs.all_keys():
        _write_blob(blobs, key, folder / "blobs" / key)
    manifest = Manifest(
        format=Manifest.FORMAT,
        reelseek=version("reelseek"),
        schema_version=SCHEMA,
        preset=preset,
        form=form,
        videos=videos,
        moments=moments,
        collections=tuple(collections),
        aliases=aliases,
        files=tuple(_list_files(folder)),
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    return manifest


def verify_backup(folder: Path, form: StoreForm) -> Manifest:
    """Return the manifest of a backup that is complete, undamaged and fits the installation.

    The preset of the settings does not matter: a library is searched by its own. Raises `BackupRefusedError`.
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise BackupRefusedError(ErrorCode.BACKUP_DAMAGED, f"no manifest: {error}") from error
    if manifest.form != form or manifest.format > Manifest.FORMAT or manifest.schema_version > SCHEMA:
        raise BackupRefusedError(
            ErrorCode.BACKUP_UNFIT, f"made by {manifest.reelseek}: {manifest.preset}, {manifest.form}"
        )
    for file in manifest.files:
        path = folder / file.path
        if not path.is_file() or path.stat().st_size != file.bytes or _compute_sha256(path) != file.sha256:
            raise BackupRefusedError(ErrorCode.BACKUP_DAMAGED, file.path)
    return manifest


def restore_backup(manifest: Manifest, folder: Path, vectors: VectorStore, blobs: BlobStore) -> None:
    """Load a verified backup into empty stores.

    Raises `BackupRefusedError` before anything is changed if the stores are not empty, and `IndexerError`.
    """
    if any(vectors.count(name, Filter()) for name in _list_collections(vectors)) or next(blobs.all_keys(), None):
        raise BackupRefusedError(ErrorCode.NOT_EMPTY, "the stores are not empty")
    for file in manifest.files:
        if file.path.startswith("blobs/"):
            blobs.put(file.path.removeprefix("blobs/"), (folder / file.path).read_bytes())
    # The records last: after an interrupted restore the library is either refused as not empty, or has no records.
    for name in reversed(manifest.collections):
        vectors.load(name, folder / "points" / name)
    for alias, name in manifest.aliases.items():
        vectors.point_alias(alias, name)
    open_stores(vectors)
    _reconcile(vectors)


def _reconcile(vectors: VectorStore) -> None:
    """Correct what changed while the backup was made. The records are right: what they miss is indexed again."""
    recorded = {stored.id for stored in vectors.scroll(RECORDS, Filter({"kind": "video"}), ())}
    for name in _list_collections(vectors):
        if name != RECORDS:
            stored_videos = {each.payload["video_id"] for each in vectors.scroll(name, Filter(), ("video_id",))}
            if unrecorded := stored_videos - recorded:
                vectors.delete(name, Filter({"video_id": tuple(unrecorded)}))
    live = vectors.resolve(LIVE_ALIAS)
    for stored in list(vectors.scroll(RECORDS, INDEXED_VIDEOS, ())) if live else ():
        if not vectors.count(LIVE_ALIAS, Filter({"video_id": stored.id, "open": "yes"})):
            vectors.set_payload(RECORDS, Filter(ids=(stored.id,)), {"status": IndexStatus.WAITING.value})


def _list_collections(vectors: VectorStore) -> list[str]:
    """List Reelseek's collections, the records first."""
    moments = [name for name in vectors.collections() if is_moment_collection(name)]
    return [*(name for name in vectors.collections() if name == RECORDS), *moments]


def _write_blob(blobs: BlobStore, key: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.write_bytes(blobs.get(key))
    except KeyError:
        # It was deleted after the keys were listed.
        return


def _list_files(folder: Path) -> Iterator[BackupFile]:
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        yield BackupFile(
            path=path.relative_to(folder).as_posix(), bytes=path.stat().st_size, sha256=_compute_sha256(path)
        )


def _compute_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
