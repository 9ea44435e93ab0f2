"""Tiny files for tests: videos, sounds and pictures, made on the fly."""

import io
import struct
import wave
import zipfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 180, 40), (30, 40, 200), (240, 240, 240)
Colour = tuple[int, int, int]


def video(
    path: Path,
    seconds: float = 2.0,
    *,
    rate: int = 10,
    size: tuple[int, int] = (64, 48),
    shots: Sequence[Colour] = (RED,),
    codec: str = "mpeg4",
    times: Sequence[float] | None = None,
    turned: int = 0,
    container: str | None = None,
) -> Path:
    """A video whose shots, of equal length, have a colour each and a square that moves.

    `times` are the frames' own seconds (variable frame rate); `turned` is the display rotation in degrees.
    """
    tick = Fraction(1, rate) if times is None else Fraction(1, 1000)
    times = times or [index / rate for index in range(round(seconds * rate))]
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base, stream.codec_context.max_b_frames = tick, 0
        if turned:
            stream.set_display_rotation(turned)
        for index, at_s in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(size, shots[index * len(shots) // len(times)], index))
            frame.pts, frame.time_base = round(at_s / tick), tick
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def with_frozen_times(mp4: Path) -> Path:
    """Sets every frame's duration in an mp4's time table (`stts`) to 0 and its length to a few milliseconds."""
    content = bytearray(mp4.read_bytes())
    at = content.index(b"stts") + 8
    for entry in range(struct.unpack_from(">I", content, at)[0]):
        struct.pack_into(">I", content, at + 8 + 8 * entry, 0)
    for box, offset in ((b"mdhd", 20), (b"mvhd", 20), (b"tkhd", 24)):
        struct.pack_into(">I", content, content.index(box) + offset, 1)
    mp4.write_bytes(content)
    return mp4


def picture(size: tuple[int, int], colour: Colour, step: int = 0) -> np.ndarray:
    """A plain picture with a small square that moves with `step`; the top left pixel is black."""
    pixels = np.full((size[1], size[0], 3), colour, dtype=np.uint8)
    side = max(1, min(size) // 8)
    left = (step * side) % max(1, size[0] - side)
    pixels[size[1] // 2 : size[1] // 2 + side, left : left + side] = WHITE
    pixels[: side * 2, : side * 2] = 0
    return pixels


def jpeg(size: tuple[int, int] = (64, 48), colour: Colour = BLUE) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture(size, colour)).save(buffer, "JPEG")
    return buffer.getvalue()


def gif(path: Path, frames: int = 12, frame_ms: int = 100) -> Path:
    pictures = [Image.fromarray(picture((40, 30), GREEN, step)) for step in range(frames)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=frame_ms)
    return path


def sound(path: Path, seconds: float = 1.0) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * int(8000 * seconds))
    return path


def song_with_cover(path: Path) -> Path:
    """An mp3 with its cover as an ID3v2.3 picture."""
    with av.open(str(path), "w", format="mp3", options={"id3v2_version": "0", "write_xing": "0"}) as container:
        stream = container.add_stream("mp3", rate=44100, layout="mono")
        for index in range(40):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), dtype=np.int16), format="s16p", layout="mono")
            frame.rate, frame.pts = 44100, index * 1152
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    body = b"\0image/jpeg\0\x03\0" + jpeg()
    tag = b"APIC" + struct.pack(">IH", len(body), 0) + body
    size = bytes((len(tag) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x03\0\0" + size + tag + path.read_bytes())
    return path


def packed(path: Path) -> Path:
    """A ZIP, whatever the path's name ends in."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("hello.txt", "not a video")
    return path


def huge_png(path: Path, side: int = 50_000) -> Path:
    """A decompression bomb: a picture of side × side pixels in a few kilobytes."""
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (side // 8 + 1) * 200, 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path
