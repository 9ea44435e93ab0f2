"""Calibration of cosines: how much a cosine exceeds the library's for the same query.

No fixed threshold works, because the level of cosines changes with the query and with the library.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from indexer.types import Vector

MIN_SPREAD: Final = 0.02
"""Minimum of the robust standard deviation of a sample."""

COMPLETED_BY: Final = 50
"""Number of cosines of unrelated sentences that complete a sample."""

WEAK_LIKELIHOOD: Final = 0.25
"""Of 20 best hits below this likelihood 4 were right (309 queries, 103 clips; docs/starter-model.md)."""


@dataclass(frozen=True)
class Background:
    """The level of a query's cosines to moments, most of which it does not mean."""

    median: float
    spread: float
    """Robust standard deviation."""
    z_by_chance: float
    """By how many standard deviations the best of the sample exceeds the median by chance."""

    def likelihood(self, cosine: float) -> float:
        """Return the likelihood, 0 to 1, that a moment with this cosine is what the query means.

        It is one half at the level that the best of the sample reaches by chance.
        """
        z = (cosine - self.median) / self.spread
        return float(1 / (1 + np.exp(-2 * (z - self.z_by_chance))))


def measure_background(sample: Vector) -> Background:
    """Return the level of a query's cosines (n,) to moments of the library.

    The best of n moments reaches about z = sqrt(2 log n) robust standard deviations above the median by chance.
    """
    median = float(np.median(sample))
    spread = max(1.4826 * float(np.median(np.abs(sample - median))), MIN_SPREAD)
    return Background(median, spread, _expect_best(len(sample)))


def measure_sentence_background(sample: Vector) -> Background:
    """Return the level of a query's cosines (n,) to the words of moments: at least that of unrelated sentences.

    These also complete the sample of a library in which few moments have words. Titles may be only numbers, which are
    less like a query than any sentence.
    """
    least = UNRELATED_SENTENCES
    unrelated = np.array(NormalDist(least.median, least.spread).quantiles(COMPLETED_BY + 1), np.float32)
    measured = measure_background(np.concatenate([sample, unrelated]))
    return Background(
        max(measured.median, least.median),
        max(measured.spread, least.spread),
        max(measured.z_by_chance, least.z_by_chance),
    )


def _expect_best(count: int) -> float:
    return float(np.sqrt(2 * np.log(max(count, 2))))


UNRELATED_SENTENCES: Final = Background(0.035, 0.063, _expect_best(200))
"""Of sentences that have nothing to do with each other, in and across English, Korean and Chinese (docs/senses.md)."""
UNRELATED_SOUNDS: Final = Background(0.119, 0.085, _expect_best(200))
"""Of queries about looks and speech and the sentences of sounds (docs/senses.md).

It is used as the library's level: a query about one sound is near to the sentences of all sounds.
"""
