"""What can go wrong between a preset and its vectors.

ModelError
├── PartsMissing       weights or other parts are not here and could not be fetched
└── AdapterMismatch    an adapter that was made for another model

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
