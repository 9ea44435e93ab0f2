"""Sound files of the product's own: FLAC, one channel, `SAMPLE_RATE_HZ`, 16 bits. The decoder child writes them."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

import av
import numpy as np

from indexer.types import SoundSamples

_FULL_SCALE: Final = 32767.0


def read_sound(file: Path | IO[bytes]) -> SoundSamples:
    """Return the samples of a sound file of this form. Raises `ValueError` if it is damaged."""
    blocks = list(read_blocks(file))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def read_blocks(file: Path | IO[bytes]) -> Iterator[SoundSamples]:
    """Yield the samples of a sound file of this form in short blocks. Raises `ValueError` if it is damaged."""
    try:
        with av.open(str(file) if isinstance(file, Path) else file, "r", format="flac") as container:
            for frame in container.decode(audio=0):
                yield cast("SoundSamples", frame.to_ndarray().reshape(-1).astype(np.float32) / _FULL_SCALE)
    except (av.error.FFmpegError, OSError) as error:
        raise ValueError(f"no sound file: {error}") from error
