"""Calibration of cosines: how much a cosine exceeds the library's for the same query.

No fixed threshold works, because the level of cosines changes with the query and with the library.
"""

from typing import Final

import numpy as np

from indexer.types import Vector

MIN_SPREAD: Final = 0.02
"""Minimum of the robust standard deviation of a sample."""

WEAK_LIKELIHOOD: Final = 0.25
"""Of 20 best hits below this likelihood 4 were right (309 queries, 103 clips; docs/starter-model.md)."""


def likelihood(cosine: float, sample: Vector) -> float:
    """Return the likelihood, 0 to 1, that a moment is what the query means.

    `sample` (n,) contains the query's cosines to moments of the library. The best of n moments reaches about
    z = sqrt(2 log n) robust standard deviations above the median by chance: there the likelihood is one half.
    """
    median = float(np.median(sample))
    spread = max(1.4826 * float(np.median(np.abs(sample - median))), MIN_SPREAD)
    z_by_chance = float(np.sqrt(2 * np.log(max(len(sample), 2))))
    return float(1 / (1 + np.exp(-2 * ((cosine - median) / spread - z_by_chance))))
