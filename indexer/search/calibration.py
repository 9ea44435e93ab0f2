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

WEAK_LIKELIHOOD: Final = 0.25
"""Of 20 best hits below this likelihood 4 were right (309 queries, 103 clips; docs/starter-model.md)."""

UNRELATED_SENTENCES: Final = np.array(NormalDist(0.035, 0.063).quantiles(51), np.float32)
"""Cosines of sentences that have nothing to do with each other, in and across English, Korean and Chinese.

They complete the sample of a small library, in which few moments have speech, writing or sounds (docs/senses.md).
"""


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
    return Background(median, spread, float(np.sqrt(2 * np.log(max(len(sample), 2)))))
