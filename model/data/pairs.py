"""Training pairs: a text and the pictures that it describes. Reads them from files and assigns splits.

A pair file is one of
- TSV without a heading, in EasyNLP's format: text, tab, picture in base64;
- TSV or CSV with a heading, or JSONL, with `text` (or `caption`) and `file`, relative to the folder of the pair file,
  and optionally `source`, `kind`, `person` and `split`. A file is a picture or a video. In JSONL it may also be a
  list: the pictures of a clip in order.
"""

import base64
import binascii
import csv
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from PIL import Image

from model.data.video_frames import extract_frames
from model.errors import PairsUnreadableError

Split: TypeAlias = Literal["train", "validation", "test"]
ClipFiles: TypeAlias = tuple[Path, ...]
"""The files of a clip's pictures in order; one for a photograph."""
PairKind: TypeAlias = Literal["title", "description", "chapter", "speech", "vote", "caption"]

_KINDS: Mapping[str, PairKind] = {kind: kind for kind in get_args(PairKind)}
_SPLITS: Mapping[str, Split] = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}


@dataclass(frozen=True)
class Pair:
    """A text and the pictures that it describes."""

    text: str
    pictures: ClipFiles
    source: str
    """The video or picture that the pair belongs to. Splits and balancing go by source."""
    kind: PairKind = "caption"
    user_id: str | None = None
    """The user who submitted the video or voted; None if there was no such user."""
    hard_negatives: tuple[ClipFiles, ...] = ()
    """Clips that users voted down for this text."""
    fixed_split: Split | None = None
    """The split that a file demands. None: it follows from the source."""

    @property
    def split(self) -> Split:
        return self.fixed_split or assign_split(self.source)


def assign_split(source: str) -> Split:
    """Assign about 80, 10 and 10 % of all sources to the splits.

    The split of a source is the same on every machine and in every run.
    """
    place = int.from_bytes(sha256(f"reelseek split {source}".encode("utf-8", "replace")).digest()[:8]) / 2**64
    return "train" if place < 0.8 else "validation" if place < 0.9 else "test"


def read_pairs(file: Path, work: Path) -> list[Pair]:
    """Read the pairs of a file. Pictures in base64 and frames of videos are written into `work`.

    Raises `PairsUnreadableError`.
    """
    try:
        pairs = list(_read_rows(file, work))
    except OSError as error:
        raise PairsUnreadableError("{file} cannot be read: {error}", file=file, error=error) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise PairsUnreadableError("{file} is not a table in UTF-8", file=file) from error
    if not pairs:
        raise PairsUnreadableError("{file} contains no pairs", file=file)
    return _resolve_pictures(pairs, work)


def _read_rows(file: Path, work: Path) -> Iterator[Pair]:
    if file.suffix == ".jsonl":
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                yield _parse_row(_parse_json_object(line, file, number), file, number)
        return
    with file.open(encoding="utf-8-sig", newline="") as lines:
        heading = lines.readline().rstrip("\r\n")
        is_tsv = file.suffix != ".csv"
        columns = heading.split("\t") if is_tsv else next(csv.reader([heading]), [])
        if not {"text", "caption"} & set(columns) or "file" not in columns:
            if not is_tsv:
                raise PairsUnreadableError("{file} needs a heading with `text` and `file`", file=file)
            lines.seek(0)
            yield from _read_easynlp(lines, file, work)
            return
        dialect: Any = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if is_tsv else {}
        for number, row in enumerate(csv.DictReader(lines, columns, **dialect), 2):
            yield _parse_row(row, file, number)


def _read_easynlp(lines: Iterable[str], file: Path, work: Path) -> Iterator[Pair]:
    """Read EasyNLP's format.

    Pictures are named by their hash, so that several texts of one picture share a source.
    """
    work.mkdir(parents=True, exist_ok=True)
    for number, line in enumerate(lines, 1):
        text, tab, encoded = line.lstrip("\ufeff").rstrip("\r\n").partition("\t")
        if not (text + tab).strip():
            continue
        try:
            data = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            data = b""
        if not data:
            raise PairsUnreadableError(
                "{file}, line {line}: expected a text, a tab and a picture in base64", file=file, line=number
            )
        name = sha256(data).hexdigest()[:32]
        picture = work / name
        if not picture.exists():
            picture.write_bytes(data)
        yield Pair(text, (picture,), name)


def _parse_json_object(line: str, file: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise PairsUnreadableError("{file}, line {line}: this is not JSON", file=file, line=number) from error
    if not isinstance(row, dict):
        raise PairsUnreadableError(
            "{file}, line {line}: expected an object with `text` and `file`", file=file, line=number
        )
    return row


def _parse_row(row: Mapping[str, Any], file: Path, number: int) -> Pair:
    text, files = row.get("text") or row.get("caption"), row.get("file")
    names = [files] if isinstance(files, str) else files
    kind, split = row.get("kind") or "caption", row.get("split")
    if not isinstance(text, str) or not names or not all(isinstance(name, str) and name for name in names):
        raise PairsUnreadableError("{file}, line {line}: a pair needs `text` and `file`", file=file, line=number)
    if kind not in _KINDS:
        raise _make_choice_error(file, number, "kind", _KINDS)
    if split and split not in _SPLITS:
        raise _make_choice_error(file, number, "split", get_args(Split))
    return Pair(
        text=text,
        pictures=tuple(file.parent / name for name in names),
        source=str(row.get("source") or names[0]),
        kind=_KINDS[kind],
        user_id=str(row["person"]) if row.get("person") else None,
        fixed_split=_SPLITS[split] if split else None,
    )


def _make_choice_error(file: Path, number: int, column: str, choices: Iterable[str]) -> PairsUnreadableError:
    return PairsUnreadableError(
        "{file}, line {line}: `{column}` must be one of {choices}",
        file=file,
        line=number,
        column=column,
        choices=", ".join(choices),
    )


def _resolve_pictures(pairs: Sequence[Pair], work: Path) -> list[Pair]:
    """Check that every file is a picture (only its header is read), and replace videos by their frames."""
    pictures: dict[ClipFiles, ClipFiles] = {}
    for clip in dict.fromkeys(pair.pictures for pair in pairs):
        unreadable = [file for file in clip if not _is_picture(file)]
        if unreadable and len(clip) > 1:
            raise PairsUnreadableError("{file} is not a picture that can be read", file=unreadable[0])
        pictures[clip] = extract_frames(clip[0], work) if unreadable else clip
    return [replace(pair, pictures=pictures[pair.pictures]) for pair in pairs]


def _is_picture(file: Path) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(file):
            return True
    except (OSError, Image.DecompressionBombError):
        return False
