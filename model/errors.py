"""Errors of the model package.

ModelError
├── ArtifactsMissingError    weights or other files are missing and could not be fetched
├── AdapterMismatchError     an adapter was made for another model, or is damaged
├── PresetUnusableError      the file of a preset has a mistake, or the model that it names is of no known family
├── UnknownPresetError       there is no preset of that name
├── WeightsChangedError      the weights of a preset are not those that a library was embedded with
├── PairsUnreadableError     a file of pairs, or a picture that it names, cannot be read
├── TooFewPairsError         there are no pairs to train on, or no held-out pairs to evaluate with
├── EncoderMemoryError       transient: not even one picture fits into memory now
└── TrainingCancelledError   a training run was stopped on request

Each class carries the `code` under which it crosses the wire. The message says what to do. `transient` errors are
worth a retry.
"""

from collections.abc import Sequence
from typing import ClassVar


class ModelError(Exception):
    """Base class of the errors that this package raises.

    `reason` is an English text with the names of `values` in braces. It is the key of its translations, so it is a
    literal wherever it is raised (`bots.i18n.update_catalogs` collects them).
    """

    code: ClassVar[str] = "internal"
    transient: ClassVar[bool] = False

    def __init__(self, reason: str, /, **values: object) -> None:
        super().__init__(reason.format(**values) if values else reason)
        self.reason = reason
        self.values = values


class ArtifactsMissingError(ModelError):
    code = "model_missing"


class AdapterMismatchError(ModelError):
    code = "model_mismatch"


class PresetUnusableError(ModelError):
    code = "preset_unusable"


class UnknownPresetError(ModelError):
    code = "unknown_preset"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no preset {name!r}; there are {', '.join(known)}")
        self.known = known


class WeightsChangedError(ModelError):
    code = "weights_changed"


class PairsUnreadableError(ModelError):
    code = "pairs_unreadable"


class TooFewPairsError(ModelError):
    code = "too_few_pairs"


class EncoderMemoryError(ModelError):
    code = "busy"
    transient = True


class TrainingCancelledError(ModelError):
    code = "cancelled"
