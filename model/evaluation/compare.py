"""Evaluation of an encoder on pairs, and comparison of an adapter with its base model on the same pairs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from model.data.images import read_picture
from model.data.normalization import normalize_text
from model.data.pairs import ClipFiles, Pair
from model.evaluation.metrics import EvaluationReport, bootstrap_interval, build_report, rank_best_matches
from model.ports import Encoder, Picture, Vector

Direction: TypeAlias = Literal["text_to_image", "image_to_text"]
Measure: TypeAlias = Literal["r1", "r5", "r10", "mrr"]
ReportShare: TypeAlias = Callable[[float], None]
"""Progress callback; gets the share of the work that is done, 0 to 1."""
TimeSpan: TypeAlias = tuple[float, float]
"""start_s, end_s"""

_BATCH_FRAMES = 32
_MEASURES: Mapping[Measure, Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float64]]] = {
    "r1": lambda ranks: (ranks <= 1).astype(np.float64),
    "r5": lambda ranks: (ranks <= 5).astype(np.float64),
    "r10": lambda ranks: (ranks <= 10).astype(np.float64),
    "mrr": lambda ranks: 1 / ranks,
}


@dataclass(frozen=True)
class EncodedPairs:
    """Vectors of pairs: each distinct text and each distinct picture or clip once, and which belong together."""

    texts: Vector
    """(n, d)"""
    images: Vector
    """(m, d). A clip is the normalized mean of its frames, as in the index.

    If the generation has motion vectors, they are appended to the frame vectors, so that a cosine is the mean
    of both. It approximates the index's rank fusion of the two.
    """
    relevant: npt.NDArray[np.bool_]
    """(n, m)"""
    text_sources: tuple[str, ...]
    image_sources: tuple[str, ...]
    """The source of each. Pairs of one video are not independent."""

    @property
    def has_text(self) -> npt.NDArray[np.bool_]:
        """(m,): whether any text belongs to the image."""
        return np.asarray(self.relevant.any(0), np.bool_)

    def report(self) -> EvaluationReport:
        return build_report(self.texts, self.images, self.relevant, self.text_sources, self.image_sources)


@dataclass(frozen=True)
class Difference:
    """One measure of base and adapter on the same queries."""

    base: float
    adapter: float
    interval: tuple[float, float]
    """95 % paired bootstrap interval of adapter minus base, resampled by source."""

    @property
    def value(self) -> float:
        return self.adapter - self.base


@dataclass(frozen=True)
class Comparison:
    """Comparison of base and adapter in both directions."""

    text_to_image: Mapping[Measure, Difference]
    image_to_text: Mapping[Measure, Difference]
    texts: int
    images: int
    sources: int
    """Number of independent sources behind the intervals."""


@dataclass(frozen=True)
class _ClipPictures:
    pictures: Sequence[Picture]
    frame_vectors: Vector


def encode_pairs(
    pairs: Sequence[Pair],
    encoder: Encoder,
    on_progress: ReportShare = lambda share: None,
    distractors: Sequence[ClipFiles] = (),
) -> EncodedPairs:
    """Encode at least one pair. Raises `PairsUnreadableError` for a picture that cannot be read.

    Texts that are equal for a model are one text, and each of their pictures is right.
    `distractors` are pictures or clips without a text that make the search harder.
    """
    texts: dict[str, Pair] = {}
    source_of_image: dict[ClipFiles, str] = {}
    for pair in pairs:
        texts.setdefault(normalize_text(pair.text), pair)
        source_of_image.setdefault(pair.pictures, pair.source)
    for image in distractors:
        source_of_image.setdefault(image, "")
    rows = {text: row for row, text in enumerate(texts)}
    columns = {image: column for column, image in enumerate(source_of_image)}
    relevant = np.zeros((len(rows), len(columns)), np.bool_)
    for pair in pairs:
        relevant[rows[normalize_text(pair.text)], columns[pair.pictures]] = True
    return EncodedPairs(
        texts=_embed_texts([pair.text for pair in texts.values()], encoder),
        images=_embed_clips(list(columns), encoder, on_progress),
        relevant=relevant,
        text_sources=tuple(pair.source for pair in texts.values()),
        image_sources=tuple(source_of_image.values()),
    )


def compare_encodings(base: EncodedPairs, adapter: EncodedPairs) -> Comparison:
    """Compare two encodings of the same pairs. Raises `ValueError` if the pairs differ.

    The bootstrap resamples sources with all their queries and evaluates both models on each sample. Effects that are
    common to both (hard queries, near-duplicates) cancel out in the difference (Koehn 2004, "Statistical
    significance tests for machine translation evaluation").
    """
    if base.relevant.shape != adapter.relevant.shape:
        raise ValueError("only encodings of the same pairs can be compared")
    sources = [source for source, has_text in zip(base.image_sources, base.has_text, strict=True) if has_text]
    return Comparison(
        text_to_image=_compute_differences(_rank_images(base), _rank_images(adapter), base.text_sources),
        image_to_text=_compute_differences(_rank_texts(base), _rank_texts(adapter), sources),
        texts=len(base.texts),
        images=len(base.images),
        sources=len(set(sources)),
    )


@dataclass(frozen=True)
class MomentRecall:
    """Shares of queries whose first moment overlaps the true span enough (Gao et al. 2017, arXiv:1705.02101)."""

    r1_iou_50: float
    r1_iou_70: float
    questions: int


def compute_moment_recall(found: Sequence[TimeSpan | None], true: Sequence[TimeSpan]) -> MomentRecall:
    """Compute the recall.

    `found` contains each query's first moment, or None if the right video was not found.
    """
    overlaps = np.array([0.0 if one is None else compute_iou(one, own) for one, own in zip(found, true, strict=True)])
    return MomentRecall(float(np.mean(overlaps >= 0.5)), float(np.mean(overlaps >= 0.7)), len(overlaps))


def compute_iou(one: TimeSpan, other: TimeSpan) -> float:
    """Compute the intersection over union of two spans; 0 if they do not overlap."""
    shared = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    union = (one[1] - one[0]) + (other[1] - other[0]) - shared
    return shared / union if union > 0 else 0.0


def _embed_texts(texts: Sequence[str], encoder: Encoder) -> Vector:
    vectors = encoder.encode_texts(texts)
    frames = np.stack([text.frame for text in vectors])
    motions = [text.motion for text in vectors if text.motion is not None]
    return _concatenate(frames, np.stack(motions)) if motions else frames


def _embed_clips(clips: Sequence[ClipFiles], encoder: Encoder, on_progress: ReportShare) -> Vector:
    """Embed clips as the index does, in batches of whole clips with about `_BATCH_FRAMES` frames."""
    vectors: list[Vector] = []
    for batch in _batch_clips(clips):
        pictures = [[read_picture(file) for file in clip] for clip in batch]
        frames = encoder.encode_frames([picture for clip in pictures for picture in clip])
        frames_of = np.split(frames, np.cumsum([len(clip) for clip in pictures])[:-1])
        means = _normalize(np.stack([own.mean(axis=0) for own in frames_of]))
        if encoder.motion_size is not None:
            moving = [_ClipPictures(clip, own) for clip, own in zip(pictures, frames_of, strict=True)]
            means = _concatenate(means, encoder.encode_clips(moving))
        vectors.extend(means)
        on_progress(len(vectors) / len(clips))
    return np.stack(vectors)


def _batch_clips(clips: Sequence[ClipFiles]) -> Iterator[list[ClipFiles]]:
    batch: list[ClipFiles] = []
    for clip in clips:
        batch.append(clip)
        if sum(map(len, batch)) >= _BATCH_FRAMES:
            yield batch
            batch = []
    if batch:
        yield batch


def _concatenate(frames: Vector, motions: Vector) -> Vector:
    return np.asarray(np.concatenate([frames, motions], axis=1) / np.sqrt(2), np.float32)


def _normalize(vectors: Vector) -> Vector:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _rank_images(encoded: EncodedPairs) -> npt.NDArray[np.int64]:
    """Return the rank of the best right image of each text."""
    return rank_best_matches(encoded.texts @ encoded.images.T, encoded.relevant)


def _rank_texts(encoded: EncodedPairs) -> npt.NDArray[np.int64]:
    """Return the rank of the best right text of each image that has one."""
    similarity, has_text = encoded.texts @ encoded.images.T, encoded.has_text
    return rank_best_matches(similarity.T[has_text], encoded.relevant.T[has_text])


def _compute_differences(
    base: npt.NDArray[np.int64], adapter: npt.NDArray[np.int64], sources: Sequence[str]
) -> Mapping[Measure, Difference]:
    interval = bootstrap_interval(sources)
    differences: dict[Measure, Difference] = {}
    for name, measure in _MEASURES.items():
        before, after = measure(base), measure(adapter)
        differences[name] = Difference(float(before.mean()), float(after.mean()), interval(after - before))
    return differences
