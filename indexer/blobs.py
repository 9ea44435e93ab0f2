"""Thumbnails, frames and other files, in a folder or any store that fsspec reaches.

A frontend imports this one: keep it light.
"""

import re

import fsspec

_NAME = r"[\w-][\w.-]*"
KEY = re.compile(f"{_NAME}(/{_NAME})*", re.ASCII)


def video_prefix(video_id: str) -> str:
    """Under which all blobs of one video lie."""
    return f"videos/{video_id}/"


class Blobs:
    """Bytes by key (`videos/<id>/0.jpg`). `url` is a folder or an fsspec address (`s3://bucket/path`)."""

    def __init__(self, url: str) -> None:
        self._fs, root = fsspec.url_to_fs(url)
        self._root = root.rstrip("/")

    def put(self, key: str, data: bytes) -> None:
        """Writes a blob whole: no reader sees half of one."""
        path = self._path(key)
        self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        with self._fs.transaction:
            self._fs.pipe_file(path, data)

    def get(self, key: str) -> bytes:
        """Raises `KeyError` where there is none, and for what is no key."""
        try:
            data: bytes = self._fs.cat_file(self._path(key))
        except (FileNotFoundError, IsADirectoryError, ValueError) as error:
            raise KeyError(key) from error
        return data

    def delete_prefix(self, prefix: str) -> None:
        """Deletes all blobs whose keys begin with `prefix`, a folder's name with its `/`."""
        path = self._path(prefix.removesuffix("/"))
        if self._fs.exists(path):
            self._fs.rm(path, recursive=True)

    def url(self, key: str) -> str:
        """Where a blob lies: a path of this machine, or an address with its scheme."""
        path = self._path(key)
        return path if "file" in self._fs.protocol else str(self._fs.unstrip_protocol(path))

    def _path(self, key: str) -> str:
        if not KEY.fullmatch(key):
            raise ValueError(f"not a key: {key!r}")
        return f"{self._root}/{key}"
