"""Metrics equal straightforward computations."""

import numpy as np
import pytest

from model.evaluation.metrics import (
    build_relevance,
    build_report,
    compute_retrieval_metrics,
    compute_spectrum,
    compute_uniformity,
    rank_best_matches,
)


def random_units(random: np.random.Generator, count: int, size: int = 8) -> np.ndarray:
    vectors = random.normal(size=(count, size)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def sort_text_rank(texts: np.ndarray, images: np.ndarray, own: np.ndarray, text: int) -> int:
    order = sorted(range(len(images)), key=lambda i: -float(texts[text] @ images[i]))
    return order.index(own[text]) + 1


def sort_image_rank(texts: np.ndarray, images: np.ndarray, own: np.ndarray, image: int) -> int:
    order = sorted(range(len(texts)), key=lambda i: -float(texts[i] @ images[image]))
    return next(rank for rank, text in enumerate(order, 1) if own[text] == image)


@pytest.mark.parametrize("seed", range(5))
def test_ranks_equal_those_of_sorting(seed: int) -> None:
    """The ranks agree in both directions, with several texts per image."""
    random = np.random.default_rng(seed)
    texts, images = random_units(random, 40), random_units(random, 12)
    own = random.permutation([*range(12), *random.integers(0, 12, 28)])
    similarity, relevant = texts @ images.T, build_relevance(own, 12)
    assert rank_best_matches(similarity, relevant).tolist() == [
        sort_text_rank(texts, images, own, i) for i in range(40)
    ]
    assert rank_best_matches(similarity.T, relevant.T).tolist() == [
        sort_image_rank(texts, images, own, i) for i in range(12)
    ]


def test_ties_count_against_the_right_result() -> None:
    """A constant model therefore has the worst rank."""
    same = np.full((3, 4), 0.5, np.float32)
    assert rank_best_matches(same @ same.T, build_relevance(np.arange(3), 3)).tolist() == [3, 3, 3]


def test_metrics_of_known_ranks() -> None:
    figures = compute_retrieval_metrics(np.array([1, 2, 5, 6, 11]), candidates=20, sources=np.arange(5))
    assert (figures.r1, figures.r5, figures.r10) == (0.2, 0.6, 0.8)
    assert (figures.median_rank, figures.mean_rank, figures.queries, figures.candidates) == (5, 5, 5, 20)


def test_interval_equals_bootstrap_over_sources() -> None:
    """Each video is drawn with all its queries."""
    random = np.random.default_rng(0)
    # A hundred videos with ten queries each: some videos are found, others are not.
    of_video = np.repeat(random.integers(1, 12, 100), 10)
    ranks = np.where(random.random(1_000) < 0.2, random.integers(1, 12, 1_000), of_video)
    drawn = [np.mean(ranks.reshape(100, 10)[random.integers(0, 100, 100)] <= 5) for _ in range(4_000)]
    low, high = compute_retrieval_metrics(ranks, 12, np.repeat(np.arange(100), 10)).r5_interval
    assert [low, high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.012)
    apart = compute_retrieval_metrics(ranks, 12, np.arange(1_000)).r5_interval
    assert high - low > 2 * (apart[1] - apart[0])


def test_alignment_and_uniformity_equal_their_formulas() -> None:
    """The paper's formulas are written as loops."""
    random = np.random.default_rng(1)
    texts, images = random_units(random, 9), random_units(random, 9)
    own = random.permutation(9)
    figures = build_report(texts, images, build_relevance(own, 9), own, np.arange(9))
    assert figures.alignment == pytest.approx(np.mean([np.sum((texts[i] - images[own[i]]) ** 2) for i in range(9)]))
    pairs = [np.exp(-2 * np.sum((texts[i] - texts[j]) ** 2)) for i in range(9) for j in range(i)]
    assert figures.uniformity_text == pytest.approx(np.log(np.mean(pairs)), rel=1e-5)
    assert compute_uniformity(texts[:1]) == 0


def test_spectrum_of_collapsed_vectors_has_one_value() -> None:
    """The shares sum to 1."""
    line = np.outer(np.linspace(-1, 1, 20), np.eye(4)[0]).astype(np.float32)
    assert compute_spectrum(line) == pytest.approx((1, 0, 0, 0), abs=1e-6)
    assert sum(compute_spectrum(random_units(np.random.default_rng(2), 30))) == pytest.approx(1)


def test_similarities_that_are_not_numbers_rank_last() -> None:
    """A model whose vectors are NaN finds nothing; one broken candidate does not harm the others."""
    relevant = np.eye(3, dtype=np.bool_)
    assert rank_best_matches(np.full((3, 3), np.nan, np.float32), relevant).tolist() == [3, 3, 3]
    similarity = np.array([[0.5, np.nan, 0.1], [0.9, np.nan, 0.1], [0.1, np.nan, 0.5]], np.float32)
    assert rank_best_matches(similarity, relevant).tolist() == [1, 3, 1]
    assert compute_spectrum(np.full((3, 4), np.nan, np.float32)) == ()
