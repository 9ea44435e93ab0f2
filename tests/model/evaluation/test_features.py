"""Features for other systems, as TSV and as Parquet."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from model.errors import PairsUnreadable
from model.evaluation.features import Column, extract
from model.ports import TextVectors
from tests.model.evaluation.test_compare import ByColour

TEXTS = ["1 2 3", "0.1 0.2 0.3", "3 2 1"] * 50


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    file = tmp_path / "texts.txt"
    file.write_text("\n".join([*TEXTS, "", ""]), encoding="utf-8")
    return file


def read(file: Path, column: Column) -> tuple[list[str], np.ndarray]:
    """What another system finds in it."""
    if file.suffix == ".parquet":
        table = parquet.read_table(file)
        return table[column].to_pylist(), np.array(table["features"].to_pylist(), np.float32)
    with file.open(encoding="utf-8", newline="") as rows:
        found = list(csv.DictReader(rows, delimiter="\t"))
    return [row[column] for row in found], np.array([row["features"].split(",") for row in found], np.float32)


@pytest.mark.parametrize("form", ["tsv", "parquet"])
def test_what_was_written_is_read_back_to_the_last_bit(lines: Path, tmp_path: Path, form: str) -> None:
    """Each text with its own vector, in order, over several batches; empty lines are none."""
    seen: list[tuple[int, int]] = []
    out = tmp_path / "new" / f"out.{form}"
    assert extract(ByColour(), lines, "text", out, lambda *done: seen.append(done)) == 150
    texts, features = read(out, "text")
    assert texts == TEXTS
    assert (features == np.stack([text.frame for text in ByColour().texts(TEXTS)])).all()
    assert seen == [(64, 150), (128, 150), (150, 150)]


@pytest.mark.parametrize("form", ["tsv", "parquet"])
def test_pictures_are_named_from_the_file_s_own_folder(tmp_path: Path, form: str) -> None:
    """The name stands beside the features as it was given."""
    (tmp_path / "deep").mkdir()
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "deep" / "red.png")
    (tmp_path / "list.txt").write_text("deep/red.png\r\n")
    out = tmp_path / f"out.{form}"
    extract(ByColour(), tmp_path / "list.txt", "file", out, lambda *_: None)
    names, features = read(out, "file")
    assert (names, features.tolist()) == (["deep/red.png"], [[1, 0, 0]])


def test_texts_with_tabs_and_quotes_keep_them(tmp_path: Path) -> None:
    """TSV is quoted where it must be."""

    class Same(ByColour):
        def texts(self, texts: Sequence[str]) -> list[TextVectors]:
            return [TextVectors(np.ones(3, np.float32)) for _ in texts]

    (tmp_path / "list.txt").write_text('say "hi"\tthere, 강아지')
    extract(Same(), tmp_path / "list.txt", "text", tmp_path / "out.tsv", lambda *_: None)
    assert read(tmp_path / "out.tsv", "text")[0] == ['say "hi"\tthere, 강아지']


@pytest.mark.parametrize("form", ["tsv", "parquet"])
def test_what_failed_leaves_nothing_and_spoils_nothing(tmp_path: Path, form: str) -> None:
    """An older file stays as it was when a picture cannot be read."""
    out = tmp_path / f"out.{form}"
    out.write_text("from before")
    (tmp_path / "list.txt").write_text("gone.png")
    with pytest.raises(PairsUnreadable, match="gone"):
        extract(ByColour(), tmp_path / "list.txt", "file", out, lambda *_: None)
    assert out.read_text() == "from before"
    assert {file.name for file in tmp_path.iterdir()} == {"list.txt", out.name}


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00", None])
def test_a_file_without_lines_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Empty, not text, or not there: a sentence names it."""
    if content is not None:
        (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(PairsUnreadable, match=r"list\.txt"):
        extract(ByColour(), tmp_path / "list.txt", "text", tmp_path / "out.tsv", lambda *_: None)
