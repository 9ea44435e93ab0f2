"""All that an installation must not lose, written into a folder and taken back from it.

Qdrant's snapshots (embedded: its folders), the aliases that say which generation is searched, and all blobs:
thumbnails, frames, adapters. `manifest.json` comes last and names each file with its hash, so a backup that was cut
off is none.

On a server it may be made while jobs run. The records are taken first: a video that was finished after that is
`waiting` in them, and is indexed again. Redis holds nothing that is not made anew.

A snapshot is of one node: a cluster of several is backed up by Qdrant's own means, node by node.
"""

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar, Final, Literal, TypeAlias

from pydantic import BaseModel, ValidationError

from indexer.store.blobs import BlobStore
from indexer.store.library import Library
from indexer.store.moments import MOMENTS
from indexer.store.records import RECORDS, SCHEMA
from indexer.vectors.vector_store import Filter, VectorStore
from worker.protocol.error_codes import ErrorCode
from worker.runtime.embedded import DataFolderInUseError, owner_lock
from worker.services import open_points
from worker.settings import Settings

MANIFEST: Final = "manifest.json"
FOUND: Final = Filter({"status": ("indexed", "words_only"), "kind": "video"})

Form: TypeAlias = Literal["embedded", "server"]


class BackupRefusedError(Exception):
    """Nothing whole was written, or nothing restored, for a reason that whoever runs Reelseek can mend."""

    def __init__(self, code: ErrorCode, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


class File(BaseModel):
    """One file of a backup, by its path in it."""

    path: str
    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a backup holds, and where it can be taken back."""

    FORMAT: ClassVar[int] = 1

    format: int
    reelseek: str
    schema_version: int
    preset: str
    form: Form
    videos: int
    moments: int
    """That are searched; while jobs run, about so many."""
    collections: tuple[str, ...]
    """The records first."""
    aliases: dict[str, str]
    files: tuple[File, ...]


def backup(settings: Settings, folder: Path) -> Manifest:
    """Writes a backup into a new or empty folder. Raises `BackupRefusedError` and `IndexerError`."""
    try:
        return _backup(settings, folder)
    except OSError as error:
        raise BackupRefusedError(ErrorCode.NOT_WRITTEN, str(error)) from error


def _backup(settings: Settings, folder: Path) -> Manifest:
    if folder.exists() and any(folder.iterdir()):
        raise BackupRefusedError(ErrorCode.NOT_EMPTY, f"{folder} is not empty")
    (folder / "points").mkdir(parents=True)
    with _opened(settings) as points:
        aliases = {alias: name for alias, name in points.aliases().items() if name in _collections(points)}
        collections = _collections(points)
        videos = points.count(RECORDS, Filter({"kind": "video"})) if collections else 0
        moments = points.count(MOMENTS, Filter()) if MOMENTS in aliases else 0
        for name in collections:
            points.save(name, folder / "points" / name)
        blobs = BlobStore(settings.blobs_address)
        for key in blobs.all_keys():
            _write(blobs, key, folder / "blobs" / key)
    manifest = Manifest(
        format=Manifest.FORMAT,
        reelseek=version("reelseek"),
        schema_version=SCHEMA,
        preset=settings.preset,
        form=_form(settings),
        videos=videos,
        moments=moments,
        collections=tuple(collections),
        aliases=aliases,
        files=tuple(_files(folder)),
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    return manifest


def restore(settings: Settings, folder: Path) -> Manifest:
    """Takes a backup into empty stores. Raises `BackupRefusedError` before anything is changed, and `IndexerError`."""
    manifest = _checked(settings, folder)
    with _opened(settings) as points:
        blobs = BlobStore(settings.blobs_address)
        if any(points.count(name, Filter()) for name in _collections(points)) or next(blobs.all_keys(), None):
            raise BackupRefusedError(ErrorCode.NOT_EMPTY, "the stores hold something")
        for file in manifest.files:
            if file.path.startswith("blobs/"):
                blobs.put(file.path.removeprefix("blobs/"), (folder / file.path).read_bytes())
        # The records last: a restore that was cut off leaves a library that says it is not empty, or has no record.
        for name in reversed(manifest.collections):
            points.load(name, folder / "points" / name)
        for alias, name in manifest.aliases.items():
            points.point_alias(alias, name)
        Library(points)
        _settle(points)
    return manifest


def _settle(points: VectorStore) -> None:
    """Mends what changed while the backup was made: the records are right, and what they miss is indexed again."""
    known = {stored.id for stored in points.scroll(RECORDS, Filter({"kind": "video"}), ())}
    for name in _collections(points):
        if name != RECORDS:
            kept = {each.payload["video_id"] for each in points.scroll(name, Filter(), ("video_id",))}
            if strange := kept - known:
                points.delete(name, Filter({"video_id": tuple(strange)}))
    live = points.resolve(MOMENTS)
    for stored in list(points.scroll(RECORDS, FOUND, ())) if live else ():
        if not points.count(MOMENTS, Filter({"video_id": stored.id, "open": "yes"})):
            points.set_payload(RECORDS, Filter(ids=(stored.id,)), {"status": "waiting"})


# ---- the stores ----


@contextmanager
def _opened(settings: Settings) -> Iterator[VectorStore]:
    """Embedded, nobody else may have the data open meanwhile."""
    try:
        alone = owner_lock(settings) if _form(settings) == "embedded" else nullcontext()
        with alone, closing(open_points(settings)) as points:
            yield points
    except DataFolderInUseError as error:
        raise BackupRefusedError(ErrorCode.IN_USE, str(settings.data_dir)) from error


def _form(settings: Settings) -> Form:
    return "embedded" if settings.qdrant_url is None else "server"


def _collections(points: VectorStore) -> list[str]:
    """Ours, the records first."""
    moments = [name for name in points.collections() if name.startswith(f"{MOMENTS}_")]
    return [*(name for name in points.collections() if name == RECORDS), *moments]


# ---- the files ----


def _write(blobs: BlobStore, key: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.write_bytes(blobs.get(key))
    except KeyError:
        # Forgotten since the keys were listed.
        return


def _files(folder: Path) -> Iterator[File]:
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        yield File(path=path.relative_to(folder).as_posix(), bytes=path.stat().st_size, sha256=_sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked(settings: Settings, folder: Path) -> Manifest:
    """The manifest of a backup whose files are all there as they were written, and that fits these settings."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise BackupRefusedError(ErrorCode.BACKUP_DAMAGED, f"no manifest: {error}") from error
    fits = (manifest.preset, manifest.form) == (settings.preset, _form(settings))
    if not fits or manifest.format > Manifest.FORMAT or manifest.schema_version > SCHEMA:
        raise BackupRefusedError(
            ErrorCode.BACKUP_UNFIT, f"made by {manifest.reelseek}: {manifest.preset}, {manifest.form}"
        )
    for file in manifest.files:
        path = folder / file.path
        if not path.is_file() or path.stat().st_size != file.bytes or _sha256(path) != file.sha256:
            raise BackupRefusedError(ErrorCode.BACKUP_DAMAGED, file.path)
    return manifest
