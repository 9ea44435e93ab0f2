"""Atomic writes: readers see either the old file or the complete new one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path`, and rename it to `path` when the block ends without an error.

    The caller creates the sibling, as a file or as a folder. After an error it is deleted and `path` is
    unchanged. Parent folders are created. There is no fsync: everything written here can be produced again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        partial.replace(path)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)
