"""Windows of a long sound."""

import numpy as np
import pytest

from indexer.enrich.windows import QUIET_S, cut_into_windows
from indexer.types import SoundSamples

RATE_HZ = 100


def make_noise(seconds: float) -> SoundSamples:
    return np.random.default_rng(0).uniform(0.5, 1, round(seconds * RATE_HZ)).astype(np.float32)


def cut(sound: SoundSamples, window_s: float, block: int = 7) -> list[tuple[float, SoundSamples]]:
    blocks = (sound[start : start + block] for start in range(0, len(sound), block))
    return list(cut_into_windows(blocks, window_s, RATE_HZ))


@pytest.mark.parametrize("seconds", [0.0, 3.0, 29.99, 30.0, 30.01, 95.0])
def test_windows_are_the_whole_sound_in_order(seconds: float) -> None:
    """None is longer than the limit, and each begins where the one before ends."""
    sound = make_noise(seconds)
    windows = cut(sound, 30)
    joined = np.concatenate([samples for _, samples in windows]) if windows else np.zeros(0, np.float32)
    assert np.array_equal(joined, sound)
    assert all(len(samples) <= 30 * RATE_HZ for _, samples in windows)
    ends = np.cumsum([len(samples) for _, samples in windows]) / RATE_HZ
    assert [start_s for start_s, _ in windows] == pytest.approx([0.0, *ends[:-1]][: len(windows)])


def test_window_ends_in_the_pause_before_its_limit() -> None:
    sound = make_noise(60)
    sound[22 * RATE_HZ : 23 * RATE_HZ] = 0
    first, second = (start_s for start_s, _ in cut(sound, 30)[:2])
    assert first == 0
    assert 22 <= second <= 23 + QUIET_S
