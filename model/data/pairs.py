"""Pairs of a text and the pictures it speaks of: read, cleaned, balanced and split.

A pair file is one of
- TSV without a heading, in the form of EasyNLP: text, tab, picture in base64;
- TSV or CSV with a heading, or JSONL, with `text` (or `caption`) and `file`, relative to the file's own folder, and
  perhaps `source`, `kind`, `user_id` and `split`. A file is a picture or a video; in JSONL it may be a list: the
  pictures of a clip in order.
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

from model.data.video_frames import stills
from model.errors import PairsUnreadable

Split: TypeAlias = Literal["train", "validation", "test"]
Kind: TypeAlias = Literal["title", "description", "chapter", "speech", "vote", "caption"]

_KINDS: Mapping[str, Kind] = {kind: kind for kind in get_args(Kind)}
_SPLITS: Mapping[str, Split] = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}


@dataclass(frozen=True)
class Pair:
    text: str
    pictures: tuple[Path, ...]
    """Encoded pictures: one for a photograph, several in order for a clip."""
    source: str
    """The video or picture that it is of: splits and balance go by it."""
    kind: Kind = "caption"
    user_id: str = ""
    """Whose video or vote it is; empty: nobody's in particular."""
    against: tuple[tuple[Path, ...], ...] = ()
    """Hard negatives: pictures that were voted down for this text."""
    stated: Split | None = None
    """The split that a file asks for; None: by the source."""

    @property
    def split(self) -> Split:
        return self.stated or split(self.source)


def split(source: str) -> Split:
    """About 80, 10 and 10 of a hundred sources; the same for a source on every machine and in every run."""
    place = int.from_bytes(sha256(f"reelseek split {source}".encode("utf-8", "replace")).digest()[:8]) / 2**64
    return "train" if place < 0.8 else "validation" if place < 0.9 else "test"


def read_pairs(file: Path, work: Path) -> list[Pair]:
    """The pairs of a file. Raises `PairsUnreadable`.

    Pictures that stand in it as base64 are written into `work`, and stills of the videos that it names.
    """
    try:
        rows = list(_rows(file, work))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PairsUnreadable(f"{file} cannot be read: {error}") from error
    if not rows:
        raise PairsUnreadable(f"{file} holds no pairs")
    return _seen(rows, work)


def _rows(file: Path, work: Path) -> Iterator[Pair]:
    if file.suffix == ".jsonl":
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                yield _pair(_object(line, file, number), file, number)
        return
    with file.open(encoding="utf-8-sig", newline="") as lines:
        heading = lines.readline().rstrip("\r\n")
        tabs = file.suffix != ".csv"
        columns = heading.split("\t") if tabs else next(csv.reader([heading]), [])
        if not {"text", "caption"} & set(columns) or "file" not in columns:
            if not tabs:
                raise PairsUnreadable(f"{file} needs a heading with `text` and `file`")
            lines.seek(0)
            yield from _easynlp(lines, file, work)
            return
        form: Any = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tabs else {}
        for number, row in enumerate(csv.DictReader(lines, columns, **form), 2):
            yield _pair(row, file, number)


def _easynlp(lines: Iterable[str], file: Path, work: Path) -> Iterator[Pair]:
    """Named by what they hold, so that several texts of one picture have one source."""
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
            raise PairsUnreadable(f"{file}, line {number}: expected a text, a tab and a picture in base64")
        name = sha256(data).hexdigest()[:32]
        picture = work / name
        if not picture.exists():
            picture.write_bytes(data)
        yield Pair(text, (picture,), name)


def _object(line: str, file: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise PairsUnreadable(f"{file}, line {number}: {error}") from error
    if not isinstance(row, dict):
        raise PairsUnreadable(f"{file}, line {number}: expected an object with `text` and `file`")
    return row


def _pair(row: Mapping[str, Any], file: Path, number: int) -> Pair:
    text, named = row.get("text") or row.get("caption"), row.get("file")
    names = [named] if isinstance(named, str) else named
    kind, stated = row.get("kind") or "caption", row.get("split")
    if not isinstance(text, str) or not names or not all(isinstance(name, str) and name for name in names):
        raise PairsUnreadable(f"{file}, line {number}: a pair needs `text` and `file`")
    if kind not in _KINDS:
        raise PairsUnreadable(f"{file}, line {number}: `kind` is one of {', '.join(_KINDS)}")
    if stated and stated not in _SPLITS:
        raise PairsUnreadable(f"{file}, line {number}: `split` is one of {', '.join(get_args(Split))}")
    return Pair(
        text=text,
        pictures=tuple(file.parent / name for name in names),
        source=str(row.get("source") or names[0]),
        kind=_KINDS[kind],
        user_id=str(row.get("person") or ""),
        stated=_SPLITS[stated] if stated else None,
    )


def _seen(pairs: Sequence[Pair], work: Path) -> list[Pair]:
    """The same with every picture known to be one, of which only the heading is read, and videos as their stills."""
    pictures: dict[tuple[Path, ...], tuple[Path, ...]] = {}
    for clip in dict.fromkeys(pair.pictures for pair in pairs):
        unreadable = [picture for picture in clip if not _is_picture(picture)]
        if unreadable and len(clip) > 1:
            raise PairsUnreadable(f"{unreadable[0]} is no picture that can be read")
        pictures[clip] = stills(clip[0], work) if unreadable else clip
    return [replace(pair, pictures=pictures[pair.pictures]) for pair in pairs]


def _is_picture(file: Path) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(file):
            return True
    except (OSError, Image.DecompressionBombError):
        return False
