"""Films for tests: streams of pictures, sound and subtitles at chosen times, chapters, alpha, HDR, pixel shapes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, TypeAlias

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.stream import Disposition, Stream
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc
from av.video.stream import VideoStream

from tests.support.indexer.media import RED, Colour, draw_picture

MS: Final = Fraction(1, 1000)
NOT_DEFAULT: Final = Disposition(0)
Packet: TypeAlias = "av.Packet[Any]"


@dataclass(frozen=True)
class Pictures:
    """A stream of pictures at some times, in seconds."""

    times: Sequence[float]
    colour: Colour = RED
    size: tuple[int, int] = (64, 48)
    codec: str = "mpeg4"
    pixels: str = "yuv420p"
    disposition: Disposition = Disposition.default
    pixel_shape: Fraction | None = None
    trc: ColorTrc | None = None
    frames: Sequence[npt.NDArray[Any]] | None = None
    """Pictures to show instead of a plain colour: RGBA of 8 bits, or RGB of 16 bits."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the encoder."""


@dataclass(frozen=True)
class Subtitles:
    """A stream of subtitles: texts with their start and end in seconds."""

    lines: Sequence[tuple[float, float, str]]
    language: str | None = None
    codec: str = "subrip"
    disposition: Disposition = NOT_DEFAULT


@dataclass(frozen=True)
class Film:
    """Description of a file: its streams in order, the range of its sound in seconds, and its chapters."""

    streams: Sequence[Pictures | Subtitles]
    sound_s: tuple[float, float] | None = None
    chapters: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


def write_film(path: Path, film: Film, *, container: str | None = None) -> Path:
    """Write a film and return its path."""
    with av.open(str(path), "w", format=container, options=dict(film.options)) as file:
        packets: list[Packet] = []
        for each in film.streams:
            stream = _add_pictures(file, each) if isinstance(each, Pictures) else _add_subtitles(file, each)
            stream.disposition = each.disposition
            packets += _encode_pictures(stream, each) if isinstance(each, Pictures) else _encode_lines(stream, each)
        if film.sound_s:
            packets += _encode_sound(file, *film.sound_s)
        if film.chapters:
            file.set_chapters(
                [
                    {
                        "id": number,
                        "start": round(start * 1000),
                        "end": round(end * 1000),
                        "time_base": MS,
                        "metadata": {"title": title},
                    }
                    for number, (title, (start, end)) in enumerate(film.chapters.items())
                ]
            )
        file.mux(sorted(packets, key=lambda packet: (packet.dts or 0) * packet.time_base))
    return path


def _add_pictures(file: av.container.OutputContainer, pictures: Pictures) -> VideoStream:
    stream = file.add_stream(pictures.codec, rate=10, options=dict(pictures.options))
    assert isinstance(stream, VideoStream)
    stream.width, stream.height, stream.pix_fmt = *pictures.size, pictures.pixels
    stream.codec_context.time_base, stream.codec_context.max_b_frames = MS, 0
    if pictures.pixel_shape:
        stream.codec_context.sample_aspect_ratio = pictures.pixel_shape
    if pictures.trc:
        stream.codec_context.color_trc = int(pictures.trc)
        stream.codec_context.color_primaries = int(ColorPrimaries.BT2020)
        stream.codec_context.colorspace = 9
    return stream


def _encode_pictures(stream: Stream, pictures: Pictures) -> list[Packet]:
    assert isinstance(stream, VideoStream)
    packets = []
    for index, at_s in enumerate(pictures.times):
        if pictures.frames is None:
            frame = av.VideoFrame.from_ndarray(draw_picture(pictures.size, pictures.colour, index))
        else:
            picture = pictures.frames[index % len(pictures.frames)]
            frame = av.VideoFrame.from_ndarray(picture, "rgba" if picture.dtype == np.uint8 else "rgb48le")
            matrix = Colorspace.BT2020 if pictures.trc else Colorspace.ITU601
            frame = frame.reformat(format=pictures.pixels, dst_colorspace=matrix)
        frame.pts, frame.time_base = round(at_s * 1000), MS
        if pictures.trc:
            frame.color_trc, frame.color_primaries, frame.colorspace = int(pictures.trc), 9, 9
        packets += stream.encode(frame)
    packets += stream.encode()
    return packets


def _add_subtitles(file: av.container.OutputContainer, subtitles: Subtitles) -> Stream:
    stream = file.add_mux_stream(subtitles.codec)
    stream.time_base = MS
    if subtitles.language:
        stream.metadata["language"] = subtitles.language
    return stream


def _encode_lines(stream: Stream, subtitles: Subtitles) -> list[Packet]:
    packets = []
    for number, (start_s, end_s, text) in enumerate(subtitles.lines):
        content = text.encode()
        if subtitles.codec == "mov_text":
            content = len(content).to_bytes(2, "big") + content
        if subtitles.codec == "ass":
            content = f"{number},0,Default,,0,0,0,,{text}".encode()
        packet = av.Packet(content)
        packet.stream, packet.time_base = stream, MS
        packet.pts = packet.dts = round(start_s * 1000)
        packet.duration = round((end_s - start_s) * 1000)
        packets.append(packet)
    return packets


def _encode_sound(file: av.container.OutputContainer, start_s: float, end_s: float) -> list[Packet]:
    stream = file.add_stream("mp2", rate=16000, layout="mono")
    assert isinstance(stream, AudioStream)
    packets, size = [], 1152
    for index in range(round((end_s - start_s) * 16000 / size)):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, size), np.int16), "s16", "mono")
        frame.rate, frame.pts, frame.time_base = 16000, round(start_s * 16000) + index * size, Fraction(1, 16000)
        packets += stream.encode(frame)
    return packets + list(stream.encode())
