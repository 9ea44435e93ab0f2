"""What can go wrong between a preset and its vectors.

ModelError
├── PartsMissing       weights or other parts are not here and could not be fetched
├── AdapterMismatch    an adapter that was made for another model
├── PairsUnreadable    a file of pairs that does not say what it should
├── TooFewPairs        nothing to train on, or nothing held out to judge by
└── Cancelled          a training run was stopped on request

Each class carries the `code` under which it crosses the wire. The message says what to do.
"""

from typing import ClassVar


class ModelError(Exception):
    """Base of everything this package raises on purpose."""

    code: ClassVar[str] = "internal"


class PartsMissing(ModelError):
    code = "model_missing"


class AdapterMismatch(ModelError):
    code = "model_mismatch"


class PairsUnreadable(ModelError):
    code = "pairs_unreadable"


class TooFewPairs(ModelError):
    code = "too_few_pairs"


class Cancelled(ModelError):
    code = "cancelled"
