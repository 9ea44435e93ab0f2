"""What a pretraining run learns from, worked out once and kept in the run's work folder.

A data folder holds the pictures, `captions*.tsv` (columns split, file, caption; one file a language) and perhaps
`teacher_b16.npz` (`names`, `emb`: vectors of the same pictures at full size, a second view of each).
"""

import csv
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from rich.progress import track
from torch.nn import functional

from model.starter.normalize import normalised
from model.starter.sentence_encoder import FEATURES

_TEXT_BATCH, _PICTURE_BATCH = 64, 16
_ARTICLES = {"a", "an", "the", "is", "are"}

Pictures = Callable[[Sequence[npt.NDArray[np.uint8]]], npt.NDArray[np.float32]]
Sentences = Callable[[Sequence[str]], torch.Tensor]


@dataclass(frozen=True)
class Captions:
    """Captions and the numbers of their pictures in `files`."""

    files: tuple[str, ...]
    texts: tuple[str, ...]
    languages: tuple[str, ...]
    pictures: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Words:
    """Names of things in several languages, and which share of the pictures each one speaks of."""

    features: torch.Tensor
    """(n, FEATURES)"""
    shares: torch.Tensor
    """(n, pictures); each row sums to 1."""


def read_captions(folder: Path, split: str) -> Captions:
    """Every `captions*.tsv`; the language is what the name ends in (`captions_ko.tsv`), else English."""
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


def picture_vectors(folder: Path, files: Sequence[str], tower: Pictures, cache: Path) -> torch.Tensor:
    """(n, 512) by the tower as it serves. Goes on where an earlier run was stopped."""
    vectors, done = opened(cache, (len(files), 512), np.float32)
    for start in track(range(done, len(files), _PICTURE_BATCH), "pictures"):
        batch = files[start : start + _PICTURE_BATCH]
        vectors[start : start + len(batch)] = tower([read_picture(folder / file) for file in batch])
        note(cache, start + len(batch))
    return torch.from_numpy(np.array(vectors))


def teacher_vectors(folder: Path, files: Sequence[str]) -> torch.Tensor | None:
    """(n, 512), unit, where the folder has them."""
    if not (folder / "teacher_b16.npz").exists():
        return None
    with np.load(folder / "teacher_b16.npz") as arrays:
        number = {str(name): i for i, name in enumerate(arrays["names"])}
        vectors = torch.from_numpy(arrays["emb"][[number[file] for file in files]]).float()
    return functional.normalize(vectors, dim=1)


def text_features(texts: Sequence[str], sentences: Sentences, cache: Path) -> torch.Tensor:
    """(n, FEATURES), half precision. Goes on where an earlier run was stopped."""
    features, done = opened(cache, (len(texts), FEATURES), np.float16)
    for start in track(range(done, len(texts), _TEXT_BATCH), "texts"):
        batch = texts[start : start + _TEXT_BATCH]
        features[start : start + len(batch)] = sentences(batch).numpy()
        note(cache, start + len(batch))
    return torch.from_numpy(features)


def shortened(text: str, seed: int) -> str:
    """A stretch of the caption, as a person would type it: half of it or more, often without its articles."""
    random = np.random.default_rng([seed, zlib.crc32(text.encode())])
    text = normalised(text)
    spaced = " " in text
    units = [u for u in text.split() if u not in _ARTICLES or random.random() < 0.4] if spaced else list(text)
    count = max(1, int(np.ceil(len(units) * random.uniform(0.45, 1))))
    start = random.integers(0, len(units) - count + 1) if units else 0
    return (" " if spaced else "").join(units[start : start + count])


def read_words(table: Path, vectors: Path, sentences: Sentences, pictures: torch.Tensor) -> Words:
    """`table` names one thing a line, a column for each language; `vectors` holds their true CLIP text vectors."""
    lines = table.read_text(encoding="utf-8").splitlines()[1:]
    columns = list(zip(*(line.split("\t") for line in lines), strict=True))
    parts = [np.load(file).astype(np.float32) for file in sorted(vectors.glob("*cocostuff171*.npy"))]
    single = [functional.normalize(torch.from_numpy(part), dim=1) for part in parts]
    named = functional.normalize(torch.stack(single).mean(0), dim=1)
    shares = torch.softmax(100 * named @ pictures.T, 1)  # 100: the temperature CLIP was trained to
    return Words(torch.cat([sentences(column) for column in columns]), shares.repeat(len(columns), 1))


def read_picture(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def opened(cache: Path, shape: tuple[int, int], dtype: type) -> tuple[np.memmap, int]:
    """The array kept at `cache`, and how many of its rows are there."""
    noted = cache.with_suffix(".done")
    if cache.exists() and noted.exists() and (kept := np.load(cache, mmap_mode="r+")).shape == shape:
        return kept, int(noted.read_text())
    noted.unlink(missing_ok=True)
    cache.parent.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(cache, "w+", dtype, shape), 0


def note(cache: Path, rows: int) -> None:
    """That so many rows of `opened` are done."""
    cache.with_suffix(".done").write_text(str(rows))
