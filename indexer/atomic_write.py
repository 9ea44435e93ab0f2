"""Atomic file writes: a reader sees the old content or the new one, even if the writer is killed."""

import os
from pathlib import Path
from uuid import uuid4


def write_atomically(path: Path, data: bytes, *, fsync: bool = False, mode: int = 0o666) -> None:
    """Write `data` to a temporary file in the same folder and rename it to `path`.

    The temporary name begins with a dot, so that folder listings can leave out files of a killed process.
    With `fsync`, the content is on the disk before the rename and survives a power cut; without it, the file
    may be empty or truncated after one. `mode` holds the permissions of the new file before the umask. Raises
    `OSError`, and then removes the temporary file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid4().hex}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            if fsync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
