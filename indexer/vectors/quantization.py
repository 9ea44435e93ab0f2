"""Quantization: short codes of the dense vectors, which searches compare in place of the vectors.

The best by their codes are compared again by the vectors themselves, so scores are true cosines. A server keeps only
the codes in memory. docs/measurements/2026-11-compact-codes.md has the figures that the defaults follow.
"""

from enum import StrEnum
from typing import Final

RESCORED: Final = 400
"""Least number of points that a search compares by their vectors."""
MIN_OVERSAMPLING: Final = 2.0
"""Least number of points that a search compares by their vectors, for each point it returns."""


class Quantization(StrEnum):
    """Kind of codes. Each number of a vector takes 4 bytes without codes."""

    OFF = "off"
    INT8 = "int8"
    """One byte for a number."""
    BINARY = "binary"
    """Two bits for a number."""
    PRODUCT = "product"
    """One byte for four numbers: the nearest of 256 centroids. Building them takes minutes for 20,000 moments."""


def choose_oversampling(limit: int) -> float:
    """Return how many points to compare by their vectors, for each of `limit` points to return."""
    return max(MIN_OVERSAMPLING, RESCORED / limit)
