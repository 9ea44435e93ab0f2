"""Findings of `reelseek doctor` in words."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from bots.commands.library import SENSES
from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import explain_error, translate
from worker.ops.doctor_checks import DoctorCheck, DoctorCheckName, DoctorOutcome


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


_NAMES: Final[Mapping[DoctorCheckName, CliMsg | str]] = {
    DoctorCheckName.DATA_FOLDER: CliMsg.DATA_FOLDER,
    DoctorCheckName.MODEL: CliMsg.MODEL,
    DoctorCheckName.SAMPLES: CliMsg.SAMPLES,
    DoctorCheckName.DEVICE: CliMsg.DEVICE,
    DoctorCheckName.NETWORK: CliMsg.NETWORK,
    DoctorCheckName.CERTIFICATES: CliMsg.CERTIFICATES,
    DoctorCheckName.LIBRARY: CliMsg.LIBRARY,
    DoctorCheckName.RECOGNIZERS: CliMsg.RECOGNIZERS,
    DoctorCheckName.RECOGNITION: CliMsg.RECOGNITION,
    DoctorCheckName.BLOB_STORE: CliMsg.BLOB_STORE,
    DoctorCheckName.YOUTUBE: "YouTube",
    DoctorCheckName.REDIS: "Redis",
    DoctorCheckName.QDRANT: "Qdrant",
}
_DETAILS: Final[Mapping[DoctorOutcome, CliMsg]] = {
    DoctorOutcome.DATA_FOLDER_READY: CliMsg.FOLDER_FREE,
    DoctorOutcome.DATA_FOLDER_FULL: CliMsg.FOLDER_FREE,
    DoctorOutcome.MODEL_READY: CliMsg.MODEL_READY,
    DoctorOutcome.MODEL_FROM_HUB: CliMsg.MODEL_FROM_HUB,
    DoctorOutcome.MODEL_MISSING: CliMsg.MODEL_NOT_FOUND,
    DoctorOutcome.MODEL_WITHOUT_E5: CliMsg.MODEL_WITHOUT_E5,
    DoctorOutcome.SAMPLES_READY: CliMsg.SAMPLES_FOUND,
    DoctorOutcome.SAMPLES_MISSING: CliMsg.SAMPLES_NOT_FOUND,
    DoctorOutcome.DEVICE_CPU: CliMsg.DEVICE_CPU,
    DoctorOutcome.DEVICE_CUDA_MISSING: CliMsg.DEVICE_CPU,
    DoctorOutcome.YOUTUBE_READY: CliMsg.YOUTUBE_READY,
    DoctorOutcome.YOUTUBE_RUNTIME_MISSING: CliMsg.YOUTUBE_NO_RUNTIME,
    DoctorOutcome.REDIS_READY: CliMsg.REDIS_DURABLE,
    DoctorOutcome.REDIS_NOT_DURABLE: CliMsg.REDIS_NOT_DURABLE,
    DoctorOutcome.QDRANT_READY: CliMsg.QDRANT_READY,
    DoctorOutcome.NETWORK_READY: CliMsg.NETWORK_READY,
    DoctorOutcome.NETWORK_PROXY: CliMsg.NETWORK_PROXY,
    DoctorOutcome.NETWORK_NO_NAMES: CliMsg.NETWORK_NO_NAMES,
    DoctorOutcome.NETWORK_FAKE: CliMsg.NETWORK_FAKE,
    DoctorOutcome.LIBRARY_EMPTY: CliMsg.LIBRARY_EMPTY,
    DoctorOutcome.LIBRARY_FITS: CliMsg.LIBRARY_FITS,
    DoctorOutcome.LIBRARY_OTHER_PRESET: CliMsg.LIBRARY_OTHER_PRESET,
    DoctorOutcome.LIBRARY_NEWER_WEIGHTS: CliMsg.LIBRARY_NEWER_WEIGHTS,
    DoctorOutcome.LIBRARY_MODEL_GONE: CliMsg.LIBRARY_MODEL_GONE,
    DoctorOutcome.RECOGNIZERS_READY: CliMsg.RECOGNIZERS_READY,
    DoctorOutcome.RECOGNIZERS_OFF: CliMsg.RECOGNIZERS_OFF,
    DoctorOutcome.RECOGNIZERS_MISSING: CliMsg.RECOGNIZERS_NOT_FOUND,
    DoctorOutcome.RECOGNIZERS_WITHOUT_KOREAN: CliMsg.RECOGNIZERS_WITHOUT_KOREAN,
    DoctorOutcome.RECOGNITION_READY: CliMsg.RECOGNITION_READY,
    DoctorOutcome.RECOGNITION_FAILED: CliMsg.RECOGNITION_FAILED,
    DoctorOutcome.RECOGNITION_STALLED: CliMsg.RECOGNITION_STALLED,
    DoctorOutcome.RECOGNITION_UNKNOWN: CliMsg.RECOGNITION_UNKNOWN,
    DoctorOutcome.NOT_INSTALLED: CliMsg.NOT_INSTALLED_HERE,
}
_LITERAL_DETAILS: Final[Mapping[DoctorOutcome, str]] = {
    DoctorOutcome.DATA_FOLDER_UNWRITABLE: "{folder}: {error}",
    DoctorOutcome.DEVICE_CUDA: "{name}",
    DoctorOutcome.BLOB_STORE_READY: "{address}",
    DoctorOutcome.BLOB_STORE_UNAVAILABLE: "{error}",
    DoctorOutcome.CERTIFICATES_READY: "{variable}: {path}",
    DoctorOutcome.CERTIFICATES_UNUSABLE: "{variable}: {path}: {error}",
    DoctorOutcome.REDIS_UNAVAILABLE: "{error}",
    DoctorOutcome.QDRANT_UNAVAILABLE: "{error}",
}
"""Details without a word to translate."""
_LANGUAGES: Final[Mapping[str, CliMsg]] = {
    "English": CliMsg.ENGLISH,
    "Korean": CliMsg.KOREAN,
    "Chinese": CliMsg.CHINESE,
}
"""Languages of published figures."""
_ADVICE: Final[Mapping[DoctorOutcome, CliMsg]] = {
    DoctorOutcome.DATA_FOLDER_FULL: CliMsg.FIX_DATA_FOLDER,
    DoctorOutcome.DATA_FOLDER_UNWRITABLE: CliMsg.FIX_DATA_FOLDER,
    DoctorOutcome.MODEL_MISSING: CliMsg.FIX_BY_COMMAND,
    DoctorOutcome.MODEL_WITHOUT_E5: CliMsg.FIX_BY_COMMAND,
    DoctorOutcome.SAMPLES_MISSING: CliMsg.FIX_BY_COMMAND,
    DoctorOutcome.RECOGNIZERS_MISSING: CliMsg.FIX_BY_COMMAND,
    DoctorOutcome.RECOGNIZERS_WITHOUT_KOREAN: CliMsg.FIX_TESSERACT,
    DoctorOutcome.RECOGNITION_FAILED: CliMsg.FIX_RECOGNITION,
    DoctorOutcome.RECOGNITION_STALLED: CliMsg.FIX_ENRICH_WORKER,
    DoctorOutcome.DEVICE_CUDA_MISSING: CliMsg.FIX_DEVICE,
    DoctorOutcome.BLOB_STORE_UNAVAILABLE: CliMsg.FIX_BLOB_STORE,
    DoctorOutcome.YOUTUBE_RUNTIME_MISSING: CliMsg.FIX_YOUTUBE,
    DoctorOutcome.NETWORK_FAKE: CliMsg.FIX_NETWORK,
    DoctorOutcome.CERTIFICATES_UNUSABLE: CliMsg.FIX_CERTIFICATES,
    DoctorOutcome.LIBRARY_MODEL_GONE: CliMsg.FIX_LIBRARY_MODEL,
    DoctorOutcome.REDIS_NOT_DURABLE: CliMsg.FIX_REDIS_DURABILITY,
    DoctorOutcome.REDIS_UNAVAILABLE: CliMsg.FIX_REDIS,
    DoctorOutcome.QDRANT_UNAVAILABLE: CliMsg.FIX_QDRANT,
}


def describe_check(check: DoctorCheck) -> CheckLine:
    """Return a check of the worker's doctor in the current language."""
    parameters: dict[str, Any] = {
        key: explain_error(value) if isinstance(value, Exception) else value for key, value in check.parameters.items()
    }
    if "has_adapter" in parameters:
        parameters["weights"] = translate(CliMsg.WITH_ADAPTER if parameters["has_adapter"] else CliMsg.WITHOUT_ADAPTER)
    if "senses" in parameters:
        parameters["senses"] = ", ".join(translate(SENSES[sense]) for sense in parameters["senses"])
    if "failed_senses" in parameters:
        failed = parameters["failed_senses"].items()
        parameters["senses"] = ", ".join(f"{translate(SENSES[sense])} ({count})" for sense, count in failed)
    if "figures" in parameters:
        parameters["figures"] = _describe_figures(parameters["figures"])
    name, advice = _NAMES[check.name], _ADVICE.get(check.outcome)
    return CheckLine(
        translate(name) if isinstance(name, CliMsg) else name,
        check.is_ok,
        _describe_outcome(check.outcome, parameters),
        translate(advice, **parameters) if advice else None,
    )


def check_terminal(encoding: str) -> CheckLine:
    """Check whether the terminal's encoding can show the titles of videos."""
    is_unicode = codecs.lookup(encoding).name.startswith("utf")
    return CheckLine(
        translate(CliMsg.TERMINAL),
        is_unicode,
        translate(CliMsg.TERMINAL_READY if is_unicode else CliMsg.TERMINAL_LIMITED, encoding=encoding),
        None if is_unicode else translate(CliMsg.FIX_TERMINAL),
    )


def _describe_outcome(outcome: DoctorOutcome, parameters: Mapping[str, Any]) -> str:
    if outcome in _LITERAL_DETAILS:
        return _LITERAL_DETAILS[outcome].format(**parameters)
    return translate(_DETAILS[outcome], **parameters)


def _describe_figures(figures: Figures | None) -> str:
    if figures is None:
        return translate(CliMsg.NOT_MEASURED)
    languages = [
        translate(
            CliMsg.FIGURES_LANGUAGE,
            language=translate(_LANGUAGES[name]) if name in _LANGUAGES else name,
            first=f"{first:.0%}",
            among_five=f"{figures.among_five[name]:.0%}",
        )
        for name, first in figures.first.items()
    ]
    return translate(CliMsg.FIGURES, clips=figures.clips, languages=", ".join(languages))
