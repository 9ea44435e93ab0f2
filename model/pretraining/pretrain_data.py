"""Training data of the starter's text map: computed once and cached in the run's work folder.

A data folder contains the pictures, `captions*.tsv` (columns split, file, caption; one file per language) and
optionally `teacher_b16.npz` (`names`, `emb`: vectors of the same pictures at full size, a second view of
each).
"""

import csv
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track
from torch.nn import functional

from model.data.array_cache import mark_rows_done, open_array_cache
from model.data.images import read_picture
from model.data.normalization import normalize_text
from model.ports import Picture, Vector
from model.starter.sentence_encoder import EncodeSentences
from model.starter.text_map import SIZE

_TEXT_BATCH, _PICTURE_BATCH = 64, 16
_STOP_WORDS = {"a", "an", "the", "is", "are"}
_MIN_NAME_CHARS = 3
_CLIP_LOGIT_SCALE = 100
"""The inverse temperature at which the training of CLIP ended."""

EncodePictures: TypeAlias = Callable[[Sequence[Picture]], Vector]
"""Encodes pictures as vectors (n, 512)."""


@dataclass(frozen=True)
class Captions:
    """Captions and their pictures."""

    files: tuple[str, ...]
    texts: tuple[str, ...]
    languages: tuple[str, ...]
    pictures: npt.NDArray[np.int64]
    """(texts,): the index in `files` of each text's picture."""


@dataclass(frozen=True)
class WordTargets:
    """Names of things in several languages, and the distribution over the pictures that each should have."""

    features: torch.Tensor
    """(n, features of the sentence encoders)"""
    rows: torch.Tensor
    """(n,): the row of each name's thing in `shares`."""
    shares: torch.Tensor
    """(things, pictures); each row sums to 1."""

    def compute_shares(self, names: npt.NDArray[np.int64], pictures: torch.Tensor) -> torch.Tensor:
        """Return the distributions of some names over some of the pictures."""
        shares = self.shares[self.rows[torch.from_numpy(names)]][:, pictures]
        return shares / shares.sum(1, keepdim=True)


def read_captions(folder: Path, split: str) -> Captions:
    """Read every `captions*.tsv`.

    The file name ends in the language (`captions_ko.tsv`); without one it is English.
    """
    rows = []
    for table in sorted(folder.glob("captions*.tsv")):
        language = table.stem.partition("_")[2] or "en"
        with table.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            rows += [(row["file"], row["caption"], language) for row in reader if row["split"] == split]
    files = sorted({file for file, _, _ in rows})
    number = {file: i for i, file in enumerate(files)}
    return Captions(
        files=tuple(files),
        texts=tuple(text for _, text, _ in rows),
        languages=tuple(language for _, _, language in rows),
        pictures=np.array([number[file] for file, _, _ in rows]),
    )


def load_picture_vectors(folder: Path, files: Sequence[str], tower: EncodePictures, cache: Path) -> torch.Tensor:
    """Encode pictures with the serving tower: (n, 512). An interrupted computation resumes from `cache`."""
    vectors, done = open_array_cache(cache, (len(files), 512), np.float32)
    for start in track(range(done, len(files), _PICTURE_BATCH), "pictures"):
        batch = files[start : start + _PICTURE_BATCH]
        vectors[start : start + len(batch)] = tower([read_picture(folder / file) for file in batch])
        mark_rows_done(cache, start + len(batch))
    return torch.from_numpy(np.array(vectors))


def load_teacher_vectors(folder: Path, files: Sequence[str]) -> torch.Tensor | None:
    """Read the teacher's unit vectors (n, 512). Returns None if the folder has none."""
    if not (folder / "teacher_b16.npz").exists():
        return None
    with np.load(folder / "teacher_b16.npz") as arrays:
        number = {str(name): i for i, name in enumerate(arrays["names"])}
        vectors = torch.from_numpy(arrays["emb"][[number[file] for file in files]]).float()
    return functional.normalize(vectors, dim=1)


def load_text_features(texts: Sequence[str], sentences: EncodeSentences, cache: Path) -> torch.Tensor:
    """Encode texts as features in half precision: one row for each text.

    An interrupted computation resumes from `cache`.
    """
    features, done = open_array_cache(cache, (len(texts), sentences(texts[:1]).shape[1]), np.float16)
    for start in track(range(done, len(texts), _TEXT_BATCH), "texts"):
        batch = texts[start : start + _TEXT_BATCH]
        features[start : start + len(batch)] = sentences(batch).numpy()
        mark_rows_done(cache, start + len(batch))
    return torch.from_numpy(features)


def shorten_caption(text: str, seed: int) -> str:
    """Cut a caption to a random section, as users type queries.

    The section is 45 % of the caption or more, often without its articles.
    """
    random = np.random.default_rng([seed, zlib.crc32(text.encode())])
    text = normalize_text(text)
    has_spaces = " " in text
    units = [u for u in text.split() if u not in _STOP_WORDS or random.random() < 0.4] if has_spaces else list(text)
    count = max(1, int(np.ceil(len(units) * random.uniform(0.45, 1))))
    start = random.integers(0, len(units) - count + 1) if units else 0
    return (" " if has_spaces else "").join(units[start : start + count])


def read_word_targets(
    table: Path, vectors: Path, sets: Sequence[str], sentences: EncodeSentences, pictures: torch.Tensor
) -> WordTargets:
    """Compute the targets of the words in `table`, which has one thing per line and one column per language.

    `vectors` is a folder with the CLIP text vectors of the words, and of the English names in `sets`; `pictures` are
    the teacher's vectors (n, 512).
    """
    lines = table.read_text(encoding="utf-8").splitlines()[1:]
    columns = list(zip(*(line.split("\t") for line in lines), strict=True))
    prompts = [np.load(file).astype(np.float32) for file in sorted(vectors.glob("*cocostuff171*.npy"))]
    normalized = [functional.normalize(torch.from_numpy(prompt), dim=1) for prompt in prompts]
    things = functional.normalize(torch.stack(normalized).mean(0), dim=1)
    names, more = _read_word_sets(vectors, sets)
    texts = [*names, *(word for column in columns for word in column)]
    rows = [*range(len(names)), *(len(names) + row for _ in columns for row in range(len(things)))]
    starts = range(0, len(texts), _TEXT_BATCH)
    return WordTargets(
        torch.cat([sentences(texts[start : start + _TEXT_BATCH]) for start in starts]),
        torch.tensor(rows),
        torch.softmax(_CLIP_LOGIT_SCALE * torch.cat([more, things]) @ pictures.T, 1),
    )


def _read_word_sets(folder: Path, sets: Sequence[str]) -> tuple[list[str], torch.Tensor]:
    """Read names and their unit vectors (n, 512). A name of several sets has the mean of its vectors."""
    found: dict[str, list[torch.Tensor]] = {}
    for name in sets:
        with np.load(folder / f"{name}.npz") as arrays:
            vectors = functional.normalize(torch.from_numpy(arrays["emb"].astype(np.float32)), dim=1)
            for text, vector in zip(arrays["names"], vectors, strict=True):
                if word := _clean_name(str(text)):
                    found.setdefault(word, []).append(vector)
    means = [functional.normalize(torch.stack(each).mean(0), dim=0) for each in found.values()]
    return list(found), torch.stack(means) if means else torch.empty(0, SIZE)


def _clean_name(name: str) -> str | None:
    """Return a name in plain words, or None for an abbreviation or a sign."""
    plain = re.sub(r"-(in|out)door$", "", re.sub(r"[_ ]+", " ", name).strip().lower())
    if len(plain) < _MIN_NAME_CHARS or not re.fullmatch(r"[a-z][a-z' \-/]*", plain):
        return None
    return plain.replace("-", " ")
