"""Clusters of frame vectors, by k-means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from indexer.types import Vector

# scikit-learn is imported inside functions, because it imports SciPy and pandas. These take 1.8 s and 100 MB, and only
# a process that makes topics needs them.
if TYPE_CHECKING:
    from sklearn.cluster import MiniBatchKMeans

Labels: TypeAlias = npt.NDArray[np.int32]

MAX_CLUSTERS: Final = 24
CLUSTER_COUNTS: Final = (2, 3, 4, 6, 8, 10, 12, 16, 20, MAX_CLUSTERS)
MIN_CLUSTER_SIZE: Final = 3
"""Minimum number of vectors per cluster, on average."""
MIN_SILHOUETTE_SHARE: Final = 0.8
"""Minimum silhouette, as a share of the best one; of the clusterings that have it, the one with most clusters is taken.

Silhouettes of pictures hardly differ between 4 and 24 clusters, and people get more from more topics.
"""
SAMPLE_SIZE: Final = 6_000
"""Vectors that the centroids are fitted on."""
SILHOUETTE_SAMPLE_SIZE: Final = 1_000


@dataclass(frozen=True)
class Clusters:
    """Clusters of vectors (n, d)."""

    labels: Labels
    """The cluster of each vector (n,)."""
    centroids: Vector
    """Mean of each cluster's vectors, minus the mean of all (k, d)."""


def cluster_vectors(vectors: Vector) -> Clusters:
    """Return clusters of unit vectors (n, d), with n at least 1. The same vectors give the same clusters."""
    centred = vectors - vectors.mean(axis=0)
    directions = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    sample = directions[np.random.default_rng(0).permutation(len(directions))[:SAMPLE_SIZE]]
    models = {count: _fit(sample, count) for count in CLUSTER_COUNTS if count * MIN_CLUSTER_SIZE <= len(sample)}
    labels = _choose(sample, models).predict(directions) if models else np.zeros(len(vectors), np.int32)
    used, labels = np.unique(labels, return_inverse=True)
    centroids = np.stack([centred[labels == number].mean(axis=0) for number in range(len(used))])
    return Clusters(labels.astype(np.int32), centroids.astype(np.float32))


def _fit(sample: Vector, count: int) -> MiniBatchKMeans:
    from sklearn.cluster import MiniBatchKMeans

    return MiniBatchKMeans(count, random_state=0, n_init=1, max_iter=30, batch_size=2048).fit(sample)


def _choose(sample: Vector, models: dict[int, MiniBatchKMeans]) -> MiniBatchKMeans:
    """Return the model with the most clusters among those whose silhouette is nearly the best."""
    judged = sample[:SILHOUETTE_SAMPLE_SIZE]
    silhouettes = {count: _measure_silhouette(judged, model) for count, model in models.items()}
    best = max(silhouettes.values())
    return models[max(count for count, value in silhouettes.items() if value >= min(best, MIN_SILHOUETTE_SHARE * best))]


def _measure_silhouette(judged: Vector, model: MiniBatchKMeans) -> float:
    from sklearn.metrics import silhouette_score

    labels = model.predict(judged)
    if not 1 < len(set(labels.tolist())) < len(judged):
        return -1.0
    return float(silhouette_score(judged, labels, metric="cosine"))
