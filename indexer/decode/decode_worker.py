"""Decodes one file inside a child process: `python -m indexer.decode.decode_worker`, started by `indexer.decode.decoder`.

The file is hostile. This process can connect to nothing and start nothing, and only demuxers that never open a second
file are let near it: a playlist (HLS, concat, SDP, …) would name files of this machine, whatever its own name ends in.
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
from indexer.types import LONGEST_SIDE, SHORT_SIDE

JPEG_QUALITY = 90
INTERVAL_S = 1.0
LEAST_FRAMES = 8
"""What a motion vector is made of; shorter videos are sampled more densely to have as many."""
SKIP_FROM_S = 60.0
"""Longer videos are decoded without non-reference frames: up to 1.7 times as fast, with the same cuts found."""

_THREADS = 2
_USUAL_RATE = 25.0
_LEAST_STEP_S = 0.001
_MOST_RATE = 1000.0
_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,ivf,h264,hevc,m4v,gif,apng,"
    "webp,webp_pipe,jpeg_pipe,png_pipe,mp3,wav,w64,flac,aac,ac3,eac3,aiff,caf,amr"
)
_ONLY_THIS_FILE = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "none"}
_STILL_FORMATS = ("JPEG", "PNG", "WEBP")


@dataclass
class Sampled:
    """What one pass over a file kept."""

    frames: list[tuple[float, str]] = field(default_factory=list)
    cuts_s: list[float] = field(default_factory=list)
    seen: int = 0
    duration_s: float = 0.0


def decode(request: dict[str, Any], share: ProgressCallback) -> dict[str, Any]:
    """`request` holds media, folder, max_pixels, max_duration_s. Raises `DecodeFailed` and `TooLongError`."""
    media = Path(request["media"])
    if media.stat().st_size == 0:
        raise EmptyFileError(str(media))
    try:
        sampled = _sample(request, lambda _, at_s, due_s: at_s >= due_s, share)
        least = min(LEAST_FRAMES, sampled.seen)
        if len(sampled.frames) < least and sampled.duration_s < LEAST_FRAMES * INTERVAL_S:
            picked = {i * sampled.seen // least for i in range(least)}
            sampled = _sample(request, lambda index, _, __: index in picked, share)
    except MemoryError as error:
        raise TooManyPixelsError(f"more memory than allowed: {error}") from error
    if not sampled.frames:
        raise CorruptFileError("no picture could be decoded")
    return {"duration_s": sampled.duration_s, "frames": sampled.frames, "cuts_s": sampled.cuts_s}


def _sample(request: dict[str, Any], wanted: Callable[[int, float, float], bool], share: ProgressCallback) -> Sampled:
    """One pass. `wanted` is asked with a frame's number, its second, and the second at which one is due."""
    folder, sampled, detector, writer = Path(request["folder"]), Sampled(), ShotDetector(), _Writer()
    with Path(request["media"]).open("rb") as file, _open(file) as container:
        stream = _pictures(container)
        _check_still(container, file, request["max_pixels"])
        _check_pixels(stream.codec_context.width, stream.codec_context.height, request["max_pixels"])
        clock = _Clock(container, stream)
        _check_duration(clock.length_s or 0.0, request["max_duration_s"])
        dense_s = min(INTERVAL_S, (clock.length_s or INTERVAL_S * LEAST_FRAMES) / LEAST_FRAMES)
        if not clock.counting and (clock.length_s or 0.0) >= SKIP_FROM_S:
            stream.codec_context.skip_frame = "NONREF"
        due_s, border_s = 0.0, None
        for frame in _frames(container, stream):
            _check_pixels(frame.width, frame.height, request["max_pixels"])
            at_s = clock.at_s(frame)
            _check_duration(at_s, request["max_duration_s"])
            if (cut_s := detector.see(frame, at_s)) is not None:
                sampled.cuts_s.append(round(cut_s, 3))
                border_s = cut_s
            after_border = border_s is not None and sampled.frames[-1][0] < border_s
            if wanted(sampled.seen, at_s, due_s) or after_border:
                name = f"{len(sampled.frames):06d}.jpg"
                writer.write(frame, folder / name)
                sampled.frames.append((round(at_s, 3), name))
                # A file that claims to be shorter than it is must not have each of its frames kept.
                interval_s = dense_s if len(sampled.frames) < LEAST_FRAMES else INTERVAL_S
                due_s = (int(at_s / interval_s + 1e-6) + 1) * interval_s
            sampled.seen += 1
            share(at_s / clock.length_s if clock.length_s else 0.0)
        sampled.duration_s = round(min(clock.end_s, request["max_duration_s"]), 3)
    return sampled


def _open(file: IO[bytes]) -> InputContainer:
    try:
        return av.open(file, "r", options=_ONLY_THIS_FILE, metadata_errors="ignore")
    except (av.error.FFmpegError, OSError) as error:  # the latter from a seek to where no file reaches
        raise CorruptFileError(str(error)) from error


def _pictures(container: InputContainer) -> VideoStream:
    """The first stream of moving pictures; the cover of a song is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if stream.codec_context is None:
                raise CorruptFileError("no decoder for its pictures")
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = _THREADS
            return stream
    raise NoPicturesError("no stream of pictures")


def _frames(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """All that decodes: a broken packet is passed over, and a file that breaks off ends there."""
    packets = container.demux(stream)
    while True:
        try:
            yield from next(packets).decode()
        except StopIteration:
            return
        except av.error.MemoryError:
            raise
        except (av.error.FFmpegError, OSError) as error:
            print(f"passed over: {error}")


def _check_still(container: InputContainer, file: IO[bytes], max_pixels: int) -> None:
    """A picture's header: the demuxer of a still one tells no size, and its decoder refuses a bomb without a reason."""
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


class _Clock:
    """The second of each frame, from 0 and always forwards.

    Time stamps are believed, whatever the frame rate says, unless there are none or they do not advance (a file that
    claims more than 1000 frames a second): then frames are counted at the codec's own rate.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        rate = float(stream.guessed_rate or 0)
        self._step_s = 1 / (rate if 0 < rate <= _MOST_RATE else _USUAL_RATE)
        self.length_s = _length_s(container, stream)
        self.counting = bool(self.length_s and stream.frames / self.length_s > _MOST_RATE)
        if self.counting:
            self.length_s = stream.frames * self._step_s
        self._start_s: float | None = None
        self._last_s: float | None = None
        self.end_s = 0.0

    def at_s(self, frame: av.VideoFrame) -> float:
        at_s = self._counted() if self.counting or frame.time is None else self._stamped(frame.time)
        self._last_s = at_s
        unit = None if self.counting else frame.time_base
        self.end_s = at_s + (float(frame.duration * unit) if frame.duration and unit else self._step_s)
        return at_s

    def _counted(self) -> float:
        return 0.0 if self._last_s is None else self._last_s + self._step_s

    def _stamped(self, time_s: float) -> float:
        if self._last_s is None or self._start_s is None:
            self._start_s = time_s - (self._last_s or 0.0)
            return self._last_s or 0.0
        return max(time_s - self._start_s, self._last_s + _LEAST_STEP_S)


def _length_s(container: InputContainer, stream: VideoStream) -> float | None:
    """What the file says of itself; it may be wrong."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


class _Writer:
    """Writes frames as JPEG files: upright, the short side at most `SHORT_SIDE`, never larger than they were."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def write(self, frame: av.VideoFrame, path: Path) -> None:
        shrink = min(1.0, SHORT_SIDE / min(frame.width, frame.height), LONGEST_SIDE / max(frame.width, frame.height))
        width, height = (max(1, round(side * shrink)) for side in (frame.width, frame.height))
        small = self._reformatter.reformat(frame, width, height, "rgb24", interpolation="AREA")
        picture = Image.fromarray(small.to_ndarray())
        if turn := round(frame.rotation / 90) * 90 % 360:
            picture = picture.rotate(turn, expand=True)
        picture.save(path, "JPEG", quality=JPEG_QUALITY)


if __name__ == "__main__":
    forbid_network_and_exec()
    serve_request(decode)
