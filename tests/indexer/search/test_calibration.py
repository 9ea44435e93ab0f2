"""Calibration of scores."""

import numpy as np
import pytest

from indexer.search.calibration import UNRELATED_SENTENCES, measure_background, measure_sentence_background


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_likelihood_depends_on_the_library_not_on_the_cosine_level(level: float) -> None:
    """An outstanding cosine is likely; a cosine within chance is not."""
    background = measure_background(np.random.default_rng(3).normal(level, 0.05, 500).astype(np.float32))
    assert background.likelihood(0.45 + level) > 0.95
    assert background.likelihood(0.12 + level) < 0.25


def test_likelihood_in_a_library_of_one_moment_is_low() -> None:
    """It is a number between 0 and one half."""
    assert 0 < measure_background(np.array([0.4], dtype=np.float32)).likelihood(0.4) < 0.5


def test_unrelated_sentences_tell_a_match_from_chance_in_an_empty_library() -> None:
    """Of sentences with the same meaning in two languages, three in four have a cosine above 0.32."""
    assert UNRELATED_SENTENCES.likelihood(0.32) > 0.9
    assert UNRELATED_SENTENCES.likelihood(0.15) < 0.25


def test_titles_that_are_numbers_do_not_lower_the_level() -> None:
    """The level of a library is at least that of unrelated sentences."""
    numbers = np.random.default_rng(3).normal(0.0, 0.01, 200).astype(np.float32)
    assert measure_background(numbers).likelihood(0.15) > 0.9
    assert measure_sentence_background(numbers).likelihood(0.15) < 0.25
    assert measure_sentence_background(np.array([0.4], np.float32)).likelihood(0.4) > 0.9
