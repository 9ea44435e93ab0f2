"""Findings of `reelseek doctor` in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from worker.ops.doctor import DoctorCheck, DoctorCheckName, DoctorOutcome


class Figures(Protocol):
    """Published retrieval figures of a preset: shares by language."""

    @property
    def clips(self) -> int: ...
    @property
    def first(self) -> Mapping[str, float]: ...
    @property
    def among_five(self) -> Mapping[str, float]: ...


@dataclass(frozen=True)
class CheckLine:
    """One checked part: what was found, and how to fix it."""

    name: str
    is_ok: bool
    detail: str
    advice: str | None = None
    """None if there is nothing to fix."""


_NAMES: Final[Mapping[DoctorCheckName, Msg | str]] = {
    DoctorCheckName.DATA_FOLDER: Msg.DATA_FOLDER,
    DoctorCheckName.MODEL: Msg.NAME_MODEL,
    DoctorCheckName.SAMPLES: Msg.SAMPLES,
    DoctorCheckName.DEVICE: Msg.DEVICE,
    DoctorCheckName.BLOB_STORE: Msg.BLOB_STORE,
    DoctorCheckName.YOUTUBE: "YouTube",
    DoctorCheckName.REDIS: "Redis",
    DoctorCheckName.QDRANT: "Qdrant",
}
_DETAILS: Final[Mapping[DoctorOutcome, Msg]] = {
    DoctorOutcome.DATA_FOLDER_READY: Msg.FOLDER_FREE,
    DoctorOutcome.DATA_FOLDER_FULL: Msg.FOLDER_FREE,
    DoctorOutcome.MODEL_READY: Msg.MODEL_READY,
    DoctorOutcome.MODEL_FROM_HUB: Msg.MODEL_FROM_HUB,
    DoctorOutcome.MODEL_MISSING: Msg.MODEL_NOT_FOUND,
    DoctorOutcome.SAMPLES_READY: Msg.SAMPLES_FOUND,
    DoctorOutcome.SAMPLES_MISSING: Msg.SAMPLES_NOT_FOUND,
    DoctorOutcome.DEVICE_CPU: Msg.DEVICE_CPU,
    DoctorOutcome.DEVICE_CUDA_MISSING: Msg.DEVICE_CPU,
    DoctorOutcome.YOUTUBE_READY: Msg.YOUTUBE_READY,
    DoctorOutcome.YOUTUBE_RUNTIME_MISSING: Msg.YOUTUBE_NO_RUNTIME,
    DoctorOutcome.REDIS_READY: Msg.REDIS_DURABLE,
    DoctorOutcome.REDIS_NOT_DURABLE: Msg.REDIS_NOT_DURABLE,
    DoctorOutcome.QDRANT_READY: Msg.QDRANT_READY,
    DoctorOutcome.NOT_INSTALLED: Msg.NOT_INSTALLED_HERE,
}
_LITERAL_DETAILS: Final[Mapping[DoctorOutcome, str]] = {
    DoctorOutcome.DATA_FOLDER_UNWRITABLE: "{folder}: {error}",
    DoctorOutcome.DEVICE_CUDA: "{name}",
    DoctorOutcome.BLOB_STORE_READY: "{address}",
    DoctorOutcome.BLOB_STORE_UNAVAILABLE: "{error}",
    DoctorOutcome.REDIS_UNAVAILABLE: "{error}",
    DoctorOutcome.QDRANT_UNAVAILABLE: "{error}",
}
"""Details without a word to translate."""
_ADVICE: Final[Mapping[DoctorOutcome, Msg]] = {
    DoctorOutcome.DATA_FOLDER_FULL: Msg.FIX_DATA_FOLDER,
    DoctorOutcome.DATA_FOLDER_UNWRITABLE: Msg.FIX_DATA_FOLDER,
    DoctorOutcome.MODEL_MISSING: Msg.FIX_BY_COMMAND,
    DoctorOutcome.SAMPLES_MISSING: Msg.FIX_BY_COMMAND,
    DoctorOutcome.DEVICE_CUDA_MISSING: Msg.FIX_DEVICE,
    DoctorOutcome.BLOB_STORE_UNAVAILABLE: Msg.FIX_BLOB_STORE,
    DoctorOutcome.YOUTUBE_RUNTIME_MISSING: Msg.FIX_YOUTUBE,
    DoctorOutcome.REDIS_NOT_DURABLE: Msg.FIX_REDIS_DURABILITY,
    DoctorOutcome.REDIS_UNAVAILABLE: Msg.FIX_REDIS,
    DoctorOutcome.QDRANT_UNAVAILABLE: Msg.FIX_QDRANT,
}


def describe_check(check: DoctorCheck) -> CheckLine:
    """Return a check of the worker's doctor in the current language."""
    parameters = dict(check.parameters)
    if "figures" in parameters:
        parameters["figures"] = _describe_figures(parameters["figures"])
    name, advice = _NAMES[check.name], _ADVICE.get(check.outcome)
    return CheckLine(
        translate(name) if isinstance(name, Msg) else name,
        check.is_ok,
        _describe_outcome(check.outcome, parameters),
        translate(advice, **parameters) if advice else None,
    )


def _describe_outcome(outcome: DoctorOutcome, parameters: Mapping[str, Any]) -> str:
    if outcome in _LITERAL_DETAILS:
        return _LITERAL_DETAILS[outcome].format(**parameters)
    return translate(_DETAILS[outcome], **parameters)


def _describe_figures(figures: Figures | None) -> str:
    if figures is None:
        return translate(Msg.NOT_MEASURED)
    languages = [
        translate(
            Msg.FIGURES_LANGUAGE, language=name, first=f"{first:.0%}", among_five=f"{figures.among_five[name]:.0%}"
        )
        for name, first in figures.first.items()
    ]
    return translate(Msg.FIGURES, clips=figures.clips, languages=", ".join(languages))
