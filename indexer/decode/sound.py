"""The sound of a file as FLAC, one channel, `SAMPLE_RATE_HZ`, at the times that players play it.

If it cannot be decoded, the video is indexed without sound. `indexer.sound_file` reads the result.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from indexer.decode.timeline import Packet
from indexer.types import SAMPLE_RATE_HZ

_Samples: TypeAlias = npt.NDArray[np.int16]

_LAST_CHOICE: Final = Disposition.comment | Disposition.hearing_impaired | Disposition.visual_impaired
_RATES_HZ: Final = range(4_000, 768_001)
"""Rates of real sound. A lower one would make megabytes of each packet."""
_MAX_CHANNELS: Final = 64
_TOLERANCE_S: Final = 0.2
"""How far the sound may run ahead of or behind its times before silence is inserted or samples are dropped."""
_MAX_BLOCK: Final = 10 * SAMPLE_RATE_HZ


def choose_sound_stream(container: InputContainer) -> AudioStream | None:
    """Return the track that players play: the default one before others, and commentary last."""
    tracks = [track for track in container.streams.audio if track.codec_context is not None]
    return min(tracks, key=_rank, default=None)


def _rank(track: AudioStream) -> tuple[bool, bool, int]:
    return bool(track.disposition & _LAST_CHOICE), not track.disposition & Disposition.default, track.index


class SoundWriter:
    """Decoder of one sound track into a FLAC file. `has_sound` tells, after `close`, whether anything is heard."""

    def __init__(self, track: AudioStream, file: Path, max_duration_s: float) -> None:
        self.index = track.index
        self.has_sound = False
        self._track, self._file = track, file
        self._decoder = track.codec_context
        self._resampler: AudioResampler | None = None
        self._setup: tuple[str, str, int] | None = None
        self._max_samples = round(max_duration_s * SAMPLE_RATE_HZ)
        self._samples = 0
        self._output = av.open(str(file), "w", format="flac")
        self._encoder = self._output.add_stream("flac", rate=SAMPLE_RATE_HZ, layout="mono", format="s16")

    def write(self, packet: Packet) -> None:
        """Decode a packet whose times are those that players play."""
        try:
            for frame in self._decoder.decode(packet):
                self._write_frame(frame)
        except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
            print(f"skipped broken sound: {error}")

    def close(self) -> None:
        """Finish the file, or delete it if nothing is heard."""
        try:
            self._output.mux(self._encoder.encode(None))
            self._output.close()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            print(f"no sound: {error}")
            self.has_sound = False
        if not self.has_sound:
            self._file.unlink(missing_ok=True)

    def _write_frame(self, frame: AudioFrame) -> None:
        if self._samples >= self._max_samples or frame.sample_rate not in _RATES_HZ:
            return
        if not 0 < frame.layout.nb_channels <= _MAX_CHANNELS:
            return
        start = None if frame.time is None else round(frame.time * SAMPLE_RATE_HZ)
        frame.pts = None  # the resampler would fill gaps by itself, of any length
        for resampled in self._get_resampler(frame).resample(frame):
            samples = np.asarray(resampled.to_ndarray(), np.int16).reshape(-1)
            for block in self._align(samples, start):
                self._append(block)
            start = None

    def _get_resampler(self, frame: AudioFrame) -> AudioResampler:
        """Return a resampler for frames of this form. It may change within a file."""
        setup = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or setup != self._setup:
            self._resampler, self._setup = AudioResampler("s16", "mono", SAMPLE_RATE_HZ), setup
        return self._resampler

    def _align(self, samples: _Samples, start: int | None) -> Iterator[_Samples]:
        """Yield samples that begin at the sample `start`, after the silence or without the part that corrects it."""
        ahead = 0 if start is None else start - self._samples
        if ahead > _TOLERANCE_S * SAMPLE_RATE_HZ:
            missing = min(ahead, self._max_samples - self._samples)
            for done in range(0, missing, _MAX_BLOCK):
                yield np.zeros(min(_MAX_BLOCK, missing - done), np.int16)
        elif ahead < -_TOLERANCE_S * SAMPLE_RATE_HZ:
            samples = samples[-ahead:]
        yield samples

    def _append(self, samples: _Samples) -> None:
        samples = samples[: self._max_samples - self._samples]
        if not len(samples):
            return
        self.has_sound = self.has_sound or bool(samples.any())
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), "s16", "mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, self._samples
        self._output.mux(self._encoder.encode(frame))
        self._samples += len(samples)
