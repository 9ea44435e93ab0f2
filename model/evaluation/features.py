"""Writes features of texts or pictures for other systems, as TSV or Parquet."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from model.errors import PairsUnreadable
from model.evaluation.compare import picture
from model.ports import Encoder, Vector

Column: TypeAlias = Literal["text", "file"]
Write: TypeAlias = Callable[[Sequence[str], Vector], None]

_BATCH = 64


def extract(encoder: Encoder, lines: Path, column: Column, out: Path, progress: Callable[[int, int], None]) -> int:
    """Encodes each line of `lines`, a text or the name of a picture relative to that file, and returns how many.

    `out` is Parquet if it ends in `.parquet` (`column` and `features`, lists of float32 of fixed size), else TSV of the
    same, the numbers parted by commas. It takes its place only when it is whole. `progress` hears of lines done and of
    all. Raises `PairsUnreadable`.
    """
    items = _lines(lines)
    left = iter(items)
    done = 0
    with _writing(out, column, encoder.frame_size) as write:
        while batch := list(islice(left, _BATCH)):
            write(batch, _encoded(encoder, batch, column, lines.parent))
            done += len(batch)
            progress(done, len(items))
    return done


def _lines(file: Path) -> list[str]:
    try:
        found = [line.strip("\r") for line in file.read_text(encoding="utf-8-sig").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise PairsUnreadable(f"{file} cannot be read: {error}") from error
    if not (items := [line for line in found if line.strip()]):
        raise PairsUnreadable(f"{file} holds no lines")
    return items


def _encoded(encoder: Encoder, batch: Sequence[str], column: Column, folder: Path) -> Vector:
    if column == "file":
        return encoder.frames([picture(folder / name) for name in batch])
    return np.stack([text.frame for text in encoder.texts(batch)])


@contextmanager
def _writing(out: Path, column: Column, size: int) -> Iterator[Write]:
    """What is handed out takes the rows of a batch. `out` is there only when all went well."""
    new = out.with_name(f".{out.name}.new")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (_parquet if out.suffix == ".parquet" else _tsv)(new, column, size) as write:
            yield write
        new.replace(out)
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def _tsv(file: Path, column: Column, size: int) -> Iterator[Write]:
    with file.open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines, delimiter="\t", lineterminator="\n")
        table.writerow([column, "features"])
        yield lambda names, vectors: table.writerows(
            (name, ",".join(map(str, vector))) for name, vector in zip(names, vectors, strict=True)
        )


@contextmanager
def _parquet(file: Path, column: Column, size: int) -> Iterator[Write]:
    schema = pa.schema([(column, pa.string()), ("features", pa.list_(pa.float32(), size))])
    with parquet.ParquetWriter(file, schema) as table:
        yield lambda names, vectors: table.write_batch(_rows(schema, names, vectors))


def _rows(schema: pa.Schema, names: Sequence[str], vectors: Vector) -> pa.RecordBatch:
    features = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1])
    return pa.RecordBatch.from_arrays([pa.array(names, pa.string()), features], schema=schema)
