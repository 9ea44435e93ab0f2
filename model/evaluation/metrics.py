"""Retrieval metrics of an encoder on pairs of texts and pictures or videos."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from model.ports import Vector

Sources: TypeAlias = Sequence[str] | npt.NDArray[np.str_] | npt.NDArray[np.int64]
"""(n,): the video or picture of each query. Queries of one source are not independent."""

_CUTOFFS = (1, 5, 10)
_RESAMPLES = 2_000
_CONFIDENCE = 0.95
_MAX_VECTORS = 2_000
"""Limit for uniformity, which compares all pairs, and for the spectrum, which needs a matrix decomposition."""
_SEED = 0


@dataclass(frozen=True)
class RetrievalMetrics:
    """Ranks of the right results. Shares are 0 to 1; the best rank is 1."""

    r1: float
    r5: float
    r10: float
    median_rank: float
    mean_rank: float
    mrr: float
    """Mean of 1 / rank."""
    r1_interval: tuple[float, float]
    """95 % bootstrap interval, resampled by source."""
    r5_interval: tuple[float, float]
    r10_interval: tuple[float, float]
    queries: int
    candidates: int


@dataclass(frozen=True)
class EvaluationReport:
    """Retrieval in both directions, and the geometry of the space."""

    text_to_image: RetrievalMetrics
    image_to_text: RetrievalMetrics
    alignment: float
    """Mean squared distance between text and picture (Wang & Isola 2020, arXiv:2005.10242); lower is better."""
    uniformity_text: float
    """Log mean Gaussian potential of pairs of texts, t = 2 (same paper); lower is more uniform."""
    uniformity_image: float
    spectrum_text: tuple[float, ...]
    """Singular values of the centred vectors as shares of their sum, in descending order."""
    spectrum_image: tuple[float, ...]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def build_report(
    texts: Vector,
    images: Vector,
    relevant: npt.NDArray[np.bool_],
    text_sources: Sources,
    image_sources: Sources,
) -> EvaluationReport:
    """Compute all metrics.

    `texts` (n, d) and `images` (m, d) are unit vectors; `relevant` (n, m) marks the pairs.

    Every text has an image. Images without a text are distractors.
    """
    similarity, has_text = texts @ images.T, relevant.any(0)
    queried = np.asarray(image_sources)[has_text]
    best_images = rank_best_matches(similarity, relevant)
    best_texts = rank_best_matches(similarity.T[has_text], relevant.T[has_text])
    return EvaluationReport(
        text_to_image=compute_retrieval_metrics(best_images, len(images), text_sources),
        image_to_text=compute_retrieval_metrics(best_texts, len(texts), queried),
        alignment=float(np.mean(2 - 2 * similarity[relevant])),
        uniformity_text=compute_uniformity(texts),
        uniformity_image=compute_uniformity(images),
        spectrum_text=compute_spectrum(texts),
        spectrum_image=compute_spectrum(images),
    )


def build_relevance(image_of_text: npt.NDArray[np.int64], images: int) -> npt.NDArray[np.bool_]:
    """Return the relevance matrix (n, images) if every text has exactly one image."""
    relevant: npt.NDArray[np.bool_] = image_of_text[:, None] == np.arange(images)
    return relevant


def rank_best_matches(similarity: Vector, relevant: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the rank (n,) of the best right candidate of each query.

    Wrong candidates with the same similarity are ranked first, so ties never improve a result, and candidates
    whose similarity is NaN are ranked last. `similarity` and `relevant` are (n, m); each query has a right candidate.
    """
    similarity = np.where(np.isnan(similarity), -np.inf, similarity)
    best = np.where(relevant, similarity, -np.inf).max(1)
    ranks: npt.NDArray[np.int64] = 1 + ((similarity >= best[:, None]) & ~relevant).sum(1)
    return ranks


def compute_retrieval_metrics(ranks: npt.NDArray[np.int64], candidates: int, sources: Sources) -> RetrievalMetrics:
    """Compute the metrics of the ranks (n,) of n queries."""
    r1, r5, r10 = (float(np.mean(ranks <= cut)) for cut in _CUTOFFS)
    interval = bootstrap_interval(sources)
    r1_interval, r5_interval, r10_interval = (interval((ranks <= cut).astype(np.float64)) for cut in _CUTOFFS)
    return RetrievalMetrics(
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


def bootstrap_interval(sources: Sources) -> Callable[[npt.NDArray[np.float64]], tuple[float, float]]:
    """Return a function that computes the 95 % interval of the mean of values (n,).

    All calls of the function use the same resamples. Sources are drawn with all their queries (Field & Welsh
    2007, "Bootstrapping clustered data", by cluster). Percentiles of few draws are too narrow, so they are
    expanded according to Student's t (Hesterberg 2015, "What Teachers Should Know About the Bootstrap",
    arXiv:1411.5279).
    """
    _, cluster = np.unique(sources, return_inverse=True)
    sizes = np.bincount(cluster)
    draws = np.random.default_rng(_SEED).multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), _RESAMPLES)
    percentiles = _expand_percentiles(len(sizes))

    def interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
        low, high = np.quantile((draws @ np.bincount(cluster, values)) / (draws @ sizes), percentiles)
        return float(low), float(high)

    return interval


def _expand_percentiles(draws: int) -> tuple[float, float]:
    """Return the percentiles of a bootstrap over `draws` independent sources that enclose `_CONFIDENCE`."""
    if draws < 2:
        return 0.0, 1.0
    normal, freedom = NormalDist(), draws - 1
    z = normal.inv_cdf((1 + _CONFIDENCE) / 2)
    # Student's t quantile by its Cornish-Fisher expansion.
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    low = normal.cdf(-t * (draws / freedom) ** 0.5)
    return low, 1 - low


def compute_uniformity(vectors: Vector) -> float:
    """Compute log E exp(-2 |x - y|²) over all pairs of vectors."""
    vectors = _limit_vectors(vectors)
    if len(vectors) < 2:
        return 0.0
    distances = 2 - 2 * (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)].astype(np.float64)
    return float(np.log(np.mean(np.exp(-2 * distances))))


def compute_spectrum(vectors: Vector) -> tuple[float, ...]:
    """Return the singular values of the centred vectors as shares of their sum.

    Few large ones mean a collapsed space. Vectors that are not numbers have none.
    """
    vectors = _limit_vectors(vectors)
    if not np.isfinite(vectors).all():
        return ()
    values = np.linalg.svd(vectors - vectors.mean(0), compute_uv=False).astype(np.float64)
    return tuple((values / max(values.sum(), np.finfo(float).tiny)).tolist())


def _limit_vectors(vectors: Vector) -> Vector:
    if len(vectors) <= _MAX_VECTORS:
        return vectors
    return vectors[np.random.default_rng(_SEED).choice(len(vectors), _MAX_VECTORS, replace=False)]
