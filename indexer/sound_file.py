"""Sound files of the product's own: FLAC, one channel, `SAMPLE_RATE_HZ`, 16 bits. The decoder child writes them."""

from pathlib import Path
from typing import IO, Final, cast

import av
import numpy as np

from indexer.types import SoundSamples

_FULL_SCALE: Final = 32767.0


def read_sound(file: Path | IO[bytes]) -> SoundSamples:
    """Return the samples of a sound file of this form. Raises `ValueError` if it is damaged."""
    try:
        with av.open(str(file) if isinstance(file, Path) else file, "r", format="flac") as container:
            blocks = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    except (av.error.FFmpegError, OSError) as error:
        raise ValueError(f"no sound file: {error}") from error
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.int16)
    return cast("SoundSamples", samples.astype(np.float32) / _FULL_SCALE)
