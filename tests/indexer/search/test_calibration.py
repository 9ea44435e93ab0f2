"""What a score means."""

import numpy as np
import pytest

from indexer.search.calibration import likelihood


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_a_likelihood_is_judged_against_the_library(level: float) -> None:
    """What stands out is likely, what chance alone reaches is not, whatever the level of the cosines."""
    sample = np.random.default_rng(3).normal(level, 0.05, 500).astype(np.float32)
    assert likelihood(0.45 + level, sample) > 0.95
    assert likelihood(0.12 + level, sample) < 0.25


def test_one_moment_says_nothing() -> None:
    """A library of one moment can't be judged: its likelihood is low, and a number."""
    assert 0 < likelihood(0.4, np.array([0.4], dtype=np.float32)) < 0.5
