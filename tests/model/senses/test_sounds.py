"""YAMNet on its real part: its front end, silence, and a sound of the samples."""

from pathlib import Path

import av
import numpy as np
import pytest

from model.packages import default_artifacts_dir
from model.senses.loader import load_sound_tagger
from model.senses.parts import YAMNET
from model.senses.sounds import SAMPLE_RATE_HZ, YamnetTagger, compute_log_mel

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def tagger() -> YamnetTagger:
    if not YAMNET.is_complete(default_artifacts_dir()):
        pytest.skip("YAMNet was not fetched")
    return load_sound_tagger(default_artifacts_dir())


def ignore(share: float) -> None:
    pass


def make_noise(seconds: float, loudness: float = 0.1) -> np.ndarray:
    generator = np.random.default_rng(0)
    return (loudness * generator.standard_normal(round(seconds * SAMPLE_RATE_HZ))).astype(np.float32)


def test_log_mel_of_tone_is_highest_in_band_of_tone() -> None:
    """1000 Hz are 1000 mel, and the bands lie 39.8 mel apart from 185 mel on."""
    times_s = np.arange(15_600) / SAMPLE_RATE_HZ
    [spectrogram] = compute_log_mel(np.sin(2 * np.pi * 1000 * times_s)[None].astype(np.float32))
    assert spectrogram.shape == (96, 64)
    assert set(spectrogram.argmax(axis=1).tolist()) == {19}
    silent = compute_log_mel(np.zeros((1, 15_600), np.float32))
    assert silent == pytest.approx(np.log(0.001))


def refuse(patches: np.ndarray) -> np.ndarray:
    raise AssertionError("classified")


def test_silence_is_not_classified() -> None:
    tagger = YamnetTagger(["Speech", "Music"], refuse)
    assert tagger.tag(np.zeros(20 * SAMPLE_RATE_HZ, np.float32), ignore) == []
    assert tagger.tag(np.zeros(0, np.float32), ignore) == []


def test_sound_after_silence_has_its_time(tagger: YamnetTagger) -> None:
    samples = np.concatenate([np.zeros(5 * SAMPLE_RATE_HZ, np.float32), make_noise(3.0)])
    sounds = tagger.tag(samples, ignore)
    assert sounds
    assert all(sound.start_s >= 4.0 and sound.end_s <= 9.0 for sound in sounds)
    assert [sound.start_s for sound in sounds] == sorted(sound.start_s for sound in sounds)
    assert all(0.2 <= sound.score <= 1.0 for sound in sounds)


def test_music_of_sample_is_heard(tagger: YamnetTagger) -> None:
    path = default_artifacts_dir() / "samples" / "big_buck_bunny.mp4"
    assert "Music" in {sound.name for sound in tagger.tag(read_samples(path), ignore)}


def test_progress_that_raises_ends_the_work(tagger: YamnetTagger) -> None:
    calls: list[float] = []

    def stop(share: float) -> None:
        calls.append(share)
        if share > 0.5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        tagger.tag(make_noise(60.0, loudness=0.0001), stop)
    assert calls[0] == 0.0


def read_samples(path: Path) -> np.ndarray:
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE_HZ)
    with av.open(str(path)) as container:
        frames = [block for frame in container.decode(audio=0) for block in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.float32) / 32767
