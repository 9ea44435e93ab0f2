"""Clips made of still pictures: what the camera or a thing does in them is known, because it was done to them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw
from rich.progress import track

from model.ports import Picture
from model.pretrain_data import Pictures, note, opened

FRAMES = 8
AXES = (("pan_right", "pan_left"), ("tilt_down", "tilt_up"), ("zoom_in", "zoom_out"), ("thing_right", "thing_left"))
"""What a track shows, and what it shows backwards."""

_SIDE = 104
"""All frames are brought to it, so that a near view is no blurrier than a far one."""
_BATCH = 4


def track_vectors(
    folder: Path, files: Sequence[str], axes: npt.NDArray[np.int64], tower: Pictures, cache: Path, seed: int
) -> torch.Tensor:
    """(files, FRAMES, 512), the tower's vectors of one track of each picture. Goes on where an earlier run stopped."""
    vectors, done = opened(cache, (len(files), FRAMES * 512), np.float32)
    for start in track(range(done, len(files), _BATCH), "tracks"):
        numbers = range(start, min(start + _BATCH, len(files)))
        frames = []
        for number in numbers:
            ground = _read(folder / files[(number + 1) % len(files)])
            random = np.random.default_rng([seed, number])
            frames += draw(_read(folder / files[number]), ground, int(axes[number]), random)
        vectors[numbers.start : numbers.stop] = tower(frames).reshape(len(numbers), -1)
        note(cache, numbers.stop)
    return torch.from_numpy(np.array(vectors)).view(len(files), FRAMES, 512)


def draw(picture: Image.Image, ground: Image.Image, axis: int, random: np.random.Generator) -> list[Picture]:
    """The frames of one track along an axis of `AXES`; `ground` lies behind a thing that moves."""
    if AXES[axis][0] == "thing_right":
        return _thing(picture, ground, random)
    if AXES[axis][0] == "zoom_in":
        sides = np.geomspace(1, random.uniform(0.5, 0.65), FRAMES)
        centre = random.uniform(0.25, 0.75, 2)
        corners = np.clip(centre - sides[:, None] / 2, 0, 1 - sides[:, None])
    else:
        sides = np.full(FRAMES, random.uniform(0.5, 0.7))
        room = 1 - sides[0]
        way = np.linspace(random.uniform(0, 0.25), random.uniform(0.75, 1), FRAMES) * room
        across = np.full(FRAMES, random.uniform(0, 1) * room)
        corners = np.stack([way, across] if AXES[axis][0] == "pan_right" else [across, way], 1)
    return [_window(picture, x, y, side) for (x, y), side in zip(corners, sides, strict=True)]


def _thing(picture: Image.Image, ground: Image.Image, random: np.random.Generator) -> list[Picture]:
    """The middle of a picture, cut out round, moves from left to right."""
    width, height = ground.size
    side = int(random.uniform(0.4, 0.6) * height)
    thing = picture.crop((picture.width // 6, picture.height // 8, picture.width * 5 // 6, picture.height * 7 // 8))
    thing = thing.resize((side, side))
    mask = Image.new("L", thing.size)
    ImageDraw.Draw(mask).ellipse((0, 0, side, side), fill=255)
    top = int(random.uniform(0.2, 1) * (height - side))
    frames = []
    for left in np.linspace(random.uniform(-0.2, 0.1), random.uniform(0.9, 1.2), FRAMES) * (width - side):
        frame = ground.copy()
        frame.paste(thing, (int(left), top), mask)
        frames.append(_window(frame, 0, 0, 1))
    return frames


def _window(picture: Image.Image, x: float, y: float, side: float) -> Picture:
    box = (x * picture.width, y * picture.height, (x + side) * picture.width, (y + side) * picture.height)
    return np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC, box))


def _read(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")
