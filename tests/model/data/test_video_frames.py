"""Frames of videos."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from model.data.pairs import read_pairs
from model.data.video_frames import MAX_FRAMES, extract_frames
from model.errors import PairsUnreadableError


def make_video(file: Path, seconds: float, rate: int = 5, size: tuple[int, int] = (64, 48)) -> Path:
    """Make a grey video that brightens every second."""
    with av.open(str(file), "w") as media:
        stream = media.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for i in range(max(1, round(seconds * rate))):
            grey = np.full((size[1], size[0], 3), min(250, 10 + 20 * (i // rate)), np.uint8)
            media.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        media.mux(stream.encode(None))
    return file


def test_one_frame_per_second_is_extracted(tmp_path: Path) -> None:
    """The frames are in order, each from its own second."""
    found = extract_frames(make_video(tmp_path / "a.mp4", 4), tmp_path / "work")
    greys = [np.asarray(Image.open(file)).mean() for file in found]
    assert greys == pytest.approx([10, 30, 50, 70], abs=6)


@pytest.mark.parametrize(("seconds", "count"), [(0.2, 1), (1, 1), (1.8, 2), (80, MAX_FRAMES)])
def test_number_of_frames_is_between_one_and_the_maximum(tmp_path: Path, seconds: float, count: int) -> None:
    """Long videos are sampled at longer intervals, up to their end."""
    found = extract_frames(make_video(tmp_path / "a.mp4", seconds, rate=5 if seconds < 10 else 2), tmp_path / "work")
    assert len(found) == count


def test_large_frames_are_scaled_down(tmp_path: Path) -> None:
    [file] = extract_frames(make_video(tmp_path / "a.mp4", 1, size=(1280, 720)), tmp_path / "work")
    with Image.open(file) as image:
        assert image.size == (448, 252)


def test_frames_are_reused_until_the_file_changes(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", 2)
    first = extract_frames(clip, tmp_path / "work")
    stamps = [file.stat().st_mtime_ns for file in first]
    assert extract_frames(clip, tmp_path / "work") == first
    assert [file.stat().st_mtime_ns for file in first] == stamps
    assert len(extract_frames(make_video(clip, 3), tmp_path / "work")) == 3


@pytest.mark.parametrize("content", [b"", b"neither"])
def test_unreadable_file_is_named_without_leftovers(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.mp4").write_bytes(content)
    with pytest.raises(PairsUnreadableError, match=r"odd\.mp4"):
        extract_frames(tmp_path / "odd.mp4", tmp_path / "work")
    assert not list((tmp_path / "work").glob("[!.]*"))


def test_pair_with_video_gets_its_frames(tmp_path: Path) -> None:
    """Texts of one video share the frames, and the video stays the source."""
    make_video(tmp_path / "a.mp4", 3)
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    (tmp_path / "pairs.csv").write_text("file,text\na.mp4,it brightens\na.mp4,grey\nb.png,black")
    first, second, third = read_pairs(tmp_path / "pairs.csv", tmp_path / "work")
    assert first.pictures == second.pictures
    assert (len(first.pictures), first.source) == (3, "a.mp4")
    assert third.pictures == (tmp_path / "b.png",)
