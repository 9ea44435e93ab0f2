"""A video in a container of FFmpeg: choice of its streams, and its frames at the times that players show."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import IO, Final, cast

import av
from av.codec import CodecContext
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from indexer.decode.embedded_words import CaptionReader, choose_subtitle_streams, read_chapters
from indexer.decode.sound import SoundWriter, choose_sound_stream
from indexer.decode.source import DecodeLimits, TimedFrame, check_duration, check_pixels
from indexer.decode.timeline import Packet, Timeline
from indexer.errors import CorruptFileError, NoPicturesError
from indexer.types import Caption

SKIP_NONREF_FROM_S: Final = 60.0
"""Minimum duration to decode without non-reference frames: up to 1.7 times as fast, with the same cuts found.
"""

_MIN_RATE_TO_SKIP: Final = 8
"""Minimum number of frames in a second to leave some out. A slide may be a single frame."""
_MEASURED_FRAMES: Final = 48
"""Frames from which that number is computed."""
_THREADS: Final = 2
_DEFAULT_FRAME_RATE: Final = 25.0
_MAX_FRAME_RATE: Final = 1000.0
_MIN_STEP_S: Final = 0.001
_DEMUXERS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,ivf,h264,hevc,m4v,"
    "mp3,wav,w64,flac,aac,ac3,eac3,aiff,caf,amr"
)
_SINGLE_FILE_OPTIONS: Final = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "none"}
_NOT_THE_VIDEO: Final = (
    Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image | Disposition.dependent
)
_LAST_CHOICE: Final = Disposition.comment | Disposition.hearing_impaired | Disposition.visual_impaired
_PICTURE_CODECS: Final = frozenset({"mjpeg", "png", "bmp", "gif", "webp", "tiff"})
_ALPHA_DECODERS: Final = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""FFmpeg's own decoders of VP8 and VP9 leave the alpha of WebM out."""


@contextmanager
def open_video(
    file: IO[bytes], limits: DecodeLimits, taken: Collection[str | None] | None, sound_file: Path | None
) -> Iterator["VideoFile"]:
    """Open a video file. It is never followed to a second file.

    Reads no subtitles in the languages `taken`, or none at all if it is None. Writes the sound to `sound_file` if there
    is one. Raises `CorruptFileError`, `NoPicturesError`, `TooManyPixelsError` and `TooLongError`.
    """
    container = _open_container(file)
    try:
        if (_read_claimed_duration(container) or 0.0) > limits.max_duration_s:
            _check_real_duration(container, limits.max_duration_s)
            container.close()
            file.seek(0)
            container = _open_container(file)
        yield VideoFile(container, limits, taken, sound_file)
    finally:
        container.close()


def extract_sound(file: IO[bytes], limits: DecodeLimits, sound_file: Path) -> bool:
    """Write the sound of a file, which needs no pictures, to `sound_file`. Tell whether anything is heard.

    Raises `CorruptFileError`.
    """
    container = _open_container(file)
    try:
        track = choose_sound_stream(container)
        if track is None:
            return False
        writer = SoundWriter(track, sound_file, limits.max_duration_s)
        for packet in Timeline(container, [track]).straighten(_read_packets(container, [track])):
            writer.write(packet)
        writer.close()
        return writer.has_sound
    finally:
        container.close()


class VideoFile:
    """Implementation of `indexer.decode.source.FrameSource` for containers of FFmpeg."""

    def __init__(
        self,
        container: InputContainer,
        limits: DecodeLimits,
        taken: Collection[str | None] | None,
        sound_file: Path | None,
    ) -> None:
        self._container, self._limits = container, limits
        self._stream = choose_video_stream(container)
        self._decoder = _open_decoder(self._stream)
        check_pixels(self._stream.width, self._stream.height, limits.max_pixels)
        self._timeline = Timeline(container, [self._stream, *container.streams.audio])
        self._clock = _FrameClock(self._stream, _read_claimed_duration(container))
        self._subtitles = [] if taken is None else choose_subtitle_streams(container, taken)
        self._captions = CaptionReader()
        track = choose_sound_stream(container) if sound_file else None
        self._sound = SoundWriter(track, sound_file, limits.max_duration_s) if track and sound_file else None
        self._is_long = not self._clock.is_counting and (self.length_s or 0.0) >= SKIP_NONREF_FROM_S
        self._decoded = 0

    @property
    def length_s(self) -> float | None:
        return self._clock.length_s

    @property
    def pixel_shape(self) -> Fraction | None:
        return self._stream.sample_aspect_ratio or self._decoder.sample_aspect_ratio

    @property
    def duration_s(self) -> float:
        """End of pictures and sound: a still picture may have long sound.

        If the file claims to end earlier, but after the last start of a packet, it is right: packets of reordered
        frames have the durations of others.
        """
        if self._clock.is_counting:
            return self._clock.end_s
        end_s, claimed_s = max(self._clock.end_s, self._timeline.end_s), (self._container.duration or 0) / av.time_base
        return claimed_s if self._timeline.last_shown_s < claimed_s < end_s else end_s

    @property
    def has_sound(self) -> bool:
        return self._sound is not None and self._sound.has_sound

    @property
    def speech(self) -> tuple[Caption, ...]:
        return self._captions.captions

    @property
    def chapters(self) -> tuple[Caption, ...]:
        return read_chapters(self._container, self._timeline.zero_s, self.duration_s)

    def frames(self) -> Iterator[TimedFrame]:
        """Yield every frame that can be decoded: skip broken packets, and end where a truncated file ends."""
        streams = (self._stream, *self._container.streams.audio, *self._subtitles)
        for packet in self._timeline.straighten(_read_packets(self._container, streams)):
            if packet.stream_index == self._stream.index:
                for frame in self._decode(packet):
                    check_pixels(frame.width, frame.height, self._limits.max_pixels)
                    yield TimedFrame(frame, self._clock.tick(frame))
                    self._leave_out_frames()
            elif self._sound is not None and packet.stream_index == self._sound.index:
                self._sound.write(packet)
            elif packet.stream.type == "subtitle" and packet.size:
                self._captions.read(packet)
            check_duration(self.duration_s, self._limits.max_duration_s)
        if self._sound is not None:
            self._sound.close()

    def _leave_out_frames(self) -> None:
        """From a certain frame on, decode a long video without non-reference frames if it has many: not slides."""
        self._decoded += 1
        if (
            self._is_long
            and self._decoded == _MEASURED_FRAMES
            and self._clock.end_s * _MIN_RATE_TO_SKIP < self._decoded
        ):
            self._decoder.skip_frame = "NONREF"

    def _decode(self, packet: Packet) -> list[av.VideoFrame]:
        try:
            return self._decoder.decode(packet)
        except av.error.MemoryError:
            raise
        except (av.error.FFmpegError, OSError) as error:
            print(f"skipped a broken packet: {error}")
            return []


def choose_video_stream(container: InputContainer) -> VideoStream:
    """Return the stream of pictures that players show: the first one that is marked as default, else the first.

    Covers, thumbnails and layers of other streams do not count. A single picture counts only without another stream.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & _NOT_THE_VIDEO]
    if not streams:
        raise NoPicturesError("no stream of pictures")
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        raise CorruptFileError("no decoder for its pictures")
    return min(decodable, key=_rank)


def _rank(stream: VideoStream) -> tuple[bool, bool, bool, int]:
    is_default, is_last_choice = stream.disposition & Disposition.default, stream.disposition & _LAST_CHOICE
    return _is_single_picture(stream), bool(is_last_choice), not is_default, stream.index


def _is_single_picture(stream: VideoStream) -> bool:
    is_picture_codec = stream.codec_context.name in _PICTURE_CODECS
    return stream.frames == 1 or (is_picture_codec and not stream.frames and not stream.average_rate)


def _open_decoder(stream: VideoStream) -> VideoCodecContext:
    """Return the stream's decoder, or one that also decodes the alpha that the stream has."""
    decoder = stream.codec_context
    has_alpha = "1" in (stream.metadata.get("alpha_mode"), stream.metadata.get("ALPHA_MODE"))
    if has_alpha and decoder.name in _ALPHA_DECODERS:
        decoder = cast("VideoCodecContext", CodecContext.create(_ALPHA_DECODERS[decoder.name], "r"))
    decoder.thread_type = "AUTO"
    decoder.thread_count = _THREADS
    return decoder


def _open_container(file: IO[bytes]) -> InputContainer:
    try:
        return av.open(file, "r", options=_SINGLE_FILE_OPTIONS, metadata_errors="ignore")
    except (av.error.FFmpegError, OSError) as error:  # OSError if it seeks far beyond the end of the file
        raise CorruptFileError(str(error)) from error


def _read_packets(container: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet]:
    """Yield the packets of some streams. A file that breaks ends there."""
    try:
        yield from container.demux(*streams)
    except av.error.MemoryError:
        raise
    except (av.error.FFmpegError, OSError) as error:
        print(f"the file breaks off: {error}")


def _read_claimed_duration(container: InputContainer) -> float | None:
    """Return the duration that the file claims, in seconds. It may be wrong."""
    stream = next(iter(container.streams.video), None)
    if stream is not None and stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _check_real_duration(container: InputContainer, max_duration_s: float) -> None:
    """Read the times of all packets. A file may claim too much because one time stamp is wrong."""
    streams = [choose_video_stream(container), *container.streams.audio]
    timeline = Timeline(container, streams)
    for _ in timeline.straighten(_read_packets(container, streams)):
        check_duration(timeline.end_s, max_duration_s)


class _FrameClock:
    """Time of each frame in seconds, never before 0 and always increasing.

    Uses the frames' time stamps, whatever the frame rate is. If there are none, or if they do not advance (a
    file that claims more than 1000 frames a second), it counts frames at the codec's rate.
    """

    def __init__(self, stream: VideoStream, claimed_s: float | None) -> None:
        rate = float(stream.guessed_rate or 0)
        self._step_s = 1 / (rate if 0 < rate <= _MAX_FRAME_RATE else _DEFAULT_FRAME_RATE)
        self.is_counting = bool(claimed_s and stream.frames / claimed_s > _MAX_FRAME_RATE)
        self.length_s = stream.frames * self._step_s if self.is_counting else claimed_s
        self._last_s: float | None = None
        self.end_s = 0.0

    def tick(self, frame: av.VideoFrame) -> float:
        """Return the second of the next frame, and move `end_s` to its end."""
        counted_s = 0.0 if self._last_s is None else self._last_s + self._step_s
        at_s = counted_s if self.is_counting or frame.time is None else frame.time
        self._last_s = at_s = max(at_s, 0.0 if self._last_s is None else self._last_s + _MIN_STEP_S)
        unit = None if self.is_counting else frame.time_base
        self.end_s = at_s + (float(frame.duration * unit) if frame.duration and unit else self._step_s)
        return at_s
