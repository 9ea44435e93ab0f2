"""Export of features as TSV and Parquet."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from model.errors import PairsUnreadableError
from model.evaluation.features import Column, extract_features
from model.ports import TextVectors
from tests.support.model.colour_encoder import ColourEncoder

TEXTS = ["1 2 3", "0.1 0.2 0.3", "3 2 1"] * 50


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    file = tmp_path / "texts.txt"
    file.write_text("\n".join([*TEXTS, "", ""]), encoding="utf-8")
    return file


def read_features(file: Path, column: Column) -> tuple[list[str], np.ndarray]:
    """Read the file as another system would."""
    if file.suffix == ".parquet":
        table = parquet.read_table(file)
        return table[column].to_pylist(), np.array(table["features"].to_pylist(), np.float32)
    with file.open(encoding="utf-8", newline="") as rows:
        found = list(csv.DictReader(rows, delimiter="\t"))
    return [row[column] for row in found], np.array([row["features"].split(",") for row in found], np.float32)


@pytest.mark.parametrize("form", ["tsv", "parquet"])
def test_extracted_features_are_read_back_exactly(lines: Path, tmp_path: Path, form: str) -> None:
    """The order is kept over several batches. Empty lines are skipped."""
    seen: list[tuple[int, int]] = []
    out = tmp_path / "new" / f"out.{form}"
    assert extract_features(ColourEncoder(), lines, "text", out, lambda *done: seen.append(done)) == 150
    texts, features = read_features(out, "text")
    assert texts == TEXTS
    assert (features == np.stack([text.frame for text in ColourEncoder().encode_texts(TEXTS)])).all()
    assert seen == [(64, 150), (128, 150), (150, 150)]


@pytest.mark.parametrize("form", ["tsv", "parquet"])
def test_pictures_are_relative_to_the_list_file(tmp_path: Path, form: str) -> None:
    """The name is written as it was given."""
    (tmp_path / "deep").mkdir()
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "deep" / "red.png")
    (tmp_path / "list.txt").write_text("deep/red.png\r\n")
    out = tmp_path / f"out.{form}"
    extract_features(ColourEncoder(), tmp_path / "list.txt", "file", out, lambda *_: None)
    names, features = read_features(out, "file")
    assert (names, features.tolist()) == (["deep/red.png"], [[1, 0, 0]])


def test_tsv_quotes_tabs_and_quotes(tmp_path: Path) -> None:

    class ConstantEncoder(ColourEncoder):
        def encode_texts(self, texts: Sequence[str]) -> list[TextVectors]:
            return [TextVectors(np.ones(3, np.float32), np.ones(2, np.float32)) for _ in texts]

    (tmp_path / "list.txt").write_text('say "hi"\tthere, 강아지')
    extract_features(ConstantEncoder(), tmp_path / "list.txt", "text", tmp_path / "out.tsv", lambda *_: None)
    assert read_features(tmp_path / "out.tsv", "text")[0] == ['say "hi"\tthere, 강아지']


@pytest.mark.parametrize("form", ["tsv", "parquet"])
def test_failed_extraction_keeps_older_file(tmp_path: Path, form: str) -> None:
    """No partial file is left."""
    out = tmp_path / f"out.{form}"
    out.write_text("from before")
    (tmp_path / "list.txt").write_text("gone.png")
    with pytest.raises(PairsUnreadableError, match="gone"):
        extract_features(ColourEncoder(), tmp_path / "list.txt", "file", out, lambda *_: None)
    assert out.read_text() == "from before"
    assert {file.name for file in tmp_path.iterdir()} == {"list.txt", out.name}


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00", None])
def test_empty_or_missing_list_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """The message names the file."""
    if content is not None:
        (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(PairsUnreadableError, match=r"list\.txt"):
        extract_features(ColourEncoder(), tmp_path / "list.txt", "text", tmp_path / "out.tsv", lambda *_: None)
