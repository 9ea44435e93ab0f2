"""Export of text or picture features for other systems, as TSV or Parquet."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from model.atomic_write import write_atomically
from model.data.images import read_picture
from model.errors import PairsUnreadableError
from model.ports import Encoder, Vector

Column: TypeAlias = Literal["text", "file"]
WriteBatch: TypeAlias = Callable[[Sequence[str], Vector], None]

_BATCH = 64


def extract_features(
    encoder: Encoder, lines: Path, column: Column, out: Path, on_progress: Callable[[int, int], None]
) -> int:
    """Encode each line of `lines`, a text or the name of a picture relative to that file.

    Returns the number of lines.

    `out` is Parquet if it ends in `.parquet` (`column` and `features`, fixed-size lists of float32), else TSV
    with the same columns, the numbers separated by commas. It is written atomically. `on_progress` gets the
    number of encoded lines and of all lines. Raises `PairsUnreadableError`.
    """
    items = _read_lines(lines)
    left = iter(items)
    done = 0
    open_writer = _open_parquet if out.suffix == ".parquet" else _open_tsv
    with write_atomically(out) as partial, open_writer(partial, column, encoder.frame_size) as write:
        while batch := list(islice(left, _BATCH)):
            write(batch, _encode(encoder, batch, column, lines.parent))
            done += len(batch)
            on_progress(done, len(items))
    return done


def _read_lines(file: Path) -> list[str]:
    try:
        lines = [line.strip("\r") for line in file.read_text(encoding="utf-8-sig").split("\n")]
    except OSError as error:
        raise PairsUnreadableError("{file} cannot be read: {error}", file=file, error=error) from error
    except UnicodeDecodeError as error:
        raise PairsUnreadableError("{file} is not a text in UTF-8", file=file) from error
    if not (items := [line for line in lines if line.strip()]):
        raise PairsUnreadableError("{file} contains no lines", file=file)
    return items


def _encode(encoder: Encoder, batch: Sequence[str], column: Column, folder: Path) -> Vector:
    if column == "file":
        return encoder.encode_frames([read_picture(folder / name) for name in batch])
    return np.stack([text.frame for text in encoder.encode_texts(batch)])


@contextmanager
def _open_tsv(file: Path, column: Column, size: int) -> Iterator[WriteBatch]:
    with file.open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines, delimiter="\t", lineterminator="\n")
        table.writerow([column, "features"])
        yield lambda names, vectors: table.writerows(
            (name, ",".join(map(str, vector))) for name, vector in zip(names, vectors, strict=True)
        )


@contextmanager
def _open_parquet(file: Path, column: Column, size: int) -> Iterator[WriteBatch]:
    schema = pa.schema([(column, pa.string()), ("features", pa.list_(pa.float32(), size))])
    with parquet.ParquetWriter(file, schema) as table:
        yield lambda names, vectors: table.write_batch(_make_batch(schema, names, vectors))


def _make_batch(schema: pa.Schema, names: Sequence[str], vectors: Vector) -> pa.RecordBatch:
    features = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1])
    return pa.RecordBatch.from_arrays([pa.array(names, pa.string()), features], schema=schema)
