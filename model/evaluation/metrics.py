"""Retrieval figures of an encoder over pairs of texts and pictures or videos."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from model.ports import Vector

Sources: TypeAlias = Sequence[str] | npt.NDArray[np.str_] | npt.NDArray[np.int64]
"""(n,): of which video or picture each question is. Those of one are not independent of each other."""

_CUTS = (1, 5, 10)
_RESAMPLES = 2_000
_LEVEL = 0.95
_SAMPLE = 2_000
"""Uniformity is over pairs, and the spectrum costs a decomposition: at most so many vectors are looked at."""


@dataclass(frozen=True)
class Retrieval:
    """How far up the right answer stood. Shares are 0 to 1; the best rank is 1."""

    r1: float
    r5: float
    r10: float
    median_rank: float
    mean_rank: float
    mrr: float
    """Mean of 1 / rank."""
    r1_interval: tuple[float, float]
    """95 % bootstrap interval, drawn by source."""
    r5_interval: tuple[float, float]
    r10_interval: tuple[float, float]
    queries: int
    candidates: int


@dataclass(frozen=True)
class Report:
    """Both directions and the shape of the space."""

    text_to_image: Retrieval
    image_to_text: Retrieval
    alignment: float
    """Mean squared distance of a text to its picture (Wang & Isola 2020, arXiv:2005.10242); lower is better."""
    uniformity_text: float
    """Log mean Gaussian potential of pairs of texts, t = 2 (same paper); lower is more evenly spread."""
    uniformity_image: float
    spectrum_text: tuple[float, ...]
    """Singular values of the centred vectors as shares of their sum, greatest first."""
    spectrum_image: tuple[float, ...]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def report(
    texts: Vector,
    images: Vector,
    relevant: npt.NDArray[np.bool_],
    text_sources: Sources,
    image_sources: Sources,
    seed: int = 0,
) -> Report:
    """`texts` (n, d) and `images` (m, d) are unit vectors; `relevant` (n, m) says which belong together.

    Each text has an image. Images without a text only make the search harder.
    """
    similarity, own = texts @ images.T, relevant.any(0)
    asked = np.asarray(image_sources)[own]
    return Report(
        text_to_image=retrieval(best_ranks(similarity, relevant), len(images), text_sources, seed),
        image_to_text=retrieval(best_ranks(similarity.T[own], relevant.T[own]), len(texts), asked, seed),
        alignment=float(np.mean(2 - 2 * similarity[relevant])),
        uniformity_text=uniformity(texts, seed),
        uniformity_image=uniformity(images, seed),
        spectrum_text=spectrum(texts, seed),
        spectrum_image=spectrum(images, seed),
    )


def owned(image_of_text: npt.NDArray[np.int64], images: int) -> npt.NDArray[np.bool_]:
    """What is relevant (n, images) where each text has one image."""
    relevant: npt.NDArray[np.bool_] = image_of_text[:, None] == np.arange(images)
    return relevant


def best_ranks(similarity: Vector, relevant: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Rank (n,) of the best right candidate of each query.

    Wrong candidates that are just as near stand before it, so nothing is won by ties. `similarity` and `relevant` are
    (n, m); each query has a right candidate.
    """
    best = np.where(relevant, similarity, -np.inf).max(1)
    ranks: npt.NDArray[np.int64] = 1 + ((similarity >= best[:, None]) & ~relevant).sum(1)
    return ranks


def retrieval(ranks: npt.NDArray[np.int64], candidates: int, sources: Sources, seed: int = 0) -> Retrieval:
    """Figures of the ranks (n,) of as many questions."""
    r1, r5, r10 = (float(np.mean(ranks <= cut)) for cut in _CUTS)
    interval = bootstrap(sources, seed)
    r1_interval, r5_interval, r10_interval = (interval((ranks <= cut).astype(np.float64)) for cut in _CUTS)
    return Retrieval(
        r1=r1,
        r5=r5,
        r10=r10,
        r1_interval=r1_interval,
        r5_interval=r5_interval,
        r10_interval=r10_interval,
        median_rank=float(np.median(ranks)),
        mean_rank=float(np.mean(ranks)),
        mrr=float(np.mean(1 / ranks)),
        queries=len(ranks),
        candidates=candidates,
    )


def bootstrap(sources: Sources, seed: int = 0) -> Callable[[npt.NDArray[np.float64]], tuple[float, float]]:
    """The 95 % interval of the mean of any values (n,), on the same draws each time.

    Sources are drawn with all their questions (Field & Welsh 2007, "Bootstrapping clustered data", by cluster).
    Percentiles of few draws are too near to each other: they are taken further out, as far as Student's t asks
    (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", arXiv:1411.5279).
    """
    _, cluster = np.unique(sources, return_inverse=True)
    sizes = np.bincount(cluster)
    draws = np.random.default_rng(seed).multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), _RESAMPLES)
    tails = _tails(len(sizes))

    def interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
        low, high = np.quantile((draws @ np.bincount(cluster, values)) / (draws @ sizes), tails)
        return float(low), float(high)

    return interval


def _tails(draws: int) -> tuple[float, float]:
    """Which percentiles of a bootstrap over so many independent draws hold `_LEVEL`."""
    if draws < 2:
        return 0.0, 1.0
    normal, freedom = NormalDist(), draws - 1
    z = normal.inv_cdf((1 + _LEVEL) / 2)
    # Student's quantile by its Cornish-Fisher expansion
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    low = normal.cdf(-t * (draws / freedom) ** 0.5)
    return low, 1 - low


def uniformity(vectors: Vector, seed: int = 0) -> float:
    """Log of E exp(-2 |x - y|²) over pairs of different vectors."""
    vectors = _some(vectors, seed)
    if len(vectors) < 2:
        return 0.0
    distances = 2 - 2 * (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)].astype(np.float64)
    return float(np.log(np.mean(np.exp(-2 * distances))))


def spectrum(vectors: Vector, seed: int = 0) -> tuple[float, ...]:
    """Singular values of the centred vectors as shares of their sum; few large ones mean a collapsed space."""
    vectors = _some(vectors, seed)
    values = np.linalg.svd(vectors - vectors.mean(0), compute_uv=False).astype(np.float64)
    return tuple((values / max(values.sum(), np.finfo(float).tiny)).tolist())


def _some(vectors: Vector, seed: int) -> Vector:
    if len(vectors) <= _SAMPLE:
        return vectors
    return vectors[np.random.default_rng(seed).choice(len(vectors), _SAMPLE, replace=False)]
