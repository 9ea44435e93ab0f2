"""The sound of videos: at its times, bounded, and never the reason for a failure. And frames for reading."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from indexer.decode.source import DecodeLimits
from indexer.decode.video_file import extract_sound
from indexer.errors import CorruptFileError
from indexer.images import read_frame, read_large_frame
from indexer.sound_file import read_sound
from indexer.types import SAMPLE_RATE_HZ
from tests.support.indexer.decoding import decode_here

RATE_HZ = 48_000


def make_tone(seconds: float, rate_hz: int = RATE_HZ, channels: int = 1) -> npt.NDArray[np.float32]:
    """Return a tone of 440 Hz at half of full scale, (channels, samples)."""
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.tile(0.5 * np.sin(2 * np.pi * 440 * times_s), (channels, 1)).astype(np.float32)


def write_video(
    path: Path,
    tone: npt.NDArray[np.float32] | None,
    *,
    picture_s: float = 3.0,
    starts_at_s: float = 0.0,
    rate_hz: int = RATE_HZ,
    layout: str = "mono",
    codec: str = "pcm_f32le",
    greys: Sequence[int] = (0,),
) -> Path:
    """Write a video of plain pictures, each of `greys` for the same time, and a sound track, as Matroska."""
    with av.open(str(path), "w", format="matroska") as container:
        video = container.add_stream("mpeg4", rate=5)
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        audio = (
            cast("AudioStream", container.add_stream(codec, rate=rate_hz, layout=layout)) if tone is not None else None
        )
        count = round(picture_s * 5)
        for index in range(count):
            grey = greys[index * len(greys) // count]
            picture = av.VideoFrame.from_ndarray(np.full((96, 160, 3), grey, np.uint8), "rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        if audio is not None and tone is not None:
            for start in range(0, tone.shape[1], rate_hz // 4):
                block = tone[:, start : start + rate_hz // 4]
                frame = AudioFrame.from_ndarray(np.ascontiguousarray(block.T.reshape(1, -1)), "flt", layout)
                frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
                frame.pts = round(starts_at_s * rate_hz) + start
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def test_sound_is_mono_at_16_khz(tmp_path: Path) -> None:
    decoded = decode_here(write_video(tmp_path / "v.mkv", make_tone(3.0)))
    assert decoded.sound is not None
    samples = read_sound(decoded.sound)
    assert len(samples) / SAMPLE_RATE_HZ == pytest.approx(3.0, abs=0.1)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.02)
    spectrum = np.abs(np.fft.rfft(samples[:SAMPLE_RATE_HZ]))
    assert spectrum.argmax() == 440


def test_late_sound_begins_after_silence(tmp_path: Path) -> None:
    """So a word's second is that of the pictures."""
    decoded = decode_here(write_video(tmp_path / "v.mkv", make_tone(1.0), starts_at_s=1.5))
    assert decoded.sound is not None
    loud = np.flatnonzero(np.abs(read_sound(decoded.sound)) > 0.1)
    assert loud[0] / SAMPLE_RATE_HZ == pytest.approx(1.5, abs=0.1)


@pytest.mark.parametrize("tone", [None, np.zeros((1, RATE_HZ), np.float32)], ids=["no track", "digital silence"])
def test_video_without_sound_has_no_sound_file(tmp_path: Path, tone: npt.NDArray[np.float32] | None) -> None:
    decoded = decode_here(write_video(tmp_path / "v.mkv", tone))
    assert decoded.sound is None
    assert decoded.frames
    assert not list(tmp_path.rglob("*.flac"))


@pytest.mark.parametrize(
    ("rate_hz", "layout", "channels"), [(192_000, "mono", 1), (8_000, "stereo", 2), (RATE_HZ, "7.1", 8)]
)
def test_unusual_sound_is_converted(tmp_path: Path, rate_hz: int, layout: str, channels: int) -> None:
    tone = make_tone(1.0, rate_hz, channels)
    decoded = decode_here(write_video(tmp_path / "v.mkv", tone, rate_hz=rate_hz, layout=layout))
    assert decoded.sound is not None
    assert len(read_sound(decoded.sound)) / SAMPLE_RATE_HZ == pytest.approx(1.0, abs=0.1)


def test_sound_of_32_channels_costs_at_most_the_sound(tmp_path: Path) -> None:
    tone = make_tone(0.5, 16_000, 32)
    assert decode_here(write_video(tmp_path / "v.mkv", tone, rate_hz=16_000, layout="32 channels")).frames


def test_samples_that_are_no_numbers_become_finite(tmp_path: Path) -> None:
    tone = make_tone(1.0)
    tone[:, ::3], tone[:, 1::3] = np.nan, np.inf
    decoded = decode_here(write_video(tmp_path / "v.mkv", tone))
    assert decoded.frames
    if decoded.sound is not None:
        assert np.abs(read_sound(decoded.sound)).max() <= 1.01


def test_wrong_sample_rate_costs_at_most_the_sound(tmp_path: Path) -> None:
    """A header that claims 1 kHz would make most of a minute out of each second."""
    path = write_video(tmp_path / "v.mkv", make_tone(1.0))
    rate = np.array([RATE_HZ], ">f8").tobytes()
    data = path.read_bytes()
    assert rate in data
    path.write_bytes(data.replace(rate, np.array([1_000.0], ">f8").tobytes()))
    decoded = decode_here(path)
    assert decoded.frames
    assert decoded.sound is None


def test_sound_is_limited_to_maximum_duration(tmp_path: Path) -> None:
    """Time stamps far apart fill up with silence only to the limit."""
    path = tmp_path / "v.mka"
    write_video(path, make_tone(1.0), starts_at_s=36_000.0)
    with path.open("rb") as file:
        extract_sound(file, DecodeLimits(10**6, 5.0), tmp_path / "s.flac")
    sound = tmp_path / "s.flac"
    assert not sound.exists() or len(read_sound(sound)) <= 5 * SAMPLE_RATE_HZ


def test_truncated_sound_ends_early(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", make_tone(3.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    decoded = decode_here(path)
    assert decoded.sound is not None
    assert 0 < len(read_sound(decoded.sound)) < 3 * SAMPLE_RATE_HZ


def test_second_file_gives_sound_that_media_lacks(tmp_path: Path) -> None:
    other = write_video(tmp_path / "other.mkv", make_tone(2.0))
    decoded = decode_here(write_video(tmp_path / "v.mkv", None), sound=str(other))
    assert decoded.sound is not None
    assert len(read_sound(decoded.sound)) / SAMPLE_RATE_HZ == pytest.approx(2.0, abs=0.1)


def test_broken_second_file_costs_only_sound(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"no sound at all")
    decoded = decode_here(write_video(tmp_path / "v.mkv", None), sound=str(other))
    assert decoded.frames
    assert decoded.sound is None


def test_frame_for_reading_is_kept_where_picture_changes(tmp_path: Path) -> None:
    decoded = decode_here(write_video(tmp_path / "v.mkv", None, picture_s=12.0, greys=(0, 0, 200, 0)))
    assert [round(frame.at_s) for frame in decoded.reading_frames] == [0, 6, 10]


def test_frame_for_reading_is_larger_than_other_frames(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((720, 1280, 3), np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    [frame] = decode_here(path).reading_frames
    data = frame.path.read_bytes()
    assert read_large_frame(data).shape == (360, 640, 3)
    with pytest.raises(CorruptFileError):
        read_frame(data)
