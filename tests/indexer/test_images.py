"""Tests of the safe decoding of untrusted pictures."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from indexer.errors import CorruptFileError, NotAPictureError
from indexer.images import MAX_JPEG_SCANS, QUERY_SIDE_PX, read_frame, read_query_picture


def encode(kind: str, size: tuple[int, int] = (640, 360), mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, "red" if mode == "RGB" else 0).save(file, kind, **options)
    return file.getvalue()


def repeat_last_scan(picture: bytes) -> bytes:
    """Return the progressive JPEG with its last scan repeated many times."""
    last = picture[picture.rindex(b"\xff\xda") : -2]
    return picture[:-2] + last * MAX_JPEG_SCANS + picture[-2:]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_read_query_picture_scales_down_every_format(kind: str) -> None:
    """Each format becomes an RGB picture that is not larger than a model needs."""
    picture, small = read_query_picture(encode(kind))
    assert (picture.dtype, picture.shape) == (np.dtype(np.uint8), (252, QUERY_SIDE_PX, 3))
    assert picture[0, 0, 0] > 200
    reread, _ = read_query_picture(small)
    assert reread.shape == picture.shape


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        encode("JPEG")[:200],
        encode("BMP"),
        encode("PNG", (4200, 4200), "1"),
        encode("JPEG", (9000, 8000), "L"),
        repeat_last_scan(encode("JPEG", progressive=True)),
    ],
    ids=["empty", "text", "truncated", "other format", "decompression bomb", "too large JPEG", "JPEG with many scans"],
)
def test_read_query_picture_refuses_invalid_or_too_large_file(data: bytes) -> None:
    with pytest.raises(NotAPictureError):
        read_query_picture(data)


def test_read_query_picture_accepts_large_jpeg_of_phone() -> None:
    """A JPEG is scaled down while it is unpacked, so it may be larger than other formats.

    It is turned upright.
    """
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    picture, _ = read_query_picture(encode("JPEG", (9248, 6936), exif=exif))
    assert picture.shape == (QUERY_SIDE_PX, 336, 3)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "AVIF"])
def test_read_query_picture_puts_transparent_picture_on_white(kind: str) -> None:
    """The colours under transparent pixels have no influence."""
    file = io.BytesIO()
    Image.new("RGBA", (64, 48), (200, 0, 0, 0)).save(file, kind)
    picture, _ = read_query_picture(file.getvalue())
    assert picture.min() > 250


@pytest.mark.parametrize(("mode", "grey"), [("L", 128), ("I;16", 0x8000), ("LA", (128, 255)), ("1", 1)])
def test_read_query_picture_keeps_brightness_of_grey_picture(mode: str, grey: int | tuple[int, int]) -> None:
    file = io.BytesIO()
    Image.new(mode, (64, 48), grey).save(file, "PNG")
    picture, _ = read_query_picture(file.getvalue())
    assert picture[24, 32].tolist() == ([255] * 3 if mode == "1" else [128] * 3)


MEMORY = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from indexer.images import read_query_picture
sent = sys.stdin.buffer.read()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
with ThreadPoolExecutor(4) as searches:
    assert all(searches.map(read_query_picture, [sent] * 4))
print((peak() - before) // 1024)
"""


def test_concurrent_hostile_pictures_are_decoded_one_at_a_time() -> None:
    """A WebP of a few hundred bytes takes 250 MB, so four at a time would take a gigabyte."""
    sent = encode("WEBP", (4096, 4096), lossless=True)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], input=sent, capture_output=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert len(sent) < 1000
    assert int(done.stdout) < 400


@pytest.mark.parametrize("size", [(1152, 288), (288, 1152), (16, 16)])
def test_read_frame_accepts_sizes_of_decoder(size: tuple[int, int]) -> None:
    """The largest frames that the decoder writes, and small ones."""
    assert read_frame(encode("JPEG", size)).shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        encode("JPEG")[:200],
        encode("PNG", (16, 16)),
        encode("JPEG", (1153, 288)),
        encode("JPEG", (289, 289)),
        encode("JPEG", (16, 16)) + bytes(2**20),
        repeat_last_scan(encode("JPEG", (16, 16), progressive=True)),
    ],
    ids=["empty", "truncated", "other format", "too long", "too large", "too many bytes", "too many scans"],
)
def test_read_frame_refuses_file_that_decoder_would_not_write(data: bytes) -> None:
    """A truncated file, or one that a compromised decoder wrote."""
    with pytest.raises(CorruptFileError):
        read_frame(data)
