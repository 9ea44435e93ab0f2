"""Damaged copies of media files: what a hostile hand or a bad disk makes of them."""

import random
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import av
from PIL import Image

Mutate: TypeAlias = Callable[[random.Random, bytearray, bytes], bytes]
"""From a file's bytes, and those of another, to a damaged file's."""

HEADER_BYTES: Final = 4096
LONGEST_STRETCH: Final = 65_536

# Boxes and chunks by their four letters, and Matroska's elements by their numbers: Info, Duration, TimestampScale,
# Video, PixelWidth, PixelHeight, Cluster, Timestamp, SimpleBlock.
_FIELDS: Final = re.compile(
    rb"mvhd|tkhd|mdhd|stsd|stts|ctts|stsc|stsz|stco|co64|elst|trex|tfhd|trun|sidx|avcC|hvcC|av1C|avc1|hev1|mp4v|"
    rb"avih|strh|strf|idx1|onMetaData|\x15\x49\xa9\x66|\x44\x89|\x2a\xd7\xb1|\xe0|\xb0|\xba|\x1f\x43\xb6\x75|\xe7|\xa3"
)
_BOXES: Final = re.compile(rb"ftyp|moov|trak|mdia|minf|stbl|mdat|moof|traf|edts|udta|RIFF|LIST|movi|idx1")
_ODD_NUMBERS: Final = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def _place(rng: random.Random, content: bytes | bytearray) -> int:
    """Half of them in the header, which is small and says most."""
    return rng.randrange(min(len(content), HEADER_BYTES) if rng.random() < 0.5 else len(content))


def _stretch(rng: random.Random, content: bytes | bytearray) -> slice:
    start = _place(rng, content)
    return slice(start, start + rng.randint(1, min(LONGEST_STRETCH, len(content))))


def _number(rng: random.Random) -> int:
    return rng.choice(_ODD_NUMBERS) if rng.random() < 0.7 else rng.getrandbits(32)


def _write(content: bytearray, at: int, number: int) -> bytes:
    content[at : at + 4] = struct.pack(">I", number)
    return bytes(content)


def flip_bits(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    for _flip in range(2 ** rng.randint(0, 8)):
        content[_place(rng, content)] ^= 1 << rng.randrange(8)
    return bytes(content)


def truncate(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    return bytes(content[: _place(rng, content)])


def lie_about_length(rng: random.Random, content: bytearray, other: bytes) -> bytes:
    """Changes the length of a box (before its letters) or of a chunk (behind them)."""
    boxes = list(_BOXES.finditer(content))
    if not boxes:
        return lie_in_header(rng, content, other)
    at = rng.choice(boxes).start() + rng.choice((-4, 4))
    was = int.from_bytes(content[max(0, at) : at + 4], "big")
    return _write(content, max(0, at), rng.choice((_number(rng), was - 1, was + 1, was * 2)) & 0xFFFFFFFF)


def lie_in_header(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    """Changes fields that say sizes, times and counts."""
    places = [found.end() for found in _FIELDS.finditer(content)] or [0]
    for _lie in range(rng.randint(1, 4)):
        _write(content, min(rng.choice(places) + rng.randrange(64), len(content)), _number(rng))
    return bytes(content)


def splice(rng: random.Random, content: bytearray, other: bytes) -> bytes:
    return bytes(content[: _place(rng, content)]) + other[_place(rng, other) :]


def zero(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    where = _stretch(rng, content)
    content[where] = bytes(len(content[where]))
    return bytes(content)


def duplicate(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    where = _stretch(rng, content)
    content[where.start : where.start] = content[where] * rng.randint(1, 8)
    return bytes(content)


def shuffle(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    where, step = _stretch(rng, content), rng.choice((1, 4, 188, 512))
    pieces = [content[where][at : at + step] for at in range(0, len(content[where]), step)]
    rng.shuffle(pieces)
    content[where] = b"".join(pieces)
    return bytes(content)


def make_noise(rng: random.Random, content: bytearray, _: bytes) -> bytes:
    where = _stretch(rng, content)
    content[where] = rng.randbytes(len(content[where]))
    return bytes(content)


MUTATIONS: Final[tuple[Mutate, ...]] = (
    flip_bits,
    truncate,
    lie_about_length,
    lie_in_header,
    splice,
    zero,
    duplicate,
    shuffle,
    make_noise,
)


def mutated(seed: int, number: int, clips: Sequence[bytes]) -> tuple[str, bytes]:
    """The `number`-th damaged file of a seed, and what was done to it; one in four is damaged twice."""
    rng = random.Random(f"{seed}:{number}")
    content, names = rng.choice(clips), []
    for _ in range(rng.choice((1, 1, 1, 2))):
        mutate = rng.choice(MUTATIONS)
        names.append(mutate.__name__)
        content = mutate(rng, bytearray(content or b"\0"), rng.choice(clips))
    return "+".join(names), content


KINDS: Final = (
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
"""Containers and codecs that people share: format, encoder, pixel format, options of the format."""


def small(pictures: Sequence[Image.Image], path: Path, kind: tuple[str, str, str, dict[str, str]]) -> bytes:
    """A clip of these pictures, ten a second."""
    format_, codec, pixels, options = kind
    with av.open(str(path), "w", format=format_, options=options) as file:
        stream = file.add_stream(codec, rate=25 if codec == "mpeg2video" else 10)
        stream.width, stream.height, stream.pix_fmt = *pictures[0].size, pixels
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_image(picture)
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path.read_bytes()
