"""Calibration of scores."""

import numpy as np
import pytest

from indexer.search.calibration import likelihood


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_likelihood_depends_on_the_library_not_on_the_cosine_level(level: float) -> None:
    """An outstanding cosine is likely; a cosine within chance is not."""
    sample = np.random.default_rng(3).normal(level, 0.05, 500).astype(np.float32)
    assert likelihood(0.45 + level, sample) > 0.95
    assert likelihood(0.12 + level, sample) < 0.25


def test_likelihood_in_a_library_of_one_moment_is_low() -> None:
    """It is a number between 0 and one half."""
    assert 0 < likelihood(0.4, np.array([0.4], dtype=np.float32)) < 0.5
