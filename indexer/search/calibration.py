"""What a cosine means: how far it stands out from the library, for this very query.

No fixed cut-off holds: the level of cosines changes with the query and with the library.
"""

import numpy as np

from indexer.types import Vector

LEAST_SPREAD = 0.02

WEAK = 0.25
"""Of 20 best hits less likely than this, 4 were right (309 questions to 103 clips, docs/starter-model.md)."""


def likelihood(cosine: float, sample: Vector) -> float:
    """How likely a moment is what was meant, 0 to 1.

    `sample` (n,) holds the query's cosines to moments of the library. The best of n moments reaches about
    z = sqrt(2 log n) robust deviations above the bulk by chance alone: that is where the likelihood is one half.
    """
    middle = float(np.median(sample))
    spread = max(1.4826 * float(np.median(np.abs(sample - middle))), LEAST_SPREAD)
    by_chance = float(np.sqrt(2 * np.log(max(len(sample), 2))))
    return float(1 / (1 + np.exp(-2 * ((cosine - middle) / spread - by_chance))))
