"""Thumbnails, frames and other files, in a folder or any store that fsspec reaches."""

import re
from pathlib import PurePosixPath

import fsspec

KEY = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", re.ASCII)


def video_prefix(video_id: str) -> str:
    """Under which all blobs of one video lie."""
    return f"videos/{video_id}/"


class Blobs:
    """Bytes by key (`videos/<id>/0.jpg`). `url` is a folder or an fsspec address (`s3://bucket/path`)."""

    def __init__(self, url: str) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url)

    def put(self, key: str, data: bytes) -> None: ...

    def get(self, key: str) -> bytes:
        """Raises `KeyError` if there is none, or if `key` is no key."""
        ...

    def delete_prefix(self, prefix: str) -> None:
        """Deletes all keys that begin with `prefix`, which must end with `/`."""

    def url(self, key: str) -> str:
        """Where a blob lies: a path of this machine, or an address with its scheme."""
        ...
