"""The decoder, child process included, on good files and bad."""

import json
import os
import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from indexer.decode.decoder import PyAvDecoder
from indexer.errors import CorruptFileError, EmptyFileError, NoPicturesError, TooLongError, TooManyPixelsError
from indexer.types import DecodeResult
from tests.support import media
from tests.support.media import BLUE, GREEN, RED
from tests.support.site import Site

LIMITS = {"max_pixels": 7680 * 4320, "max_duration_s": 3600.0, "timeout_s": 60.0, "memory_limit_bytes": 1024**3}


def decode(file: Path, **limits: float) -> DecodeResult:
    folder = file.parent / f"{file.name}.frames"
    folder.mkdir()
    return PyAvDecoder(**{**LIMITS, **limits}).decode(file, folder, lambda stage, share: None)  # type: ignore[arg-type]


def colour(decoded: DecodeResult, index: int) -> tuple[int, ...]:
    """The main colour of a frame, rounded to what JPEG keeps."""
    with Image.open(decoded.frames[index].path) as picture:
        pixel = picture.convert("RGB").getpixel((picture.width // 2, picture.height - 2))
    return tuple(round(value / 60) for value in pixel)


def seconds(decoded: DecodeResult) -> list[float]:
    return [frame.at_s for frame in decoded.frames]


# ---- good files ----


def test_a_video_is_sampled_once_a_second(tmp_path: Path) -> None:
    """A longer video gives a picture a second, in order, as JPEG files of the given folder."""
    decoded = decode(media.video(tmp_path / "a.mp4", 12))
    assert decoded.duration_s == pytest.approx(12, abs=0.11)
    assert seconds(decoded) == pytest.approx(range(12), abs=0.1)
    assert all(frame.path.read_bytes().startswith(b"\xff\xd8\xff") for frame in decoded.frames)


def test_a_short_video_gives_what_a_motion_vector_needs(tmp_path: Path) -> None:
    """Under 8 s, a video is sampled more densely: 8 frames, over all of its length."""
    decoded = decode(media.video(tmp_path / "a.mp4", 2))
    assert len(decoded.frames) == 8
    assert seconds(decoded)[0] == 0
    assert seconds(decoded)[-1] > 1.5


def test_a_video_that_lies_about_its_length_is_not_kept_frame_by_frame(tmp_path: Path) -> None:
    """One that claims to be a blink long gives its eight pictures and then one a second, like any other."""
    path = media.video(tmp_path / "a.mkv", 20)
    content = bytearray(path.read_bytes())
    at = content.index(b"\x44\x89\x88") + 3  # Matroska's Duration, a double of milliseconds
    content[at : at + 8] = struct.pack(">d", 100.0)
    decoded = decode(write(path, bytes(content)))
    assert decoded.duration_s == pytest.approx(20, abs=0.2)
    assert 24 <= len(decoded.frames) <= 30


def test_a_very_short_video_gives_all_it_has(tmp_path: Path) -> None:
    """With fewer than 8 frames, each is kept."""
    assert len(decode(media.video(tmp_path / "a.mp4", 0.5)).frames) == 5


def test_shots_are_found_and_seen(tmp_path: Path) -> None:
    """Cuts are told to a tenth of a second, and each shot has a picture of its own soon after its border."""
    decoded = decode(media.video(tmp_path / "a.mp4", 12, shots=(RED, GREEN, BLUE, RED, BLUE)))
    assert decoded.cuts_s == pytest.approx((2.4, 4.8, 7.2, 9.6), abs=0.11)
    assert all(any(cut_s <= at_s <= cut_s + 0.31 for at_s in seconds(decoded)) for cut_s in decoded.cuts_s)


def test_a_flicker_is_not_a_shot_a_frame(tmp_path: Path) -> None:
    """Cuts are half a second apart at least, however fast the pictures change."""
    decoded = decode(media.video(tmp_path / "a.mp4", 6, rate=20, shots=(RED, GREEN) * 10))
    assert len(decoded.cuts_s) > 4
    assert all(after - before >= 0.5 for before, after in pairwise(decoded.cuts_s))


def test_one_shot_has_no_border(tmp_path: Path) -> None:
    """Movement within a shot is no cut."""
    assert decode(media.video(tmp_path / "a.mp4", 6)).cuts_s == ()


def test_times_are_the_frames_own(tmp_path: Path) -> None:
    """With a variable frame rate a frame's second is its time stamp's, whatever the rate says."""
    times = [0, 0.5, 0.6, 4.0, 4.1, 9.0, 12.5]
    decoded = decode(media.video(tmp_path / "a.mkv", times=times, shots=(RED, BLUE)))
    assert set(seconds(decoded)) <= set(times)
    assert seconds(decoded)[-1] == 12.5
    assert decoded.duration_s >= 12.5


def test_frames_without_times_of_their_own_are_counted(tmp_path: Path) -> None:
    """A stream without a container has no time stamps; its frames follow each other at its rate."""
    path = tmp_path / "a.m4v"
    media.video(path, 4, shots=(RED, BLUE), container="m4v")
    decoded = decode(path)
    assert len(decoded.frames) >= 8
    assert seconds(decoded) == sorted(set(seconds(decoded)))
    assert colour(decoded, 0) != colour(decoded, -1)


def test_time_stamps_that_stand_still_are_counted_too(tmp_path: Path) -> None:
    """A file whose frames all claim the same moment is spread over the time it was made for."""
    decoded = decode(media.with_frozen_times(media.video(tmp_path / "a.mp4", 4, shots=(RED, BLUE), codec="libx264")))
    assert decoded.duration_s == pytest.approx(4, abs=0.2)
    assert len(decoded.frames) >= 8
    assert colour(decoded, 0) != colour(decoded, -1)


def test_a_turned_video_stands_upright(tmp_path: Path) -> None:
    """A phone's portrait video, stored lying and marked so, is turned: its top left corner shows top right."""
    decoded = decode(media.video(tmp_path / "a.mp4", 1, size=(96, 64), turned=-90))
    with Image.open(decoded.frames[0].path) as picture:
        assert picture.size == (64, 96)
        assert max(picture.getpixel((61, 2))) < 60
        assert max(picture.getpixel((2, 2))) > 100


@pytest.mark.parametrize(
    ("size", "kept"),
    [((640, 360), (512, 288)), ((360, 640), (288, 512)), ((320, 180), (320, 180)), ((4000, 16), (1152, 5))],
)
def test_pictures_are_scaled_while_decoding(tmp_path: Path, size: tuple[int, int], kept: tuple[int, int]) -> None:
    """The short side is 288 at most, the long one four times that; nothing is enlarged."""
    decoded = decode(media.video(tmp_path / "a.mkv", 0.2, size=size, codec="ffv1"))
    with Image.open(decoded.frames[0].path) as picture:
        assert picture.size == kept


def test_an_8k_video_decodes(tmp_path: Path) -> None:
    """The largest pictures allowed fit into the limits that come with them."""
    decoded = decode(media.video(tmp_path / "a.mkv", 0.1, size=(7680, 4320), codec="mjpeg"))
    with Image.open(decoded.frames[0].path) as picture:
        assert picture.size == (512, 288)


def test_a_video_of_one_pixel_decodes(tmp_path: Path) -> None:
    """The smallest picture there is stays as it is."""
    path = tmp_path / "a.gif"
    Image.new("RGB", (1, 1)).save(path)
    assert len(decode(path).frames) == 1


def test_an_animation_is_a_video(tmp_path: Path) -> None:
    """A GIF has frames and a duration like any other video."""
    decoded = decode(media.gif(tmp_path / "a.gif", frames=12, frame_ms=100))
    assert decoded.duration_s == pytest.approx(1.2, abs=0.05)
    assert len(decoded.frames) == 8


def test_a_still_picture_is_one_frame(tmp_path: Path) -> None:
    """The thumbnail of a video that can't be had goes this way too."""
    path = tmp_path / "a.jpg"
    path.write_bytes(media.jpeg())
    assert seconds(decode(path)) == [0]


def test_a_file_that_breaks_off_keeps_what_it_has(tmp_path: Path) -> None:
    """Half a file is half a video."""
    path = media.video(tmp_path / "a.mkv", 20, codec="ffv1")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    decoded = decode(path)
    assert decoded.duration_s == pytest.approx(10, abs=1)
    assert len(decoded.frames) >= 9


def test_progress_is_told(tmp_path: Path) -> None:
    """The share of the work rises from 0 to 1 under the stage's own name."""
    told: list[tuple[str, float]] = []
    folder = tmp_path / "frames"
    folder.mkdir()
    file = media.video(tmp_path / "a.mp4", 12)
    PyAvDecoder(**LIMITS).decode(file, folder, lambda stage, share: told.append((stage, share)))  # type: ignore[arg-type]
    shares = [share for _, share in told]
    assert {stage for stage, _ in told} == {"decode"}
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert len(shares) > 5


# ---- bad files ----


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    """Zero bytes are their own failure."""
    with pytest.raises(EmptyFileError):
        decode(write(tmp_path / "a.mp4", b""))


@pytest.mark.parametrize("make", [media.sound, media.song_with_cover])
def test_sound_only_has_no_pictures(tmp_path: Path, make: object) -> None:
    """Audio is told as such, and the cover of a song is no picture of a video."""
    with pytest.raises(NoPicturesError):
        decode(make(tmp_path / "a.mp3"))  # type: ignore[operator]


@pytest.mark.parametrize("content", [b"hello " * 500, b"<!doctype html><title>404</title>", os.urandom(20_000)])
def test_what_is_no_video_is_corrupt(tmp_path: Path, content: bytes) -> None:
    """Text, a web page and noise named .mp4 decode to nothing."""
    with pytest.raises(CorruptFileError):
        decode(write(tmp_path / "a.mp4", content))


def test_a_zip_named_as_a_video_is_corrupt(tmp_path: Path) -> None:
    """The name of a file counts for nothing."""
    with pytest.raises(CorruptFileError):
        decode(media.packed(tmp_path / "a.mp4"))


def test_a_file_that_lost_its_index_is_corrupt(tmp_path: Path) -> None:
    """The first half of an mp4 whose index stood at its end can't be read."""
    path = media.video(tmp_path / "a.mp4", 4)
    with pytest.raises(CorruptFileError):
        decode(write(path, path.read_bytes()[: path.stat().st_size // 2]))


def test_damage_in_the_middle_costs_only_what_it_hit(tmp_path: Path) -> None:
    """Broken packets are passed over."""
    path = media.video(tmp_path / "a.mkv", 12, codec="mjpeg")
    before, *pictures = path.read_bytes().split(b"\xff\xd8")  # where a JPEG begins
    pictures[50:60] = [bytes(len(picture)) for picture in pictures[50:60]]
    decoded = decode(write(path, b"\xff\xd8".join([before, *pictures])))
    assert len(decoded.frames) == 11
    assert seconds(decoded)[-1] > 10


def test_pictures_over_the_limit_are_refused(tmp_path: Path) -> None:
    """A picture of more pixels than allowed is its own failure."""
    with pytest.raises(TooManyPixelsError):
        decode(media.video(tmp_path / "a.mkv", 0.2, size=(640, 360), codec="ffv1"), max_pixels=640 * 360 - 1)


def test_pictures_that_grow_over_the_limit_are_refused(tmp_path: Path) -> None:
    """A stream may change its size on the way; each picture is looked at."""
    small, large = (
        media.video(tmp_path / f"{width}.ts", 2, size=(width, 48), codec="libx264", container="mpegts").read_bytes()
        for width in (64, 640)
    )
    with pytest.raises(TooManyPixelsError):
        decode(write(tmp_path / "a.ts", small + large), max_pixels=64 * 48)


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    """A picture of 2.5 gigapixels in a few kilobytes is refused by its header."""
    with pytest.raises(TooManyPixelsError):
        decode(media.huge_png(tmp_path / "a.png"))


def test_the_memory_limit_holds(tmp_path: Path) -> None:
    """Pictures that are allowed but do not fit end in a refusal, not in a machine without memory."""
    path = media.video(tmp_path / "a.mkv", 0.1, size=(7680, 4320), codec="mjpeg")
    with pytest.raises(TooManyPixelsError):
        decode(path, memory_limit_bytes=96 * 1024**2)


def test_a_long_video_is_refused(tmp_path: Path) -> None:
    """Where no site told the duration, the file does."""
    with pytest.raises(TooLongError):
        decode(media.video(tmp_path / "a.mp4", 6), max_duration_s=5.0)


def test_a_long_video_that_tells_no_duration_is_refused(tmp_path: Path) -> None:
    """A stream that claims nothing is measured while it decodes."""
    with pytest.raises(TooLongError):
        decode(media.video(tmp_path / "a.m4v", 60, container="m4v"), max_duration_s=1.0)


def test_a_decoder_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    """Past its time the child is killed, and the file counts as bad."""
    with pytest.raises(CorruptFileError, match="took more than"):
        decode(media.video(tmp_path / "a.mp4", 2), timeout_s=0.01)


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
def test_a_playlist_opens_nothing(tmp_path: Path, site: Site, kind: str, extension: str) -> None:
    """A file that names other files, of this machine or of a server in reach, is not followed."""
    inner = media.video(tmp_path / "inner.mp4")
    served = site.put("/inner.mp4", inner.read_bytes(), kind="video/mp4")
    for number, target in enumerate((inner.as_uri(), "inner.mp4", served)):
        text = PLAYLISTS[kind].format(target=target, port=served.split(":")[2].split("/")[0])
        with pytest.raises(CorruptFileError):
            decode(write(tmp_path / f"{number}.{extension}", text.encode()))
    assert site.asked == []


def test_the_decoders_child_is_closed_off(tmp_path: Path) -> None:
    """Even if a file found a way past all that, its process can connect to nothing."""
    code = """
import runpy, socket, sys
runpy.run_module("indexer.decode.decode_worker", run_name="__main__")
try:
    socket.create_connection(("127.0.0.1", 9))
except PermissionError:
    sys.exit(7)
"""
    write(tmp_path / "a.mp4", b"")
    request = {"limits": {"timeout_s": 9, "memory_bytes": 2**30, "file_bytes": 2**20}, "request": {"media": "a.mp4"}}
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, text=True, cwd=tmp_path) as child:
        assert child.stdin is not None
        child.stdin.write(json.dumps(request) + "\n")
        child.stdin.flush()
        assert child.wait() == 7


def test_the_decoders_child_loads_nothing_heavy() -> None:
    """A child starts for each video: no model, no store and no yt-dlp come along."""
    code = "import sys, indexer.decode.decode_worker; print({'torch', 'qdrant_client', 'yt_dlp', 'structlog'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
