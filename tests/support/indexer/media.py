"""Small media files for tests: videos, audio and pictures, generated on the fly."""

import io
import struct
import wave
import zipfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from PIL import Image

RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 180, 40), (30, 40, 200), (240, 240, 240)
Colour = tuple[int, int, int]


def write_video(
    path: Path,
    seconds: float = 2.0,
    *,
    rate: int = 10,
    size: tuple[int, int] = (64, 48),
    shots: Sequence[Colour] = (RED,),
    codec: str = "mpeg4",
    times: Sequence[float] | None = None,
    rotation: int = 0,
    is_mirrored: bool = False,
    is_loud: bool = False,
    container: str | None = None,
) -> Path:
    """Write a video of shots of equal length, each with a colour and a moving square, and return its path.

    `times` are the time stamps of the frames in seconds (variable frame rate). `rotation` is the display
    rotation in degrees, after which the picture may be mirrored. If it `is_loud`, it has a loud sound all the time.
    """
    tick = Fraction(1, rate) if times is None else Fraction(1, 1000)
    times = times or [index / rate for index in range(round(seconds * rate))]
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base, stream.codec_context.max_b_frames = tick, 0
        if rotation or is_mirrored:
            stream.set_display_rotation(rotation, hflip=is_mirrored)
        sound = file.add_stream("aac", rate=16000, layout="mono") if is_loud else None
        for index, at_s in enumerate(times):
            frame = av.VideoFrame.from_ndarray(draw_picture(size, shots[index * len(shots) // len(times)], index))
            frame.pts, frame.time_base = round(at_s / tick), tick
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
        if isinstance(sound, AudioStream):
            file.mux(_encode_loud_sound(sound, seconds))
    return path


def _encode_loud_sound(stream: AudioStream, seconds: float) -> "list[av.Packet[Any]]":
    samples = np.full((1, round(seconds * 16000)), 0.5, np.float32)
    samples[:, ::2] *= -1
    frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
    frame.rate, frame.pts = 16000, 0
    return [*stream.encode(frame), *stream.encode()]


def freeze_time_stamps(mp4: Path) -> Path:
    """Set the duration of each frame in an mp4 file (`stts`) to 0, and that of the file to a millisecond."""
    content = bytearray(mp4.read_bytes())
    at = content.index(b"stts") + 8
    for entry in range(struct.unpack_from(">I", content, at)[0]):
        struct.pack_into(">I", content, at + 8 + 8 * entry, 0)
    for box, offset in ((b"mdhd", 20), (b"mvhd", 20), (b"tkhd", 24)):
        struct.pack_into(">I", content, content.index(box) + offset, 1)
    mp4.write_bytes(content)
    return mp4


def draw_picture(size: tuple[int, int], colour: Colour, step: int = 0) -> npt.NDArray[np.uint8]:
    """Return a plain picture with a small square that moves with `step`. The top left corner is black."""
    pixels = np.full((size[1], size[0], 3), colour, dtype=np.uint8)
    side = max(1, min(size) // 8)
    left = (step * side) % max(1, size[0] - side)
    pixels[size[1] // 2 : size[1] // 2 + side, left : left + side] = WHITE
    pixels[: side * 2, : side * 2] = 0
    return pixels


def encode_jpeg(size: tuple[int, int] = (64, 48), colour: Colour = BLUE) -> bytes:
    """Return a picture as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(draw_picture(size, colour)).save(buffer, "JPEG")
    return buffer.getvalue()


def write_gif(path: Path, frames: int = 12, frame_ms: int = 100) -> Path:
    pictures = [Image.fromarray(draw_picture((40, 30), GREEN, step)) for step in range(frames)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=frame_ms)
    return path


def write_sound(path: Path, seconds: float = 1.0) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * int(8000 * seconds))
    return path


def write_song_with_cover(path: Path) -> Path:
    """Write an mp3 with a cover picture (ID3v2.3) and return its path."""
    with av.open(str(path), "w", format="mp3", options={"id3v2_version": "0", "write_xing": "0"}) as container:
        stream = container.add_stream("mp3", rate=44100, layout="mono")
        for index in range(40):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), dtype=np.int16), format="s16p", layout="mono")
            frame.rate, frame.pts = 44100, index * 1152
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    body = b"\0image/jpeg\0\x03\0" + encode_jpeg()
    tag = b"APIC" + struct.pack(">IH", len(body), 0) + body
    size = bytes((len(tag) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x03\0\0" + size + tag + path.read_bytes())
    return path


def write_zip(path: Path) -> Path:
    """Write a ZIP archive, whatever the file name, and return its path."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("hello.txt", "not a video")
    return path


def write_decompression_bomb(path: Path, side: int = 50_000) -> Path:
    """Write a decompression bomb, a picture of side × side pixels in a few kilobytes, and return its path."""
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (side // 8 + 1) * 200, 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def write_transport_stream(path: Path, start_s: float = 0.0, *, seconds: float = 10, colour: Colour = RED) -> bytes:
    """Return an MPEG-TS whose time stamps begin at `start_s`, ten pictures a second."""
    times = [start_s + index / 10 for index in range(round(seconds * 10))]
    return write_video(path, times=times, shots=(colour,), codec="libx264", container="mpegts").read_bytes()


def write_fragmented(path: Path, *, seconds: float, colour: Colour) -> tuple[bytes, bytes]:
    """Return the initialization segment and the fragments of a fragmented MP4, ten pictures a second."""
    with av.open(
        str(path), "w", format="mp4", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    ) as file:
        stream = file.add_stream("libx264", rate=10)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(draw_picture((64, 48), colour, index))
            frame.pts = index
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    content = path.read_bytes()
    at = content.index(b"moof") - 4
    return content[:at], content[at:]


def shift_time_stamp(stream: bytes, number: int, seconds: float) -> bytes:
    """Change the time stamp of the `number`-th picture of an MPEG-TS (PES header, ISO 13818-1)."""
    content = bytearray(stream)
    at = -1
    for _ in range(number + 1):
        at = content.index(b"\x00\x00\x01\xe0", at + 1)
    has_decoding_time = content[at + 7] & 0x40
    for field in (at + 9, at + 14) if has_decoding_time else (at + 9,):
        a, b, c = content[field], *struct.unpack_from(">HH", content, field + 1)
        ticks = ((a >> 1 & 7) << 30 | b >> 1 << 15 | c >> 1) + round(seconds * 90_000)
        content[field] = a & 0xF1 | (ticks >> 30 & 7) << 1
        struct.pack_into(">HH", content, field + 1, (ticks >> 15 & 0x7FFF) << 1 | 1, (ticks & 0x7FFF) << 1 | 1)
    return bytes(content)
