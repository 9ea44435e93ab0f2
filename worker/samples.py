"""The clips and questions of the first start."""

from dataclasses import dataclass
from pathlib import Path

from model.starter.artifacts import default_folder, sample_files
from worker.settings import Settings


@dataclass(frozen=True)
class SampleVideo:
    """One clip that `make env` brought."""

    path: Path
    title: str
    licence: str


def samples(settings: Settings) -> list[SampleVideo]:
    """Those that are there; none after a set-up that did not end."""
    found = sample_files(settings.parts_dir or default_folder())
    return [SampleVideo(path, sample.title, sample.licence) for path, sample in found]
