"""Thumbnails, frames and other files, in a folder or any store that fsspec reaches.

Frontends import this module: keep it light.
"""

import re
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

import fsspec

from indexer.errors import StoreUnavailableError

_NAME = r"[\w-][\w.-]*"
ABSENT: Final = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
KEY = re.compile(f"{_NAME}(/{_NAME})*", re.ASCII)


def video_prefix(video_id: str) -> str:
    """Under which all blobs of one video lie."""
    return f"videos/{video_id}/"


class BlobStore:
    """Bytes by key (`videos/<id>/0.jpg`). `url` is a folder or an fsspec address (`s3://bucket/path`).

    Raises `StoreUnavailableError` when the store fails.
    """

    def __init__(self, url: str) -> None:
        self._fs, root = fsspec.url_to_fs(url)
        self._root = root.rstrip("/")
        self._is_local = "file" in self._fs.protocol

    def put(self, key: str, data: bytes) -> None:
        """Writes a blob, in place of the one there was."""
        path = self._path(key)
        with _reached():
            if self._is_local:
                _write(Path(path), data)
            else:
                self._fs.pipe_file(path, data)

    def get(self, key: str) -> bytes:
        """Raises `KeyError` where there is none, and for what is no key."""
        try:
            path = self._path(key)
            with _reached(*ABSENT):
                return bytes(self._fs.cat_file(path))
        except (*ABSENT, ValueError) as error:
            raise KeyError(key) from error

    def all_keys(self) -> Iterator[str]:
        """In no order."""
        for path in self._found(self._root):
            yield path.rpartition(f"{self._root}/")[2]

    def put_folder(self, prefix: str, folder: Path) -> None:
        """Writes all files of a folder below `prefix`, which ends with `/`."""
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self.put(prefix + file.relative_to(folder).as_posix(), file.read_bytes())

    def get_folder(self, prefix: str, folder: Path) -> None:
        """Makes a folder of all blobs below `prefix`. Raises `KeyError` where there are none."""
        root = self._path(prefix.removesuffix("/"))
        paths = self._found(root)
        if not paths:
            raise KeyError(prefix)
        for path in paths:
            name = path.rpartition(root + "/")[2]
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self.get(prefix + name))

    def delete(self, key: str) -> None:
        """Deletes a blob. There may be none."""
        path = self._path(key)
        with suppress(FileNotFoundError), _reached(FileNotFoundError):
            self._fs.rm_file(path)

    def delete_prefix(self, prefix: str, but: Set[str] = frozenset()) -> None:
        """Deletes all blobs below `prefix`, which ends with `/`, except these keys. There may be none."""
        root, kept = self._path(prefix.removesuffix("/")), {self._path(key) for key in but}
        with suppress(FileNotFoundError), _reached(FileNotFoundError):
            if not but:
                self._fs.rm(root, recursive=True)
                return
            for path in set(map(str, self._fs.find(root))) - kept:
                self._fs.rm_file(path)

    def names(self, prefix: str) -> list[str]:
        """What lies directly below `prefix`, which ends with `/`."""
        path = self._path(prefix.removesuffix("/"))
        with suppress(FileNotFoundError), _reached(FileNotFoundError):
            self._fs.invalidate_cache(path)
            return [str(each).rstrip("/").rpartition("/")[2] for each in self._fs.ls(path, detail=False)]
        return []

    def url(self, key: str) -> str:
        """Where a blob lies: a path of this machine, or an address with its scheme."""
        path = self._path(key)
        return path if self._is_local else str(self._fs.unstrip_protocol(path))

    def _found(self, root: str) -> list[str]:
        """Paths of all blobs below. What a killed process left half-written is none."""
        with _reached():
            return [path for path in map(str, self._fs.find(root)) if not path.rpartition("/")[2].startswith(".")]

    def _path(self, key: str) -> str:
        if not KEY.fullmatch(key):
            raise ValueError(f"not a key: {key!r}")
        return f"{self._root}/{key}"


@contextmanager
def _reached(*absent: type[OSError]) -> Iterator[None]:
    """Every store fails in its own way: S3's errors are not even of the system's. What says `absent` stays as it is."""
    try:
        yield
    except absent:
        raise
    except Exception as error:
        raise StoreUnavailableError(str(error)) from error


def _write(file: Path, data: bytes) -> None:
    """Written aside, under a name that is no key, and renamed: nobody reads half a file, also of a killed worker."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{uuid4().hex}")
    try:
        aside.write_bytes(data)
        aside.replace(file)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
