"""Calibration of cosines: how much a cosine exceeds the library's for the same query.

No fixed threshold works, because the level of cosines changes with the query and with the library.
"""

from dataclasses import dataclass
from math import exp, log
from statistics import NormalDist
from typing import Final, Protocol

import numpy as np

from indexer.types import Vector

MIN_SPREAD: Final = 0.02
"""Minimum of the robust standard deviation of a sample."""

COMPLETED_BY: Final = 50
"""Number of cosines of unrelated texts and pictures that are added to a sample."""

SHARPNESS: Final = 0.55
"""The share of a model's logit scale that is used here: a library is less alike than a batch of training pictures."""
UNRELATED_SPREAD: Final = 1.5
"""Standard deviation of the logits of texts and pictures that have nothing to do with each other."""
EVIDENCE_WEIGHT: Final = 1.46
LENGTH_WEIGHT: Final = -0.19
OFFSET: Final = -4.21
"""By logistic regression (`python -m benchmarks.recall.nothing_here`; docs/starter-model.md)."""
USUAL_BYTES: Final = 30
"""Length of a query without words."""
CERTAIN_LOOKS: Final = 0.6
"""Likelihood from which on looks count fully: that of a strong match.

If only 1 is, other lists take five first places of 103 from what people describe by its looks. The lower it is, the
more first places looks take from sounds and from what is said (docs/senses.md).
"""


class Background(Protocol):
    """The level of a query's cosines to moments that it does not mean."""

    @property
    def median(self) -> float:
        """The usual cosine."""
        ...

    def likelihood(self, cosine: float) -> float:
        """Return the likelihood, 0 to 1, that a moment with this cosine is what the query means."""
        ...

    def weigh(self, cosine: float) -> float:
        """Return how much a moment with this cosine counts in the ranking, 0 to 1."""
        ...


@dataclass(frozen=True)
class PictureBackground:
    """The level of a query's cosines to pictures."""

    scale: float
    """What cosines are multiplied by."""
    level: float
    """Logarithm of the mean of exp(scale * cosine) over pictures."""
    query_bytes: int
    """Length of the query's words."""
    median: float
    """The usual cosine."""

    def likelihood(self, cosine: float) -> float:
        """Return the likelihood, 0 to 1, that a moment with this cosine is what the query means.

        A model trained by InfoNCE learns cosines whose scaled difference from this level is the logarithm of how much
        more probable the picture is for this text than by chance (van den Oord et al. 2018, arXiv:1807.03748). Of a
        word that many pictures match, that is never much; of a sentence it is more.
        """
        evidence = self.scale * cosine - self.level
        return _sigmoid(EVIDENCE_WEIGHT * evidence + LENGTH_WEIGHT * log(self.query_bytes) + OFFSET)

    def weigh(self, cosine: float) -> float:
        """Return how much a moment with this cosine counts in the ranking, 0 to 1: fully if it is a strong match."""
        return min(self.likelihood(cosine) / CERTAIN_LOOKS, 1.0)


@dataclass(frozen=True)
class SentenceBackground:
    """The level of a query's cosines to what is said, shown, written or heard in moments."""

    median: float
    spread: float
    """Robust standard deviation."""
    z_by_chance: float
    """By how many standard deviations the best of the sample exceeds the median by chance."""

    def likelihood(self, cosine: float) -> float:
        """Return the likelihood, 0 to 1, that a moment with this cosine is what the query means.

        It is one half at the level that the best of the sample reaches by chance.
        """
        return _sigmoid(2 * (self._standardize(cosine) - self.z_by_chance))

    def weigh(self, cosine: float) -> float:
        """Return how much a moment with this cosine counts in the ranking, 0 to 1.

        It counts in proportion to how far it is above the level that the best of the sample reaches by chance, and
        fully at twice that level.
        """
        return float(np.clip(self._standardize(cosine) / self.z_by_chance - 1, 0.0, 1.0))

    def _standardize(self, cosine: float) -> float:
        return (cosine - self.median) / self.spread


def measure_picture_background(
    sample: Vector, text: str, logit_scale: float, unrelated: float | None
) -> PictureBackground:
    """Return the level of the cosines (n,) of a query's text to pictures of the library, by a model with a logit scale.

    If the usual cosine of what is `unrelated` is known, cosines around it complete the sample: a new library may have
    only pictures that the query means.
    """
    scale = SHARPNESS * logit_scale
    if unrelated is not None:
        sample = np.concatenate([sample, _sample_normal(unrelated, UNRELATED_SPREAD / logit_scale)])
    level = float(np.log(np.mean(np.exp(scale * sample.astype(np.float64)))))
    return PictureBackground(scale, level, len(text.encode()) or USUAL_BYTES, float(np.median(sample)))


def measure_sentence_background(sample: Vector) -> SentenceBackground:
    """Return the level of a query's cosines (n,) to the words of moments: at least that of unrelated sentences.

    These also complete the sample of a library in which few moments have words. Titles may be only numbers, which are
    less like a query than any sentence. The best of n moments reaches about z = sqrt(2 log n) robust standard
    deviations above the median by chance.
    """
    least = UNRELATED_SENTENCES
    sample = np.concatenate([sample, _sample_normal(least.median, least.spread)])
    median = float(np.median(sample))
    spread = max(1.4826 * float(np.median(np.abs(sample - median))), MIN_SPREAD)
    return SentenceBackground(
        max(median, least.median), max(spread, least.spread), max(_expect_best(len(sample)), least.z_by_chance)
    )


def _sample_normal(mean: float, deviation: float) -> Vector:
    """Return evenly spaced quantiles of a normal distribution (`COMPLETED_BY`,)."""
    return np.array(NormalDist(mean, deviation).quantiles(COMPLETED_BY + 1), np.float32)


def _sigmoid(log_odds: float) -> float:
    return 1 / (1 + exp(-log_odds))


def _expect_best(count: int) -> float:
    return float(np.sqrt(2 * np.log(max(count, 2))))


UNRELATED_SENTENCES: Final = SentenceBackground(0.035, 0.063, _expect_best(200))
"""Of sentences that have nothing to do with each other, in and across English, Korean and Chinese (docs/senses.md)."""
UNRELATED_SOUNDS: Final = SentenceBackground(0.119, 0.085, _expect_best(200))
"""Of queries about looks and speech and the sentences of sounds (docs/senses.md).

It is used as the library's level: a query about one sound is near to the sentences of all sounds.
"""
