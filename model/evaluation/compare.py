"""Judges encoders on pairs: one alone, or an adapter against its base on the very same pairs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.data.pairs import Pair
from model.errors import PairsUnreadable
from model.evaluation.metrics import Report, best_ranks, bootstrap, report
from model.ports import Encoder, Picture, Vector

Direction: TypeAlias = Literal["text_to_image", "image_to_text"]
Measure: TypeAlias = Literal["r1", "r5", "r10", "mrr"]
Progress: TypeAlias = Callable[[float], None]
"""Hears the share that is done, 0 to 1."""
Span: TypeAlias = tuple[float, float]
"""start_s, end_s"""

_BATCH = 32
_MEASURES: Mapping[Measure, Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float64]]] = {
    "r1": lambda ranks: (ranks <= 1).astype(np.float64),
    "r5": lambda ranks: (ranks <= 5).astype(np.float64),
    "r10": lambda ranks: (ranks <= 10).astype(np.float64),
    "mrr": lambda ranks: 1 / ranks,
}


@dataclass(frozen=True)
class Encoded:
    """Pairs as vectors: each text and each picture or clip once, and which belong together."""

    texts: Vector
    """(n, d)"""
    images: Vector
    """(m, d): of a clip, the mean of its frames, as the index has it.

    Where the generation has motion vectors, theirs stand beside those of the frames, so that a cosine is the mean of
    both: one figure for what the index fuses by ranks.
    """
    relevant: npt.NDArray[np.bool_]
    """(n, m)"""
    text_sources: tuple[str, ...]
    image_sources: tuple[str, ...]
    """Whose pairs they are: those of one video are not independent of each other."""

    @property
    def owned(self) -> npt.NDArray[np.bool_]:
        """(m,): which images belong to a text."""
        return np.asarray(self.relevant.any(0), np.bool_)

    def report(self) -> Report:
        return report(self.texts, self.images, self.relevant, self.text_sources, self.image_sources)


@dataclass(frozen=True)
class Difference:
    """One measure of the base and of the adapter, on the same questions."""

    base: float
    adapter: float
    interval: tuple[float, float]
    """95 % paired bootstrap interval of adapter minus base, drawn by source."""

    @property
    def value(self) -> float:
        return self.adapter - self.base


@dataclass(frozen=True)
class Comparison:
    """Base against adapter, both directions."""

    text_to_image: Mapping[Measure, Difference]
    image_to_text: Mapping[Measure, Difference]
    texts: int
    images: int
    sources: int
    """Independent draws behind the intervals."""


@dataclass(frozen=True)
class _ClipPictures:
    pictures: Sequence[Picture]
    frame_vectors: Vector


def encode(
    pairs: Sequence[Pair],
    encoder: Encoder,
    progress: Progress = lambda share: None,
    among: Sequence[tuple[Path, ...]] = (),
) -> Encoded:
    """The vectors of one pair or more. Raises `PairsUnreadable` for a picture that cannot be read.

    `among` are pictures or clips of no text: what is asked for must be found among them, too.
    """
    source_of_text: dict[str, str] = {}
    source_of_image: dict[tuple[Path, ...], str] = {}
    for pair in pairs:
        source_of_text.setdefault(pair.text, pair.source)
        source_of_image.setdefault(pair.pictures, pair.source)
    for image in among:
        source_of_image.setdefault(image, "")
    rows = {text: row for row, text in enumerate(source_of_text)}
    columns = {image: column for column, image in enumerate(source_of_image)}
    relevant = np.zeros((len(rows), len(columns)), np.bool_)
    for pair in pairs:
        relevant[rows[pair.text], columns[pair.pictures]] = True
    return Encoded(
        texts=_texts(list(rows), encoder),
        images=_images(list(columns), encoder, progress),
        relevant=relevant,
        text_sources=tuple(source_of_text.values()),
        image_sources=tuple(source_of_image.values()),
    )


def compare(base: Encoded, adapter: Encoded, seed: int = 0) -> Comparison:
    """Both are of the same pairs.

    The bootstrap draws sources with all their questions, and looks at both models on each draw: what is common to both
    (hard questions, near twins) falls out of the difference (Koehn 2004, "Statistical significance tests for machine
    translation evaluation").
    """
    if base.relevant.shape != adapter.relevant.shape:
        raise ValueError("only encodings of the same pairs can be compared")
    sources = [source for source, own in zip(base.image_sources, base.owned, strict=True) if own]
    return Comparison(
        text_to_image=_differences(_ranks(base), _ranks(adapter), base.text_sources, seed),
        image_to_text=_differences(_ranks(base, back=True), _ranks(adapter, back=True), sources, seed),
        texts=len(base.texts),
        images=len(base.images),
        sources=len(set(sources)),
    )


@dataclass(frozen=True)
class MomentRecall:
    """Shares of questions whose first moment overlaps the true span this much (Gao et al. 2017, arXiv:1705.02101)."""

    r1_iou_50: float
    r1_iou_70: float
    questions: int


def moment_recall(found: Sequence[Span | None], true: Sequence[Span]) -> MomentRecall:
    """`found` holds each question's first moment; None where nothing of the right video was found."""
    overlaps = np.array([0.0 if one is None else iou(one, own) for one, own in zip(found, true, strict=True)])
    return MomentRecall(float(np.mean(overlaps >= 0.5)), float(np.mean(overlaps >= 0.7)), len(overlaps))


def iou(one: Span, other: Span) -> float:
    """Intersection over union of two spans; 0 where they do not meet."""
    shared = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    union = (one[1] - one[0]) + (other[1] - other[0]) - shared
    return shared / union if union > 0 else 0.0


def _texts(texts: Sequence[str], encoder: Encoder) -> Vector:
    found = encoder.texts(texts)
    frames = np.stack([text.frame for text in found])
    motions = [text.motion for text in found if text.motion is not None]
    return _beside(frames, np.stack(motions)) if motions else frames


def _images(images: Sequence[tuple[Path, ...]], encoder: Encoder, progress: Progress) -> Vector:
    """Images in turn, whole ones, some `_BATCH` pictures at a time."""
    vectors: list[Vector] = []
    for batch in _batches(images):
        pictures = [[picture(path) for path in image] for image in batch]
        frames = encoder.frames([each for image in pictures for each in image])
        split = np.split(frames, np.cumsum([len(image) for image in pictures])[:-1])
        means = _unit(np.stack([each.mean(axis=0) for each in split]))
        if encoder.motion_size is not None:
            clips = [_ClipPictures(image, own) for image, own in zip(pictures, split, strict=True)]
            means = _beside(means, encoder.clips(clips))
        vectors.extend(means)
        progress(len(vectors) / len(images))
    return np.stack(vectors)


def _batches(images: Sequence[tuple[Path, ...]]) -> Iterator[list[tuple[Path, ...]]]:
    batch: list[tuple[Path, ...]] = []
    for image in images:
        batch.append(image)
        if sum(map(len, batch)) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _beside(frames: Vector, motions: Vector) -> Vector:
    return np.asarray(np.concatenate([frames, motions], axis=1) / np.sqrt(2), np.float32)


def _unit(vectors: Vector) -> Vector:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def picture(path: Path) -> Picture:
    """RGB. Raises `PairsUnreadable`."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, Image.DecompressionBombError) as error:
        raise PairsUnreadable(f"{path} is no picture that can be read") from error


def _ranks(encoded: Encoded, back: bool = False) -> npt.NDArray[np.int64]:
    similarity, own = encoded.texts @ encoded.images.T, encoded.owned
    if back:
        return best_ranks(similarity.T[own], encoded.relevant.T[own])
    return best_ranks(similarity, encoded.relevant)


def _differences(
    base: npt.NDArray[np.int64], adapter: npt.NDArray[np.int64], sources: Sequence[str], seed: int
) -> Mapping[Measure, Difference]:
    interval = bootstrap(sources, seed)
    found: dict[Measure, Difference] = {}
    for name, measure in _MEASURES.items():
        before, after = measure(base), measure(adapter)
        found[name] = Difference(float(before.mean()), float(after.mean()), interval(after - before))
    return found
