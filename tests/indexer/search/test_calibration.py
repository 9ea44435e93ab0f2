"""Calibration of scores."""

import numpy as np
import pytest

from indexer.hits import Strength, rate_score
from indexer.search.calibration import (
    CERTAIN_LOOKS,
    UNRELATED_SENTENCES,
    PictureBackground,
    measure_picture_background,
    measure_sentence_background,
)
from indexer.types import Vector


def measure(
    sample: Vector, unrelated: float | None = None, logit_scale: float = 20.0, text: str = "a dog in the snow"
) -> PictureBackground:
    return measure_picture_background(sample, text, logit_scale, unrelated)


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_likelihood_depends_on_the_library_not_on_the_cosine_level(level: float) -> None:
    """An outstanding cosine is likely; a cosine within chance is not."""
    background = measure(np.random.default_rng(3).normal(level, 0.05, 500).astype(np.float32))
    assert background.likelihood(0.5 + level) > 0.9
    assert background.likelihood(0.15 + level) < 0.1


def test_likelihood_depends_on_logits_not_on_the_scale_of_cosines() -> None:
    """A model whose cosines are five times smaller was trained with a logit scale that is five times greater."""
    sample: Vector = np.random.default_rng(3).normal(0.0, 0.05, 500).astype(np.float32)
    wide, narrow = measure(sample), measure((sample / 5).astype(np.float32), logit_scale=100.0)
    assert wide.likelihood(0.4) == pytest.approx(narrow.likelihood(0.4 / 5))


def test_likelihood_grows_with_the_cosine() -> None:
    background = measure(np.random.default_rng(3).normal(0.0, 0.1, 50).astype(np.float32))
    likelihoods = [background.likelihood(cosine) for cosine in np.linspace(-1, 1, 21)]
    assert likelihoods == sorted(likelihoods)
    assert 0 < likelihoods[0] < likelihoods[-1] < 1


def test_sentence_needs_more_evidence_than_a_word() -> None:
    """A word matches many pictures, so that its best cosine is never far above the others."""
    sample = np.random.default_rng(3).normal(0.0, 0.1, 200).astype(np.float32)
    word, sentence = measure(sample, text="dog"), measure(sample, text="a dog that jumps over a fence")
    assert word.likelihood(0.4) > sentence.likelihood(0.4)


def test_match_in_a_library_of_one_moment_is_likely_if_the_level_is_known() -> None:
    """Without the usual cosine of unrelated pairs nothing can be said about a single moment."""
    one = np.array([0.5], dtype=np.float32)
    assert measure(one, unrelated=0.0).likelihood(0.5) > 0.5
    assert measure(np.array([0.1], np.float32), unrelated=0.0).likelihood(0.1) < 0.1
    assert measure(one).likelihood(0.5) < 0.1


def test_unrelated_sentences_tell_a_match_from_chance_in_an_empty_library() -> None:
    """Of sentences with the same meaning in two languages, three in four have a cosine above 0.32."""
    assert UNRELATED_SENTENCES.likelihood(0.32) > 0.9
    assert UNRELATED_SENTENCES.likelihood(0.15) < 0.25


def test_titles_that_are_numbers_do_not_lower_the_level() -> None:
    """The level of a library is at least that of unrelated sentences."""
    numbers = np.random.default_rng(3).normal(0.0, 0.01, 200).astype(np.float32)
    assert measure_sentence_background(numbers).likelihood(0.15) < 0.25
    assert measure_sentence_background(np.array([0.4], np.float32)).likelihood(0.4) > 0.9


@pytest.mark.parametrize(("times", "weight"), [(-1.0, 0.0), (1.0, 0.0), (1.25, 0.25), (2.0, 1.0), (3.0, 1.0)])
def test_weight_of_meaning_grows_from_what_is_reached_by_chance_to_twice_that(times: float, weight: float) -> None:
    background = measure_sentence_background(np.zeros(0, np.float32))
    cosine = background.median + times * background.z_by_chance * background.spread
    assert background.weigh(cosine) == pytest.approx(weight)


def test_weight_of_looks_is_full_from_a_strong_match_on() -> None:
    background = measure(np.random.default_rng(3).normal(0.0, 0.05, 500).astype(np.float32))
    for cosine in np.linspace(-0.2, 0.6, 17):
        likelihood = background.likelihood(cosine)
        strong = rate_score(likelihood) is Strength.STRONG
        assert background.weigh(cosine) == (1.0 if strong else pytest.approx(likelihood / CERTAIN_LOOKS))


@pytest.mark.parametrize(
    ("score", "is_liked", "strength"),
    [(0.9, False, "strong"), (0.45, False, "fair"), (0.1, False, "weak"), (0.1, True, "fair"), (0.9, True, "strong")],
)
def test_strength_follows_from_the_score_and_from_votes(score: float, is_liked: bool, strength: str) -> None:
    assert rate_score(score, is_liked) is Strength(strength)
