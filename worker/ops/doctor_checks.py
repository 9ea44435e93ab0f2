"""The doctor's checks as values: their names, their outcomes, and which outcomes need a fix."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class DoctorCheckName(StrEnum):
    """The checked parts."""

    DATA_FOLDER = "data_folder"
    MODEL = "model"
    SAMPLES = "samples"
    DEVICE = "device"
    NETWORK = "network"
    CERTIFICATES = "certificates"
    LIBRARY = "library"
    RECOGNIZERS = "recognizers"
    RECOGNITION = "recognition"
    BLOB_STORE = "blob_store"
    YOUTUBE = "youtube"
    REDIS = "redis"
    QDRANT = "qdrant"


class DoctorOutcome(StrEnum):
    """Results of checks. The comment after each lists its parameters."""

    DATA_FOLDER_READY = "data_folder_ready"  # folder, free_gb
    DATA_FOLDER_FULL = "data_folder_full"  # folder, free_gb
    DATA_FOLDER_UNWRITABLE = "data_folder_unwritable"  # folder, error
    MODEL_READY = "model_ready"  # preset, folder, figures: `PublishedFigures | None`
    MODEL_FROM_HUB = "model_from_hub"  # preset, figures
    MODEL_MISSING = "model_missing"  # folder, command
    MODEL_WITHOUT_E5 = "model_without_e5"  # preset, folder, command
    SAMPLES_READY = "samples_ready"  # count
    SAMPLES_MISSING = "samples_missing"  # command
    DEVICE_CUDA = "device_cuda"  # name
    DEVICE_CPU = "device_cpu"  # threads
    DEVICE_CUDA_MISSING = "device_cuda_missing"  # threads
    BLOB_STORE_READY = "blob_store_ready"  # address
    BLOB_STORE_UNAVAILABLE = "blob_store_unavailable"  # error
    YOUTUBE_READY = "youtube_ready"  # runtime
    YOUTUBE_RUNTIME_MISSING = "youtube_runtime_missing"
    REDIS_READY = "redis_ready"  # version
    REDIS_NOT_DURABLE = "redis_not_durable"  # version
    REDIS_UNAVAILABLE = "redis_unavailable"  # error
    QDRANT_READY = "qdrant_ready"  # collections, url
    QDRANT_UNAVAILABLE = "qdrant_unavailable"  # error
    NETWORK_READY = "network_ready"
    NETWORK_PROXY = "network_proxy"  # proxy
    NETWORK_NO_NAMES = "network_no_names"
    NETWORK_FAKE = "network_fake"  # host, addresses, network
    CERTIFICATES_READY = "certificates_ready"  # variable, path
    CERTIFICATES_UNUSABLE = "certificates_unusable"  # variable, path, error
    LIBRARY_EMPTY = "library_empty"
    # generation, stored (its preset), preset (that of the settings), has_adapter, and why for the last one
    LIBRARY_FITS = "library_fits"
    LIBRARY_OTHER_PRESET = "library_other_preset"
    LIBRARY_NEWER_WEIGHTS = "library_newer_weights"
    LIBRARY_MODEL_GONE = "library_model_gone"
    RECOGNIZERS_READY = "recognizers_ready"  # senses
    RECOGNIZERS_OFF = "recognizers_off"
    RECOGNIZERS_MISSING = "recognizers_missing"  # senses, command
    RECOGNIZERS_WITHOUT_KOREAN = "recognizers_without_korean"
    RECOGNITION_READY = "recognition_ready"  # count: of videos in which something is still to be recognized
    RECOGNITION_FAILED = "recognition_failed"  # failed_senses: numbers of videos
    RECOGNITION_STALLED = "recognition_stalled"  # count: as above
    RECOGNITION_UNKNOWN = "recognition_unknown"
    NOT_INSTALLED = "not_installed"  # module


_OK: Final = {
    DoctorOutcome.DATA_FOLDER_READY,
    DoctorOutcome.MODEL_READY,
    DoctorOutcome.MODEL_FROM_HUB,
    DoctorOutcome.SAMPLES_READY,
    DoctorOutcome.DEVICE_CUDA,
    DoctorOutcome.DEVICE_CPU,
    DoctorOutcome.BLOB_STORE_READY,
    DoctorOutcome.YOUTUBE_READY,
    DoctorOutcome.REDIS_READY,
    DoctorOutcome.QDRANT_READY,
    DoctorOutcome.NETWORK_READY,
    DoctorOutcome.NETWORK_PROXY,
    # A machine without the internet can search, and index files.
    DoctorOutcome.NETWORK_NO_NAMES,
    DoctorOutcome.CERTIFICATES_READY,
    DoctorOutcome.LIBRARY_EMPTY,
    DoctorOutcome.LIBRARY_FITS,
    # The library's own model is served.
    DoctorOutcome.LIBRARY_OTHER_PRESET,
    DoctorOutcome.LIBRARY_NEWER_WEIGHTS,
    DoctorOutcome.RECOGNIZERS_READY,
    DoctorOutcome.RECOGNIZERS_OFF,
    DoctorOutcome.RECOGNITION_READY,
    # The process that uses the data folder tells it in its status.
    DoctorOutcome.RECOGNITION_UNKNOWN,
    # A bot's machine has no models.
    DoctorOutcome.NOT_INSTALLED,
}


@dataclass(frozen=True)
class DoctorCheck:
    """One checked part and what was found."""

    name: DoctorCheckName
    outcome: DoctorOutcome
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        """Return whether nothing needs to be fixed."""
        return self.outcome in _OK
