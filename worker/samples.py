"""Sample clips that a new installation shows."""

from dataclasses import dataclass
from pathlib import Path

from model.packages import default_artifacts_dir
from model.starter.samples import find_samples
from worker.settings import Settings


@dataclass(frozen=True)
class SampleVideo:
    """One clip that `make env` downloaded."""

    path: Path
    title: str
    licence: str


def list_samples(settings: Settings) -> list[SampleVideo]:
    """List the clips that were downloaded; none if the set-up did not finish."""
    found = find_samples(settings.parts_dir or default_artifacts_dir())
    return [SampleVideo(path, sample.title, sample.licence) for path, sample in found]
