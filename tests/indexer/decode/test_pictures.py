"""Tests of what frames look like: stream, pixel shape, HDR, transparency, depth, and animated pictures."""

import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from av.stream import Disposition
from av.video.reformatter import ColorTrc
from PIL import ExifTags, Image, ImageDraw

from indexer.errors import NoPicturesError, TooManyPixelsError
from tests.support.indexer.decoding import bottom_colour, decode_here, frame_size, frame_times
from tests.support.indexer.film import NOT_DEFAULT, Film, Pictures, write_film
from tests.support.indexer.media import BLUE, GREEN, RED

pytestmark = pytest.mark.unit

SHORT = (0, 0.1, 0.2)
WHITE, CLEAR_GREEN = [255, 255, 255], (10, 200, 30, 0)

# ---- streams ----


def test_default_stream_is_chosen(tmp_path: Path) -> None:
    streams = [Pictures(SHORT, BLUE, disposition=NOT_DEFAULT), Pictures(SHORT, GREEN), Pictures(SHORT, RED)]
    for extension in ("mkv", "mp4"):
        assert bottom_colour(decode_here(write_film(tmp_path / f"a.{extension}", Film(streams))))[1] > 150


def test_first_stream_is_chosen_without_a_mark(tmp_path: Path) -> None:
    streams = [Pictures(SHORT, colour, disposition=NOT_DEFAULT) for colour in (GREEN, BLUE)]
    assert bottom_colour(decode_here(write_film(tmp_path / "a.mkv", Film(streams))))[1] > 150


@pytest.mark.parametrize("disposition", [Disposition.attached_pic, Disposition.timed_thumbnails, Disposition.default])
def test_cover_picture_is_not_chosen(tmp_path: Path, disposition: Disposition) -> None:
    """Marked or not, a single picture before the film is not the film."""
    cover = Pictures([0], BLUE, codec="mjpeg", pixels="yuvj420p", disposition=disposition)
    film = Film([cover, Pictures(SHORT, GREEN, disposition=NOT_DEFAULT)])
    assert bottom_colour(decode_here(write_film(tmp_path / "a.mp4", film)))[1] > 150


def test_song_with_cover_only_has_no_pictures(tmp_path: Path) -> None:
    cover = Pictures([0], BLUE, codec="mjpeg", pixels="yuvj420p", disposition=Disposition.attached_pic)
    with pytest.raises(NoPicturesError):
        decode_here(write_film(tmp_path / "a.mp4", Film([cover], (0, 2))))


# ---- shape ----


@pytest.mark.parametrize(
    ("size", "shape", "shown"),
    [
        ((64, 48), Fraction(64, 27), (152, 48)),
        ((64, 48), Fraction(1, 2), (64, 96)),
        ((720, 576), Fraction(64, 45), (512, 288)),
        ((64, 48), Fraction(100, 1), (64, 48)),
    ],
    ids=str,
)
def test_pixel_shape_is_applied(tmp_path: Path, size: tuple[int, int], shape: Fraction, shown: tuple[int, int]) -> None:
    """An absurd shape is ignored."""
    for extension in ("mkv", "mp4"):
        film = Film([Pictures(SHORT, size=size, pixel_shape=shape)])
        assert frame_size(decode_here(write_film(tmp_path / f"a.{extension}", film))) == shown


# ---- HDR ----

BT709_TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def encode_pq(light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Encode light in parts of a white of 203 nits (SMPTE ST 2084)."""
    power = (np.maximum(light, 0) * 203 / 10_000) ** (2610 / 16384)
    coded: npt.NDArray[np.float64] = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** (2523 / 32)
    return coded


def encode_hlg(light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Encode light in parts of a white at 75 % of the signal (ITU-R BT.2100)."""
    scene = light * 0.203
    scene = scene * (scene @ [0.2627, 0.6780, 0.0593]) ** (1 / 1.2 - 1)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


def encode_sdr(light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    coded: npt.NDArray[np.float64] = light ** (1 / 2.4)
    return coded


@pytest.mark.parametrize("colour", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)], ids=str)
@pytest.mark.parametrize(
    ("trc", "encode"),
    [(ColorTrc.SMPTE2084, encode_pq), (ColorTrc.ARIB_STD_B67, encode_hlg), (ColorTrc.BT2020_10, encode_sdr)],
    ids=["PQ", "HLG", "BT.2020"],
)
def test_wide_colours_are_mapped_to_an_ordinary_screen(
    tmp_path: Path, trc: ColorTrc, encode: Any, colour: Sequence[int]
) -> None:
    """Full red is red and white is white, not grey."""
    coded = np.clip(encode(BT709_TO_BT2020 @ np.array(colour)), 0, 1)
    picture = np.full((48, 64, 3), (coded * 65535).astype(np.uint16), np.uint16)
    pictures = Pictures(SHORT, codec="ffv1", pixels="yuv420p10le", trc=trc, frames=[picture])
    shown = bottom_colour(decode_here(write_film(tmp_path / "a.mkv", Film([pictures]))))
    assert all(value > 200 if channel else value < 30 for value, channel in zip(shown, colour, strict=True))


def declare_pq(path: Path) -> Path:
    """Let a PNG or AVIF declare PQ and BT.2020 (ITU-T H.273), as if its pixels were coded so."""
    content = path.read_bytes()
    if path.suffix == ".png":
        chunk = b"cICP" + bytes((9, 16, 0, 1))
        at = content.index(b"IDAT") - 4
        content = content[:at] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + content[at:]
    else:
        at = content.index(b"colrnclx") + 8
        content = content[:at] + struct.pack(">HH", 9, 16) + content[at + 4 :]
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("extension", ["png", "avif"])
@pytest.mark.parametrize("colour", [(1, 0, 0), (0, 1, 0), (1, 1, 1)], ids=str)
def test_wide_colours_of_stills_are_mapped_too(tmp_path: Path, extension: str, colour: Sequence[int]) -> None:
    coded = np.clip(encode_pq(BT709_TO_BT2020 @ np.array(colour)), 0, 1) * 255
    still = tmp_path / f"a.{extension}"
    Image.fromarray(np.full((48, 64, 3), np.round(coded), np.uint8)).save(still, quality=100, subsampling="4:4:4")
    shown = bottom_colour(decode_here(declare_pq(still)))
    assert all(value > 200 if channel else value < 60 for value, channel in zip(shown, colour, strict=True))


# ---- transparency and depth ----


def half_clear() -> npt.NDArray[np.uint8]:
    """Return a picture with a red half, and below it a clear one with green under the alpha."""
    pixels = np.full((48, 64, 4), CLEAR_GREEN, np.uint8)
    pixels[:24] = (200, 0, 0, 255)
    return pixels


@pytest.mark.parametrize(
    ("extension", "codec", "pixels"),
    [
        ("webm", "libvpx", "yuva420p"),
        ("webm", "libvpx-vp9", "yuva420p"),
        ("mkv", "ffv1", "bgra"),
        ("mov", "qtrle", "argb"),
        ("mov", "prores_ks", "yuva444p10le"),
    ],
)
def test_transparent_video_is_on_white(tmp_path: Path, extension: str, codec: str, pixels: str) -> None:
    options = {"auto-alt-ref": "0"} if codec == "libvpx" else {}
    pictures = Pictures(SHORT, codec=codec, pixels=pixels, frames=[half_clear()], options=options)
    decoded = decode_here(write_film(tmp_path / f"a.{extension}", Film([pictures])))
    assert bottom_colour(decoded) == pytest.approx(WHITE, abs=3)


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [
        ("ffv1", "gray"),
        ("ffv1", "gray10le"),
        ("ffv1", "gray16le"),
        ("ffv1", "yuv420p12le"),
        ("ffv1", "yuv444p16le"),
        ("ffv1", "gbrp12le"),
        ("ffv1", "rgb48le"),
        ("libx264", "yuv420p10le"),
    ],
)
def test_deep_and_grey_video_keeps_its_brightness(tmp_path: Path, codec: str, pixels: str) -> None:
    picture = np.full((48, 64, 4), (200, 120, 40, 255), np.uint8)
    pictures = Pictures(SHORT, codec=codec, pixels=pixels, frames=[picture])
    expected = [135, 135, 135] if pixels.startswith("gray") else [200, 120, 40]
    assert bottom_colour(decode_here(write_film(tmp_path / "a.mkv", Film([pictures])))) == pytest.approx(
        expected, abs=4
    )


# ---- pictures ----


def draw_animation(mode: str = "RGBA") -> list[Image.Image]:
    """Return a red square that moves over a clear, or else a green, picture."""
    pictures = [Image.new(mode, (64, 48), CLEAR_GREEN if mode == "RGBA" else GREEN) for _ in range(4)]
    for index, picture in enumerate(pictures):
        ImageDraw.Draw(picture).rectangle((index * 8, 10, index * 8 + 10, 30), fill=RED)
    return pictures


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize(
    ("format_", "options"),
    [("WEBP", {"lossless": True}), ("WEBP", {}), ("PNG", {}), ("GIF", {"disposal": 2}), ("AVIF", {})],
)
def test_animated_picture_is_a_video(tmp_path: Path, format_: str, options: dict[str, Any], mode: str) -> None:
    """With the duration of each frame. Transparent areas are white."""
    first, *rest = draw_animation(mode)
    durations = [100, 300, 1500, 100]
    first.save(tmp_path / "a", format_, save_all=True, append_images=rest, duration=durations, **options)
    decoded = decode_here(tmp_path / "a")
    assert decoded.duration_s == pytest.approx(2)
    assert frame_times(decoded) == pytest.approx([0, 0.1, 0.4, 1.9])
    assert bottom_colour(decoded, 1) == pytest.approx(WHITE if mode == "RGBA" else list(GREEN), abs=25)


def test_frames_without_a_duration_take_a_tenth_of_a_second(tmp_path: Path) -> None:
    """As in browsers."""
    first, *rest = draw_animation("RGB")
    first.save(tmp_path / "a.gif", save_all=True, append_images=rest, duration=[0, 10, 0, 0])
    assert decode_here(tmp_path / "a.gif").duration_s == pytest.approx(0.4)


def test_truncated_animation_shows_its_beginning(tmp_path: Path) -> None:
    first, *rest = draw_animation("RGB")
    first.save(tmp_path / "a.gif", save_all=True, append_images=rest, duration=500)
    content = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "a.gif").write_bytes(content[: len(content) - 40])
    assert len(decode_here(tmp_path / "a.gif").frames) >= 2


@pytest.mark.parametrize("format_", ["PNG", "WEBP", "GIF", "AVIF"])
def test_transparent_still_picture_is_on_white(tmp_path: Path, format_: str) -> None:
    Image.fromarray(half_clear()).save(tmp_path / "a", format_)
    decoded = decode_here(tmp_path / "a")
    assert (len(decoded.frames), decoded.duration_s) == (1, 0.04)
    assert bottom_colour(decoded) == pytest.approx(WHITE, abs=3)


def test_deep_grey_picture_keeps_its_brightness(tmp_path: Path) -> None:
    Image.fromarray(np.full((48, 64), 0x8000, np.uint16)).save(tmp_path / "a.png")
    assert bottom_colour(decode_here(tmp_path / "a.png")) == pytest.approx([128, 128, 128], abs=2)


def test_still_picture_is_turned_upright_and_scaled_down(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (1280, 720)).save(tmp_path / "a.jpg", exif=exif)
    assert frame_size(decode_here(tmp_path / "a.jpg")) == (288, 512)


def test_animated_picture_over_the_limit_raises_too_many_pixels(tmp_path: Path) -> None:
    first, *rest = draw_animation()
    first.save(tmp_path / "a.webp", save_all=True, append_images=rest)
    with pytest.raises(TooManyPixelsError):
        decode_here(tmp_path / "a.webp", max_pixels=64 * 47)
