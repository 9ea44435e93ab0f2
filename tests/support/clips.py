"""Tiny videos made on the spot, and real ones: the samples of the first start."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

from model.starter.artifacts import default_folder, sample_files

COLOURS = {"red": (210, 30, 30), "green": (30, 160, 60), "blue": (30, 60, 200)}


def samples(folder: Path, *names: str) -> list[str]:
    """Copies sample clips into `folder`, and gives their file names."""
    here = {path.stem: path for path, _ in sample_files(default_folder())}
    return [Path(shutil.copy(here[name], folder)).name for name in names]


def clip(path: Path, *colours: str, seconds: float = 2.0, size: tuple[int, int] = (320, 240), fps: int = 8) -> Path:
    """A ball that moves over one colour after another, a shot each. Returns `path`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for picture in _pictures(colours, seconds, size, fps):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _pictures(colours: Sequence[str], seconds: float, size: tuple[int, int], fps: int) -> Sequence[np.ndarray]:
    count = round(seconds * fps)
    pictures = []
    for colour in colours:
        for number in range(count):
            image = Image.new("RGB", size, COLOURS[colour])
            left = number * (size[0] - 60) // count
            ImageDraw.Draw(image).ellipse((left, size[1] // 2 - 30, left + 60, size[1] // 2 + 30), fill="white")
            pictures.append(np.asarray(image))
    return pictures
