"""Arrays on disk that are filled row by row, so that an interrupted computation can resume."""

from pathlib import Path

import numpy as np


def open_array_cache(file: Path, shape: tuple[int, int], dtype: type) -> tuple[np.memmap, int]:
    """Open or create the array in `file`. Returns it and the number of rows that are already filled."""
    progress = _locate_progress(file)
    if file.exists() and progress.exists() and (array := np.load(file, mmap_mode="r+")).shape == shape:
        return array, int(progress.read_text())
    progress.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(file, "w+", dtype, shape), 0


def mark_rows_done(file: Path, rows: int) -> None:
    """Record that the first `rows` rows of the array in `file` are filled."""
    _locate_progress(file).write_text(str(rows))


def _locate_progress(file: Path) -> Path:
    return file.with_suffix(".done")
