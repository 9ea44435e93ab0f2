"""Clusters of vectors."""

import numpy as np
import pytest

from indexer.topics.clustering import MAX_CLUSTERS, cluster_vectors
from indexer.types import Vector


def make_groups(groups: int, size: int, noise: float = 0.05) -> Vector:
    """Return unit vectors (groups * size, 64) around as many random directions, one group after the other."""
    random = np.random.default_rng(3)
    centres = np.repeat(random.normal(size=(groups, 64)), size, axis=0)
    vectors = centres + noise * random.normal(size=centres.shape)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_groups_are_found_and_counted(groups: int) -> None:
    labels = cluster_vectors(make_groups(groups, 12)).labels
    assert len(set(labels.tolist())) == groups
    assert all(len(set(labels[12 * g : 12 * (g + 1)].tolist())) == 1 for g in range(groups))


def test_there_are_at_most_so_many_clusters() -> None:
    assert len(cluster_vectors(make_groups(40, 10)).centroids) <= MAX_CLUSTERS


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_vectors_are_one_cluster(count: int) -> None:
    clusters = cluster_vectors(make_groups(1, count))
    assert clusters.labels.tolist() == [0] * count
    assert clusters.centroids.shape == (1, 64)


def test_equal_vectors_have_clusters() -> None:
    """A library can consist of one picture, whose vectors differ by nothing."""
    clusters = cluster_vectors(np.repeat(make_groups(1, 1), 40, axis=0))
    assert clusters.labels.max() < len(clusters.centroids)


def test_same_vectors_give_the_same_clusters() -> None:
    vectors = make_groups(6, 9, noise=1.0)
    assert cluster_vectors(vectors).labels.tolist() == cluster_vectors(vectors).labels.tolist()
