"""The blob store: thumbnails, frames, adapters and reports, in a folder or in any store that fsspec supports.

Frontends import this module, so it imports nothing heavy.
"""

import re
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import fsspec

from indexer.atomic_write import write_atomically
from indexer.errors import store_error

_NAME = r"[\w-][\w.-]*"
_ABSENT: Final = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
KEY: Final = re.compile(f"{_NAME}(/{_NAME})*", re.ASCII)


def video_prefix(video_id: str) -> str:
    """Return the prefix of all blobs of one video."""
    return f"videos/{video_id}/"


class BlobStore:
    """Stores bytes by key (`videos/<id>/0.jpg`). `url` is a folder or an fsspec address (`s3://bucket/path`).

    Methods raise `StoreUnavailableError` if the store fails.
    """

    def __init__(self, url: str) -> None:
        self._fs, root = fsspec.url_to_fs(url)
        self._root = root.rstrip("/")
        self._is_local = "file" in self._fs.protocol

    def put(self, key: str, data: bytes) -> None:
        """Store a blob in place of the one there was."""
        path = self._path(key)
        with _translate_errors():
            if self._is_local:
                write_atomically(Path(path), data)
            else:
                self._fs.pipe_file(path, data)

    def get(self, key: str) -> bytes:
        """Return a blob. Raises `KeyError` if it does not exist, or if `key` is not a valid key."""
        try:
            path = self._path(key)
            with _translate_errors(*_ABSENT):
                return bytes(self._fs.cat_file(path))
        except (*_ABSENT, ValueError) as error:
            raise KeyError(key) from error

    def all_keys(self) -> Iterator[str]:
        """Yield the keys of all blobs, in no order."""
        for path in self._find(self._root):
            yield path.rpartition(f"{self._root}/")[2]

    def put_folder(self, prefix: str, folder: Path) -> None:
        """Store all files of a folder below `prefix`, which ends with `/`."""
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self.put(prefix + file.relative_to(folder).as_posix(), file.read_bytes())

    def get_folder(self, prefix: str, folder: Path) -> None:
        """Write all blobs below `prefix`, which ends with `/`, into a folder. Raises `KeyError` if there are none."""
        root = self._path(prefix.removesuffix("/"))
        paths = self._find(root)
        if not paths:
            raise KeyError(prefix)
        for path in paths:
            name = path.rpartition(root + "/")[2]
            file = folder / name
            data = self.get(prefix + name)
            with _translate_errors():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)

    def delete(self, key: str) -> None:
        """Delete a blob, if it exists."""
        path = self._path(key)
        with suppress(FileNotFoundError), _translate_errors(FileNotFoundError):
            self._fs.rm_file(path)

    def delete_prefix(self, prefix: str, keep: Set[str] = frozenset()) -> None:
        """Delete all blobs below `prefix`, which ends with `/`, except the keys `keep`."""
        root, kept = self._path(prefix.removesuffix("/")), {self._path(key) for key in keep}
        with suppress(FileNotFoundError), _translate_errors(FileNotFoundError):
            if not keep:
                self._fs.rm(root, recursive=True)
                return
            for path in set(map(str, self._fs.find(root))) - kept:
                self._fs.rm_file(path)

    def list_names(self, prefix: str) -> list[str]:
        """Return the names of blobs and prefixes directly below `prefix`, which ends with `/`."""
        path = self._path(prefix.removesuffix("/"))
        with suppress(FileNotFoundError), _translate_errors(FileNotFoundError):
            self._fs.invalidate_cache(path)
            return [str(each).rstrip("/").rpartition("/")[2] for each in self._fs.ls(path, detail=False)]
        return []

    def url(self, key: str) -> str:
        """Return a blob's address: a path on this machine, or a URL with its scheme."""
        path = self._path(key)
        return path if self._is_local else str(self._fs.unstrip_protocol(path))

    def _find(self, root: str) -> list[str]:
        """Return the paths of all blobs below, without temporary files of a killed process."""
        with _translate_errors():
            return [path for path in map(str, self._fs.find(root)) if not path.rpartition("/")[2].startswith(".")]

    def _path(self, key: str) -> str:
        if not KEY.fullmatch(key):
            raise ValueError(f"not a valid key: {key!r}")
        return f"{self._root}/{key}"


@contextmanager
def _translate_errors(*passed: type[OSError]) -> Iterator[None]:
    """Raise `StoreUnavailableError` in place of any error but those `passed`.

    Every fsspec implementation raises its own errors; those of S3 are not even `OSError`s.
    """
    try:
        yield
    except passed:
        raise
    except Exception as error:
        raise store_error(error) from error
