"""Decoding of test files in this process, without the sandbox."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from indexer.decode import decode_worker
from indexer.types import Caption, DecodeResult, SampledFrame

LIMITS: dict[str, Any] = {
    "max_pixels": 7680 * 4320,
    "max_duration_s": 3600.0,
    "wants_speech": True,
    "wants_sound": True,
    "wants_reading_frames": True,
    "sound": None,
}


def decode_here(media: Path, **limits: Any) -> DecodeResult:
    """Decode a file as the child process does, into a folder next to it."""
    folder = media.parent / f"{media.name}.frames"
    folder.mkdir()
    result = decode_worker.decode({"media": str(media), "folder": str(folder), **LIMITS, **limits}, lambda share: None)
    return DecodeResult(
        result["duration_s"],
        tuple(SampledFrame(at_s, folder / name) for at_s, name in result["frames"]),
        tuple(result["cuts_s"]),
        tuple(Caption(*each) for each in result["speech"]),
        tuple(Caption(*each) for each in result["chapters"]),
        folder / result["sound"] if result["sound"] else None,
        tuple(SampledFrame(at_s, folder / name) for at_s, name in result["reading_frames"]),
    )


def frame_times(decoded: DecodeResult) -> list[float]:
    return [frame.at_s for frame in decoded.frames]


def frame_size(decoded: DecodeResult) -> tuple[int, int]:
    with Image.open(decoded.frames[0].path) as picture:
        return picture.size


def bottom_colour(decoded: DecodeResult, index: int = 0) -> list[int]:
    """Return the RGB colour of a frame in the middle of its lower edge."""
    with Image.open(decoded.frames[index].path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return [int(value) for value in pixels[-2, pixels.shape[1] // 2]]
