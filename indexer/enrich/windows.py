"""Windows of a long sound, so that only minutes of it are in memory, cut at quiet places and not through words."""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from indexer.types import SAMPLE_RATE_HZ, SoundSamples

WINDOW_S: Final = 300.0
SEARCH_S: Final = 20.0
"""How far before the end of a window a quiet place is looked for."""
QUIET_S: Final = 0.2
"""Duration of the place whose energy is compared."""


def cut_into_windows(
    blocks: Iterable[SoundSamples], window_s: float = WINDOW_S, rate_hz: int = SAMPLE_RATE_HZ
) -> Iterator[tuple[float, SoundSamples]]:
    """Yield the start in seconds and the samples of each window of a sound that comes in blocks.

    A window lasts `window_s` at most, and ends at the quietest place of its last `SEARCH_S` seconds.
    """
    size, begin, length = round(window_s * rate_hz), 0, 0
    pending: list[SoundSamples] = []
    for block in blocks:
        pending.append(block)
        length += len(block)
        if length <= size:
            continue
        samples = np.concatenate(pending)
        while len(samples) > size:
            end = _find_quiet_place(samples[:size], rate_hz)
            yield begin / rate_hz, samples[:end]
            begin, samples = begin + end, samples[end:]
        pending, length = [samples], len(samples)
    if length:
        yield begin / rate_hz, np.concatenate(pending)


def _find_quiet_place(samples: SoundSamples, rate_hz: int) -> int:
    """Return the index in the middle of the quietest place near the end of the samples."""
    size = max(1, round(QUIET_S * rate_hz))
    first = max(size, len(samples) - round(SEARCH_S * rate_hz))
    count = (len(samples) - first) // size
    if count < 1:
        return len(samples)
    places = samples[first : first + count * size].reshape(count, size)
    energies = np.square(places).sum(axis=1)
    return int(first + np.argmin(energies) * size + size // 2)
