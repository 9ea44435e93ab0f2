"""Tests of the decoder with a real child process, on good and bad files."""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.decode.decoder import PyAvDecoder
from indexer.errors import CorruptFileError, EmptyFileError, NoPicturesError, TooLongError, TooManyPixelsError
from indexer.types import DecodeResult
from tests.support.indexer import media
from tests.support.indexer.media import BLUE, GREEN, RED
from tests.support.servers.site import Site

LIMITS: dict[str, Any] = {
    "max_pixels": 7680 * 4320,
    "max_duration_s": 3600.0,
    "timeout_s": 60.0,
    "memory_limit_bytes": 1024**3,
}


def decode(file: Path, **limits: float) -> DecodeResult:
    folder = file.parent / f"{file.name}.frames"
    folder.mkdir()
    return PyAvDecoder(**{**LIMITS, **limits}).decode(file, folder, lambda stage, share: None)


def main_colour(decoded: DecodeResult, index: int) -> tuple[int, ...]:
    """Return the main colour of a frame, rounded to the precision of JPEG."""
    with Image.open(decoded.frames[index].path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return tuple(round(value / 60) for value in pixels[-2, pixels.shape[1] // 2].tolist())


def frame_times(decoded: DecodeResult) -> list[float]:
    return [frame.at_s for frame in decoded.frames]


# ---- good files ----


def test_decode_samples_one_frame_per_second(tmp_path: Path) -> None:
    """In order, as JPEG files in the given folder."""
    decoded = decode(media.write_video(tmp_path / "a.mp4", 12))
    assert decoded.duration_s == pytest.approx(12, abs=0.11)
    assert frame_times(decoded) == pytest.approx(range(12), abs=0.1)
    assert all(frame.path.read_bytes().startswith(b"\xff\xd8\xff") for frame in decoded.frames)


def test_decode_short_video_samples_eight_frames(tmp_path: Path) -> None:
    """A video under 8 s is sampled more densely, over all of its length, for the motion vector."""
    decoded = decode(media.write_video(tmp_path / "a.mp4", 2))
    assert len(decoded.frames) == 8
    assert frame_times(decoded)[0] == 0
    assert frame_times(decoded)[-1] > 1.5


def test_decode_false_short_duration_does_not_keep_every_frame(tmp_path: Path) -> None:
    """It gives eight dense frames and then one a second, like any other video."""
    path = media.write_video(tmp_path / "a.mkv", 20)
    content = bytearray(path.read_bytes())
    at = content.index(b"\x44\x89\x88") + 3  # Matroska's Duration, a double of milliseconds
    content[at : at + 8] = struct.pack(">d", 100.0)
    decoded = decode(write_file(path, bytes(content)))
    assert decoded.duration_s == pytest.approx(20, abs=0.2)
    assert 24 <= len(decoded.frames) <= 30


def test_decode_video_of_few_frames_keeps_all(tmp_path: Path) -> None:
    assert len(decode(media.write_video(tmp_path / "a.mp4", 0.5)).frames) == 5


def test_decode_finds_cuts_and_samples_each_shot(tmp_path: Path) -> None:
    """Cuts are exact to a tenth of a second, and each shot has a frame soon after its cut."""
    decoded = decode(media.write_video(tmp_path / "a.mp4", 12, shots=(RED, GREEN, BLUE, RED, BLUE)))
    assert decoded.cuts_s == pytest.approx((2.4, 4.8, 7.2, 9.6), abs=0.11)
    assert all(any(cut_s <= at_s <= cut_s + 0.31 for at_s in frame_times(decoded)) for cut_s in decoded.cuts_s)


def test_decode_flicker_keeps_minimum_cut_distance(tmp_path: Path) -> None:
    """Cuts are at least half a second apart, however fast the picture changes."""
    decoded = decode(media.write_video(tmp_path / "a.mp4", 6, rate=20, shots=(RED, GREEN) * 10))
    assert len(decoded.cuts_s) > 4
    assert all(after - before >= 0.5 for before, after in pairwise(decoded.cuts_s))


def test_decode_movement_is_not_a_cut(tmp_path: Path) -> None:
    assert decode(media.write_video(tmp_path / "a.mp4", 6)).cuts_s == ()


def test_decode_variable_frame_rate_uses_time_stamps(tmp_path: Path) -> None:
    """The frame rate is ignored."""
    times = [0, 0.5, 0.6, 4.0, 4.1, 9.0, 12.5]
    decoded = decode(media.write_video(tmp_path / "a.mkv", times=times, shots=(RED, BLUE)))
    assert set(frame_times(decoded)) <= set(times)
    assert frame_times(decoded)[-1] == 12.5
    assert decoded.duration_s >= 12.5


def test_decode_without_time_stamps_counts_frames(tmp_path: Path) -> None:
    """A raw stream has no time stamps; its frames follow at the codec's rate."""
    path = tmp_path / "a.m4v"
    media.write_video(path, 4, shots=(RED, BLUE), container="m4v")
    decoded = decode(path)
    assert len(decoded.frames) >= 8
    assert frame_times(decoded) == sorted(set(frame_times(decoded)))
    assert main_colour(decoded, 0) != main_colour(decoded, -1)


def test_decode_frozen_time_stamps_counts_frames(tmp_path: Path) -> None:
    """Frames that all claim the same time are spread over the duration."""
    decoded = decode(
        media.freeze_time_stamps(media.write_video(tmp_path / "a.mp4", 4, shots=(RED, BLUE), codec="libx264"))
    )
    assert decoded.duration_s == pytest.approx(4, abs=0.2)
    assert len(decoded.frames) >= 8
    assert main_colour(decoded, 0) != main_colour(decoded, -1)


def test_decode_rotated_video_is_upright(tmp_path: Path) -> None:
    """A portrait video of a phone, stored rotated, is turned: its top left corner appears top right."""
    decoded = decode(media.write_video(tmp_path / "a.mp4", 1, size=(96, 64), rotation=-90))
    with Image.open(decoded.frames[0].path) as picture:
        assert picture.size == (64, 96)
        pixels = np.asarray(picture)
    assert pixels[2, 61].max() < 60
    assert pixels[2, 2].max() > 100


@pytest.mark.parametrize(
    ("rotation", "size", "corner"), [(0, (96, 64), (2, 93)), (180, (96, 64), (61, 2)), (-90, (64, 96), (2, 2))]
)
def test_decode_mirrored_video_is_shown_mirrored(
    tmp_path: Path, rotation: int, size: tuple[int, int], corner: tuple[int, int]
) -> None:
    """As of the front camera of a phone: its display matrix says so, and players do it."""
    decoded = decode(media.write_video(tmp_path / "a.mp4", 1, size=(96, 64), rotation=rotation, is_mirrored=True))
    with Image.open(decoded.frames[0].path) as picture:
        assert picture.size == size
        pixels = np.asarray(picture)
    assert pixels[corner].max() < 60
    assert sum(pixels[row, column].max() < 60 for row in (2, -3) for column in (2, -3)) == 1


@pytest.mark.parametrize(
    ("size", "expected"),
    [((640, 360), (512, 288)), ((360, 640), (288, 512)), ((320, 180), (320, 180)), ((4000, 16), (1152, 5))],
)
def test_decode_scales_frames_down(tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]) -> None:
    """The short side is at most 288, the long side at most four times that. Nothing is enlarged."""
    decoded = decode(media.write_video(tmp_path / "a.mkv", 0.2, size=size, codec="ffv1"))
    with Image.open(decoded.frames[0].path) as picture:
        assert picture.size == expected


def test_decode_8k_video(tmp_path: Path) -> None:
    """The largest allowed pictures fit into the default limits."""
    decoded = decode(media.write_video(tmp_path / "a.mkv", 0.1, size=(7680, 4320), codec="mjpeg"))
    with Image.open(decoded.frames[0].path) as picture:
        assert picture.size == (512, 288)


def test_decode_video_of_one_pixel(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    Image.new("RGB", (1, 1)).save(path)
    assert len(decode(path).frames) == 1


def test_decode_animated_gif(tmp_path: Path) -> None:
    """A GIF has frames and a duration like any other video."""
    decoded = decode(media.write_gif(tmp_path / "a.gif", frames=12, frame_ms=100))
    assert decoded.duration_s == pytest.approx(1.2, abs=0.05)
    assert len(decoded.frames) == 8


def test_decode_still_picture_returns_one_frame(tmp_path: Path) -> None:
    """The thumbnail of a blocked video is decoded, too."""
    path = tmp_path / "a.jpg"
    path.write_bytes(media.encode_jpeg())
    assert frame_times(decode(path)) == [0]


def test_decode_truncated_file_returns_its_beginning(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "a.mkv", 20, codec="ffv1")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    decoded = decode(path)
    assert decoded.duration_s == pytest.approx(10, abs=1)
    assert len(decoded.frames) >= 9


def test_decode_reports_progress(tmp_path: Path) -> None:
    """The share of the work rises from 0 to 1, with the stage `decode`."""
    reports: list[tuple[str, float]] = []
    folder = tmp_path / "frames"
    folder.mkdir()
    file = media.write_video(tmp_path / "a.mp4", 12)
    PyAvDecoder(**LIMITS).decode(file, folder, lambda stage, share: reports.append((stage, share)))
    shares = [share for _, share in reports]
    assert {stage for stage, _ in reports} == {"decode"}
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert len(shares) > 5


# ---- bad files ----


def write_file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_decode_empty_file_raises_empty_file(tmp_path: Path) -> None:
    with pytest.raises(EmptyFileError):
        decode(write_file(tmp_path / "a.mp4", b""))


@pytest.mark.parametrize("make", [media.write_sound, media.write_song_with_cover])
def test_decode_audio_raises_no_pictures(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """The cover of a song is not a picture of a video."""
    with pytest.raises(NoPicturesError):
        decode(make(tmp_path / "a.mp3"))


@pytest.mark.parametrize("content", [b"hello " * 500, b"<!doctype html><title>404</title>", os.urandom(20_000)])
def test_decode_other_content_raises_corrupt_file(tmp_path: Path, content: bytes) -> None:
    """Text, a web page and noise named .mp4."""
    with pytest.raises(CorruptFileError):
        decode(write_file(tmp_path / "a.mp4", content))


def test_decode_zip_named_as_video_raises_corrupt_file(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError):
        decode(media.write_zip(tmp_path / "a.mp4"))


def test_decode_file_without_index_raises_corrupt_file(tmp_path: Path) -> None:
    """The first half of an mp4 whose index is at its end is unreadable."""
    path = media.write_video(tmp_path / "a.mp4", 4)
    with pytest.raises(CorruptFileError):
        decode(write_file(path, path.read_bytes()[: path.stat().st_size // 2]))


def test_decode_skips_broken_packets(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "a.mkv", 12, codec="mjpeg")
    before, *pictures = path.read_bytes().split(b"\xff\xd8")  # where a JPEG begins
    pictures[50:60] = [bytes(len(picture)) for picture in pictures[50:60]]
    decoded = decode(write_file(path, b"\xff\xd8".join([before, *pictures])))
    assert len(decoded.frames) == 11
    assert frame_times(decoded)[-1] > 10


def test_decode_picture_over_limit_raises_too_many_pixels(tmp_path: Path) -> None:
    with pytest.raises(TooManyPixelsError):
        decode(media.write_video(tmp_path / "a.mkv", 0.2, size=(640, 360), codec="ffv1"), max_pixels=640 * 360 - 1)


def test_decode_growing_picture_raises_too_many_pixels(tmp_path: Path) -> None:
    """A stream may change its size, so each frame is checked."""
    small, large = (
        media.write_video(
            tmp_path / f"{width}.ts", 2, size=(width, 48), codec="libx264", container="mpegts"
        ).read_bytes()
        for width in (64, 640)
    )
    with pytest.raises(TooManyPixelsError):
        decode(write_file(tmp_path / "a.ts", small + large), max_pixels=64 * 48)


def test_decode_decompression_bomb_raises_too_many_pixels(tmp_path: Path) -> None:
    """A picture of 2.5 gigapixels in a few kilobytes is refused by its header."""
    with pytest.raises(TooManyPixelsError):
        decode(media.write_decompression_bomb(tmp_path / "a.png"))


def test_decode_over_memory_limit_raises_too_many_pixels(tmp_path: Path) -> None:
    """Allowed pictures that do not fit into the memory limit raise an error."""
    path = media.write_video(tmp_path / "a.mkv", 0.1, size=(7680, 4320), codec="mjpeg")
    with pytest.raises(TooManyPixelsError):
        decode(path, memory_limit_bytes=96 * 1024**2)


def test_decode_duration_over_limit_raises_too_long(tmp_path: Path) -> None:
    """If no site gave the duration, the file does."""
    with pytest.raises(TooLongError):
        decode(media.write_video(tmp_path / "a.mp4", 6), max_duration_s=5.0)


def test_decode_undeclared_duration_over_limit_raises_too_long(tmp_path: Path) -> None:
    """A raw stream is measured while it is decoded."""
    with pytest.raises(TooLongError):
        decode(media.write_video(tmp_path / "a.m4v", 60, container="m4v"), max_duration_s=1.0)


def test_decode_timeout_raises_corrupt_file(tmp_path: Path) -> None:
    """The child is killed, and the file counts as bad."""
    with pytest.raises(CorruptFileError, match="took more than"):
        decode(media.write_video(tmp_path / "a.mp4", 2), timeout_s=0.01)


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
    "dash": '<?xml version="1.0"?><MPD type="static" mediaPresentationDuration="PT9S"><Period><AdaptationSet>'
    "<Representation id='1' bandwidth='1'><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>",
}


@pytest.mark.parametrize(
    ("kind", "extension"), [("hls", "mp4"), ("hls", "m3u8"), ("concat", "mp4"), ("sdp", "mp4"), ("dash", "mpd")]
)
def test_decode_playlist_opens_no_other_file(tmp_path: Path, site: Site, kind: str, extension: str) -> None:
    """A file that names other files, on this machine or on a reachable server, is not followed."""
    inner = media.write_video(tmp_path / "inner.mp4")
    served = site.put("/inner.mp4", inner.read_bytes(), kind="video/mp4")
    for number, target in enumerate((inner.as_uri(), "inner.mp4", served)):
        text = PLAYLISTS[kind].format(target=target, port=served.split(":")[2].split("/")[0])
        with pytest.raises(CorruptFileError):
            decode(write_file(tmp_path / f"{number}.{extension}", text.encode()))
    assert site.requested_paths == []


def test_decode_worker_has_no_network(tmp_path: Path) -> None:
    """If a file took over the process, it could still open no connection."""
    code = """
import runpy, socket, sys
runpy.run_module("indexer.decode.decode_worker", run_name="__main__")
try:
    socket.create_connection(("127.0.0.1", 9))
except PermissionError:
    sys.exit(7)
"""
    write_file(tmp_path / "a.mp4", b"")
    request = {"limits": {"timeout_s": 9, "memory_bytes": 2**30, "file_bytes": 2**20}, "request": {"media": "a.mp4"}}
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, text=True, cwd=tmp_path) as child:
        assert child.stdin is not None
        child.stdin.write(json.dumps(request) + "\n")
        child.stdin.flush()
        assert child.wait() == 7


def test_decode_worker_loads_no_heavy_module() -> None:
    """A child starts for each video, so it loads no model, no store and no yt-dlp."""
    heavy = {"torch", "qdrant_client", "yt_dlp", "structlog"}
    code = f"import sys, indexer.decode.decode_worker; print({heavy} & {{*sys.modules}})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
