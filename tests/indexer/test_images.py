"""Pictures that somebody searches with come from strangers, and so may frames."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from indexer.errors import CorruptFileError, NotAPictureError
from indexer.images import MAX_SCANS, SIDE, read_frame, read_query_picture


def encoded(kind: str, size: tuple[int, int] = (640, 360), mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, "red" if mode == "RGB" else 0).save(file, kind, **options)
    return file.getvalue()


def many_scans(picture: bytes) -> bytes:
    """The same progressive JPEG, whose last scan comes again and again."""
    last = picture[picture.rindex(b"\xff\xda") : -2]
    return picture[:-2] + last * MAX_SCANS + picture[-2:]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_what_people_send_is_read(kind: str) -> None:
    """Each kind becomes an RGB picture that is no larger than what a model looks at."""
    picture, small = read_query_picture(encoded(kind))
    assert (picture.dtype, picture.shape) == (np.uint8, (252, SIDE, 3))
    assert picture[0, 0, 0] > 200
    again, _ = read_query_picture(small)
    assert again.shape == picture.shape


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        encoded("JPEG")[:200],
        encoded("BMP"),
        encoded("PNG", (4200, 4200), "1"),
        encoded("JPEG", (9000, 8000), "L"),
        many_scans(encoded("JPEG", progressive=True)),
    ],
    ids=["empty", "text", "cut off", "another kind", "a bomb", "too large a JPEG", "a JPEG that takes hours"],
)
def test_anything_else_is_refused(data: bytes) -> None:
    """Nothing but a plain error comes of it."""
    with pytest.raises(NotAPictureError):
        read_query_picture(data)


def test_a_phone_s_largest_pictures_are_read() -> None:
    """A JPEG becomes smaller while it is unpacked, so it may be larger than others; it stands upright."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    picture, _ = read_query_picture(encoded("JPEG", (9248, 6936), exif=exif))
    assert picture.shape == (SIDE, 336, 3)


MEMORY = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from indexer.images import read
sent = sys.stdin.buffer.read()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
with ThreadPoolExecutor(4) as searches:
    assert all(searches.map(read, [sent] * 4))
print((peak() - before) // 1024)
"""


def test_hostile_pictures_do_not_fill_the_memory() -> None:
    """Of however many that come at once, one is unpacked: a WebP of a few hundred bytes takes 250 MB."""
    sent = encoded("WEBP", (4096, 4096), lossless=True)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], input=sent, capture_output=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert len(sent) < 1000
    assert int(done.stdout) < 400


@pytest.mark.parametrize("size", [(1152, 288), (288, 1152), (16, 16)])
def test_frames_of_all_sizes_are_read(size: tuple[int, int]) -> None:
    """As large as the decoding child writes them, and no smaller than they are."""
    assert read_frame(encoded("JPEG", size)).shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        encoded("JPEG")[:200],
        encoded("PNG", (16, 16)),
        encoded("JPEG", (1153, 288)),
        encoded("JPEG", (289, 289)),
        encoded("JPEG", (16, 16)) + bytes(2**20),
        many_scans(encoded("JPEG", (16, 16), progressive=True)),
    ],
    ids=["empty", "cut off", "another kind", "too long", "too large", "too many bytes", "too many scans"],
)
def test_what_no_decoder_of_ours_wrote_is_no_frame(data: bytes) -> None:
    """Half of a file, or what a decoder that was taken over left in its place."""
    with pytest.raises(CorruptFileError):
        read_frame(data)
