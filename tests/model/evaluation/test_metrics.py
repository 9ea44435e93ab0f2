"""The figures, held against the naive way of working them out."""

import numpy as np
import pytest

from model.evaluation.metrics import best_ranks, owned, report, retrieval, spectrum, uniformity


def unit(random: np.random.Generator, count: int, size: int = 8) -> np.ndarray:
    vectors = random.normal(size=(count, size)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def naive_text_rank(texts: np.ndarray, images: np.ndarray, own: np.ndarray, text: int) -> int:
    order = sorted(range(len(images)), key=lambda i: -float(texts[text] @ images[i]))
    return order.index(own[text]) + 1


def naive_image_rank(texts: np.ndarray, images: np.ndarray, own: np.ndarray, image: int) -> int:
    order = sorted(range(len(texts)), key=lambda i: -float(texts[i] @ images[image]))
    return next(rank for rank, text in enumerate(order, 1) if own[text] == image)


@pytest.mark.parametrize("seed", range(5))
def test_ranks_equal_those_of_sorting_everything(seed: int) -> None:
    """Both directions agree with a sort of all candidates, several texts an image."""
    random = np.random.default_rng(seed)
    texts, images = unit(random, 40), unit(random, 12)
    own = random.permutation([*range(12), *random.integers(0, 12, 28)])
    similarity, relevant = texts @ images.T, owned(own, 12)
    assert best_ranks(similarity, relevant).tolist() == [naive_text_rank(texts, images, own, i) for i in range(40)]
    assert best_ranks(similarity.T, relevant.T).tolist() == [naive_image_rank(texts, images, own, i) for i in range(12)]


def test_a_model_that_says_the_same_of_everything_gets_nothing() -> None:
    """Ties count against the right answer, so a constant model has the worst rank, not the best."""
    same = np.ones((3, 4), np.float32) / 2
    assert best_ranks(same @ same.T, owned(np.arange(3), 3)).tolist() == [3, 3, 3]


def test_figures_of_known_ranks() -> None:
    """R@k counts ranks up to k; median and mean are over ranks that begin at 1."""
    figures = retrieval(np.array([1, 2, 5, 6, 11]), candidates=20, sources=np.arange(5))
    assert (figures.r1, figures.r5, figures.r10) == (0.2, 0.6, 0.8)
    assert (figures.median_rank, figures.mean_rank, figures.queries, figures.candidates) == (5, 5, 5, 20)


def test_the_interval_is_that_of_resampling() -> None:
    """It agrees with a bootstrap that really draws the videos again, each with all of its questions."""
    random = np.random.default_rng(0)
    # a hundred videos of ten questions: some videos are found, others are not
    of_video = np.repeat(random.integers(1, 12, 100), 10)
    ranks = np.where(random.random(1_000) < 0.2, random.integers(1, 12, 1_000), of_video)
    drawn = [np.mean(ranks.reshape(100, 10)[random.integers(0, 100, 100)] <= 5) for _ in range(4_000)]
    low, high = retrieval(ranks, 12, np.repeat(np.arange(100), 10)).r5_interval
    assert [low, high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.012)
    apart = retrieval(ranks, 12, np.arange(1_000)).r5_interval
    assert high - low > 2 * (apart[1] - apart[0])


def test_alignment_and_uniformity_follow_their_definition() -> None:
    """Equal to the paper's formulas written as loops."""
    random = np.random.default_rng(1)
    texts, images = unit(random, 9), unit(random, 9)
    own = random.permutation(9)
    figures = report(texts, images, owned(own, 9), own, np.arange(9))
    assert figures.alignment == pytest.approx(np.mean([np.sum((texts[i] - images[own[i]]) ** 2) for i in range(9)]))
    pairs = [np.exp(-2 * np.sum((texts[i] - texts[j]) ** 2)) for i in range(9) for j in range(i)]
    assert figures.uniformity_text == pytest.approx(np.log(np.mean(pairs)), rel=1e-5)
    assert uniformity(texts[:1]) == 0


def test_the_spectrum_shows_a_collapse() -> None:
    """Vectors along one line have one singular value; the shares sum to 1."""
    line = np.outer(np.linspace(-1, 1, 20), np.eye(4)[0]).astype(np.float32)
    assert spectrum(line) == pytest.approx((1, 0, 0, 0), abs=1e-6)
    assert sum(spectrum(unit(np.random.default_rng(2), 30))) == pytest.approx(1)
