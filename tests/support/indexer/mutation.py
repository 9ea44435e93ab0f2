"""Mutations of media files for fuzz tests of the decoder."""

import random
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from PIL import Image

Mutation: TypeAlias = Callable[[random.Random, bytearray, bytes], bytes]
"""Function from a file's bytes, and those of another file, to the bytes of a damaged file."""

ClipFormat: TypeAlias = tuple[str, str, str, dict[str, str]]
"""Container, encoder, pixel format, and options of the container."""

HEADER_BYTES: Final = 4096
MAX_RANGE_BYTES: Final = 65_536

# Boxes and chunks by their four letters, and Matroska's elements by their numbers: Info, Duration,
# TimestampScale, Video, PixelWidth, PixelHeight, Cluster, Timestamp, SimpleBlock, Audio, SamplingFrequency, Channels.
_FIELDS: Final = re.compile(
    rb"mvhd|tkhd|mdhd|stsd|stts|ctts|stsc|stsz|stco|co64|elst|trex|tfhd|trun|sidx|avcC|hvcC|av1C|avc1|hev1|mp4v|"
    rb"avih|strh|strf|idx1|onMetaData|\x15\x49\xa9\x66|\x44\x89|\x2a\xd7\xb1|\xe0|\xb0|\xba|\x1f\x43\xb6\x75|\xe7|\xa3|"
    rb"mp4a|esds|sowt|fLaC|OpusHead|\xe1|\xb5|\x9f"
)
_BOXES: Final = re.compile(rb"ftyp|moov|trak|mdia|minf|stbl|mdat|moof|traf|edts|udta|RIFF|LIST|movi|idx1")
_ODD_NUMBERS: Final = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def _pick_offset(rng: random.Random, content: bytes | bytearray) -> int:
    """Return an offset, half of the time in the header, which is small and matters most."""
    return rng.randrange(min(len(content), HEADER_BYTES) if rng.random() < 0.5 else len(content))


def _pick_range(rng: random.Random, content: bytes | bytearray) -> slice:
    start = _pick_offset(rng, content)
    return slice(start, start + rng.randint(1, min(MAX_RANGE_BYTES, len(content))))


def _pick_number(rng: random.Random) -> int:
    return rng.choice(_ODD_NUMBERS) if rng.random() < 0.7 else rng.getrandbits(32)


def _write_number(content: bytearray, at: int, number: int) -> bytes:
    content[at : at + 4] = struct.pack(">I", number)
    return bytes(content)


def flip_bits(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    for _flip in range(2 ** rng.randint(0, 8)):
        content[_pick_offset(rng, content)] ^= 1 << rng.randrange(8)
    return bytes(content)


def truncate(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    return bytes(content[: _pick_offset(rng, content)])


def falsify_length(rng: random.Random, content: bytearray, other: bytes) -> bytes:
    """Change the length of a box (before its letters) or of a chunk (after them)."""
    boxes = list(_BOXES.finditer(content))
    if not boxes:
        return falsify_header_fields(rng, content, other)
    at = rng.choice(boxes).start() + rng.choice((-4, 4))
    length = int.from_bytes(content[max(0, at) : at + 4], "big")
    return _write_number(
        content, max(0, at), rng.choice((_pick_number(rng), length - 1, length + 1, length * 2)) & 0xFFFFFFFF
    )


def falsify_header_fields(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    """Change header fields of sizes, times and counts."""
    offsets = [found.end() for found in _FIELDS.finditer(content)] or [0]
    for _lie in range(rng.randint(1, 4)):
        _write_number(content, min(rng.choice(offsets) + rng.randrange(64), len(content)), _pick_number(rng))
    return bytes(content)


def splice(rng: random.Random, content: bytearray, other: bytes) -> bytes:
    return bytes(content[: _pick_offset(rng, content)]) + other[_pick_offset(rng, other) :]


def zero(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    damaged = _pick_range(rng, content)
    content[damaged] = bytes(len(content[damaged]))
    return bytes(content)


def duplicate(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    damaged = _pick_range(rng, content)
    content[damaged.start : damaged.start] = content[damaged] * rng.randint(1, 8)
    return bytes(content)


def shuffle(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    damaged, step = _pick_range(rng, content), rng.choice((1, 4, 188, 512))
    pieces = [content[damaged][at : at + step] for at in range(0, len(content[damaged]), step)]
    rng.shuffle(pieces)
    content[damaged] = b"".join(pieces)
    return bytes(content)


def make_noise(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    damaged = _pick_range(rng, content)
    content[damaged] = rng.randbytes(len(content[damaged]))
    return bytes(content)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    flip_bits,
    truncate,
    falsify_length,
    falsify_header_fields,
    splice,
    zero,
    duplicate,
    shuffle,
    make_noise,
)


def make_mutant(seed: int, number: int, clips: Sequence[bytes]) -> tuple[str, bytes]:
    """Return the names of the mutations and the bytes of the `number`-th damaged file of a seed.

    One in four files is damaged twice.
    """
    rng = random.Random(f"{seed}:{number}")
    content, names = rng.choice(clips), []
    for _ in range(rng.choice((1, 1, 1, 2))):
        mutate = rng.choice(MUTATIONS)
        names.append(mutate.__name__)
        content = mutate(rng, bytearray(content or b"\0"), rng.choice(clips))
    return "+".join(names), content


CLIP_FORMATS: Final[tuple[ClipFormat, ...]] = (
    ("mp4", "libx264", "yuv420p", {}),
    ("mp4", "libx264", "yuv420p", {"movflags": "frag_keyframe+empty_moov"}),
    ("mp4", "libx265", "yuv420p", {}),
    ("mp4", "libsvtav1", "yuv420p", {}),
    ("mov", "mpeg4", "yuv420p", {"movflags": "faststart"}),
    ("mov", "prores_ks", "yuv422p10le", {}),
    ("matroska", "libx264", "yuv420p", {}),
    ("matroska", "ffv1", "yuv420p", {}),
    ("webm", "libvpx", "yuv420p", {}),
    ("webm", "libvpx-vp9", "yuv420p", {}),
    ("avi", "mjpeg", "yuvj420p", {}),
    ("avi", "msmpeg4", "yuv420p", {}),
    ("mpegts", "mpeg2video", "yuv420p", {}),
    ("mpegts", "libx264", "yuv420p", {}),
    ("flv", "flv", "yuv420p", {}),
    ("asf", "wmv2", "yuv420p", {}),
    ("gif", "gif", "rgb8", {}),
    ("webp", "libwebp_anim", "yuv420p", {}),
    ("apng", "apng", "rgb24", {}),
)
"""Common containers and codecs."""
_SOUND_CODECS: Final = {
    "mp4": "aac",
    "mov": "pcm_s16le",
    "matroska": "flac",
    "webm": "libopus",
    "avi": "pcm_s16le",
    "mpegts": "mp2",
    "flv": "aac",
    "asf": "ac3",
}
"""Codec of the sound by the container. The other containers hold pictures only."""
_RATE_HZ: Final = 48_000


def encode_clip(pictures: Sequence[Image.Image], path: Path, clip_format: ClipFormat) -> bytes:
    """Encode pictures as a clip of ten frames a second, with noise as sound, and return its bytes."""
    format_, codec, pixels, options = clip_format
    with av.open(str(path), "w", format=format_, options=options) as file:
        stream = file.add_stream(codec, rate=25 if codec == "mpeg2video" else 10)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *pictures[0].size, pixels
        sound = file.add_stream(_SOUND_CODECS[format_], rate=_RATE_HZ) if format_ in _SOUND_CODECS else None
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture.convert("RGB")), "rgb24")
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
        if isinstance(sound, AudioStream):
            noise = np.random.default_rng(0).integers(-9_000, 9_000, (1, _RATE_HZ * len(pictures) // 10), np.int16)
            block = AudioFrame.from_ndarray(noise, "s16", "mono")
            block.sample_rate, block.pts = _RATE_HZ, 0
            file.mux(sound.encode(block))
            file.mux(sound.encode())
    return path.read_bytes()
