"""Small videos: generated ones, and the sample clips of the first start."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

from indexer.types import Picture
from model.packages import default_artifacts_dir
from model.starter.samples import find_samples
from tests.support.servers.site import Site

COLOURS = {"red": (210, 30, 30), "green": (30, 160, 60), "blue": (30, 60, 200)}


def write_clip(
    path: Path, *colours: str, seconds: float = 2.0, size: tuple[int, int] = (320, 240), fps: int = 8
) -> Path:
    """Write a video of a ball that moves over one colour after another, one shot of `seconds` each.

    Returns `path`.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for colour in colours:
            for picture in _shot(colour, round(seconds * fps), size):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _shot(colour: str, frames: int, size: tuple[int, int]) -> Iterator[Picture]:
    width, height = size
    for number in range(frames):
        image = Image.new("RGB", size, COLOURS[colour])
        left = number * (width - 60) // frames
        ImageDraw.Draw(image).ellipse((left, height // 2 - 30, left + 60, height // 2 + 30), fill="white")
        yield np.asarray(image)


def serve_clip(site: Site, name: str, *colours: str, seconds: float = 2.0, size: tuple[int, int] = (320, 240)) -> str:
    """Serve a generated video as `/name` of the site. Returns its link."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_clip(Path(folder) / "clip.mp4", *colours, seconds=seconds, size=size)
        return site.put(f"/{name}", path.read_bytes(), kind="video/mp4")


def serve_samples(site: Site, *names: str) -> list[str]:
    """Serve sample clips under their file names. Returns their links."""
    paths = {path.stem: path for path, _ in find_samples(default_artifacts_dir())}
    return [site.put(f"/{paths[name].name}", paths[name].read_bytes(), kind="video/mp4") for name in names]
