"""Child process that decodes one file: `python -m indexer.decode.decode_worker`.

`indexer.decode.decoder` starts it.

The file is hostile. This process can open no connection and start no program, and it only enables demuxers
that never open a second file: a playlist (HLS, concat, SDP, …) could name files of this machine, whatever its
file name ends in.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from indexer.decode.shots import ShotDetector
from indexer.errors import CorruptFileError, EmptyFileError, NoPicturesError, TooLongError, TooManyPixelsError
from indexer.sandbox.child import ProgressCallback, serve_request
from indexer.sandbox.guard import forbid_network_and_exec
from indexer.types import MAX_LONG_SIDE_PX, MAX_SHORT_SIDE_PX

JPEG_QUALITY = 90
SAMPLE_INTERVAL_S = 1.0
MIN_FRAMES = 8
"""Number of frames that a motion vector is made of. Shorter videos are sampled more densely to have as many.
"""
SKIP_NONREF_FROM_S = 60.0
"""Minimum duration to decode without non-reference frames: up to 1.7 times as fast, with the same cuts found.
"""

_THREADS = 2
_DEFAULT_FRAME_RATE = 25.0
_MIN_STEP_S = 0.001
_MAX_FRAME_RATE = 1000.0
_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,ivf,h264,hevc,m4v,gif,apng,"
    "webp,webp_pipe,jpeg_pipe,png_pipe,mp3,wav,w64,flac,aac,ac3,eac3,aiff,caf,amr"
)
_SINGLE_FILE_OPTIONS = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "none"}
_STILL_FORMATS = ("JPEG", "PNG", "WEBP")


@dataclass
class Samples:
    """Frames and cuts that one pass over a file found. `decoded` counts all frames, kept or not."""

    frames: list[tuple[float, str]] = field(default_factory=list)
    cuts_s: list[float] = field(default_factory=list)
    decoded: int = 0
    duration_s: float = 0.0


def decode(request: dict[str, Any], progress: ProgressCallback) -> dict[str, Any]:
    """Sample the frames of `request["media"]` into `request["folder"]`.

    `request` also holds `max_pixels` and `max_duration_s`. A short video with too few samples gets a second
    pass that spreads `MIN_FRAMES` over all of its frames. Raises `DecodeError` and `TooLongError`.
    """
    media = Path(request["media"])
    if media.stat().st_size == 0:
        raise EmptyFileError(str(media))
    try:
        samples = _sample(request, lambda _, at_s, due_s: at_s >= due_s, progress)
        wanted = min(MIN_FRAMES, samples.decoded)
        if len(samples.frames) < wanted and samples.duration_s < MIN_FRAMES * SAMPLE_INTERVAL_S:
            indexes = {i * samples.decoded // wanted for i in range(wanted)}
            samples = _sample(request, lambda index, _, __: index in indexes, progress)
    except MemoryError as error:
        raise TooManyPixelsError(f"more memory than allowed: {error}") from error
    if not samples.frames:
        raise CorruptFileError("no picture could be decoded")
    return {"duration_s": samples.duration_s, "frames": samples.frames, "cuts_s": samples.cuts_s}


def _sample(
    request: dict[str, Any], is_wanted: Callable[[int, float, float], bool], progress: ProgressCallback
) -> Samples:
    """Decode the file once and keep the wanted frames and the first frame after each cut.

    `is_wanted` takes a frame's index, its second, and the second at which the next sample is due.
    """
    folder, samples, detector, writer = Path(request["folder"]), Samples(), ShotDetector(), _FrameWriter()
    with Path(request["media"]).open("rb") as file, _open_container(file) as container:
        stream = _select_video_stream(container)
        _check_still_picture(container, file, request["max_pixels"])
        _check_pixels(stream.codec_context.width, stream.codec_context.height, request["max_pixels"])
        clock = _FrameClock(container, stream)
        _check_duration(clock.length_s or 0.0, request["max_duration_s"])
        dense_s = min(SAMPLE_INTERVAL_S, (clock.length_s or SAMPLE_INTERVAL_S * MIN_FRAMES) / MIN_FRAMES)
        if not clock.is_counting and (clock.length_s or 0.0) >= SKIP_NONREF_FROM_S:
            stream.codec_context.skip_frame = "NONREF"
        due_s, last_cut_s = 0.0, None
        for frame in _decode_frames(container, stream):
            _check_pixels(frame.width, frame.height, request["max_pixels"])
            at_s = clock.tick(frame)
            _check_duration(at_s, request["max_duration_s"])
            if (cut_s := detector.add_frame(frame, at_s)) is not None:
                samples.cuts_s.append(round(cut_s, 3))
                last_cut_s = cut_s
            is_first_of_shot = last_cut_s is not None and samples.frames[-1][0] < last_cut_s
            if is_wanted(samples.decoded, at_s, due_s) or is_first_of_shot:
                name = f"{len(samples.frames):06d}.jpg"
                writer.write(frame, folder / name)
                samples.frames.append((round(at_s, 3), name))
                # Only the first frames are dense, or a file with a false short duration would have every
                # frame kept.
                interval_s = dense_s if len(samples.frames) < MIN_FRAMES else SAMPLE_INTERVAL_S
                due_s = (int(at_s / interval_s + 1e-6) + 1) * interval_s
            samples.decoded += 1
            progress(at_s / clock.length_s if clock.length_s else 0.0)
        samples.duration_s = round(min(clock.end_s, request["max_duration_s"]), 3)
    return samples


def _open_container(file: IO[bytes]) -> InputContainer:
    try:
        return av.open(file, "r", options=_SINGLE_FILE_OPTIONS, metadata_errors="ignore")
    except (av.error.FFmpegError, OSError) as error:  # OSError if it seeks far beyond the end of the file
        raise CorruptFileError(str(error)) from error


def _select_video_stream(container: InputContainer) -> VideoStream:
    """Return the first video stream. The cover picture of a song does not count."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if stream.codec_context is None:
                raise CorruptFileError("no decoder for its pictures")
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = _THREADS
            return stream
    raise NoPicturesError("no stream of pictures")


def _decode_frames(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """Yield every frame that can be decoded: skip broken packets, and end where a truncated file ends."""
    packets = container.demux(stream)
    while True:
        try:
            yield from next(packets).decode()
        except StopIteration:
            return
        except av.error.MemoryError:
            raise
        except (av.error.FFmpegError, OSError) as error:
            print(f"skipped a broken packet: {error}")


def _check_still_picture(container: InputContainer, file: IO[bytes], max_pixels: int) -> None:
    """Check the size in the header of a still picture.

    FFmpeg's demuxer of stills gives no size, and its decoder refuses a decompression bomb without a reason.
    """
    if not container.format.name.endswith("_pipe"):
        return
    at = file.tell()
    file.seek(0)
    try:
        with Image.open(file, formats=_STILL_FORMATS) as picture:
            _check_pixels(*picture.size, max_pixels)
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(str(error)) from error
    except OSError as error:
        raise CorruptFileError(str(error)) from error
    file.seek(at)


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise TooManyPixelsError(f"{width}×{height} pixels")


def _check_duration(seconds: float, max_duration_s: float) -> None:
    if seconds > max_duration_s:
        raise TooLongError(f"{seconds:.0f} s")


class _FrameClock:
    """Time of each frame in seconds, from 0 and always increasing.

    Uses the frames' time stamps, whatever the frame rate is. If there are none, or if they do not advance (a
    file that claims more than 1000 frames a second), it counts frames at the codec's rate.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        rate = float(stream.guessed_rate or 0)
        self._step_s = 1 / (rate if 0 < rate <= _MAX_FRAME_RATE else _DEFAULT_FRAME_RATE)
        self.length_s = _read_duration(container, stream)
        self.is_counting = bool(self.length_s and stream.frames / self.length_s > _MAX_FRAME_RATE)
        if self.is_counting:
            self.length_s = stream.frames * self._step_s
        self._start_s: float | None = None
        self._last_s: float | None = None
        self.end_s = 0.0

    def tick(self, frame: av.VideoFrame) -> float:
        """Return the second of the next frame, and move `end_s` to its end."""
        at_s = self._count() if self.is_counting or frame.time is None else self._follow_time_stamp(frame.time)
        self._last_s = at_s
        unit = None if self.is_counting else frame.time_base
        self.end_s = at_s + (float(frame.duration * unit) if frame.duration and unit else self._step_s)
        return at_s

    def _count(self) -> float:
        return 0.0 if self._last_s is None else self._last_s + self._step_s

    def _follow_time_stamp(self, time_s: float) -> float:
        if self._last_s is None or self._start_s is None:
            self._start_s = time_s - (self._last_s or 0.0)
            return self._last_s or 0.0
        return max(time_s - self._start_s, self._last_s + _MIN_STEP_S)


def _read_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Return the duration that the file claims, in seconds. It may be wrong."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


class _FrameWriter:
    """Writer of frames as upright JPEG files, scaled down to `MAX_SHORT_SIDE_PX` and never up."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def write(self, frame: av.VideoFrame, path: Path) -> None:
        scale = min(
            1.0, MAX_SHORT_SIDE_PX / min(frame.width, frame.height), MAX_LONG_SIDE_PX / max(frame.width, frame.height)
        )
        width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
        small = self._reformatter.reformat(frame, width, height, "rgb24", interpolation="AREA")
        picture = Image.fromarray(small.to_ndarray())
        if degrees := round(frame.rotation / 90) * 90 % 360:
            picture = picture.rotate(degrees, expand=True)
        picture.save(path, "JPEG", quality=JPEG_QUALITY)


if __name__ == "__main__":
    forbid_network_and_exec()
    serve_request(decode)
