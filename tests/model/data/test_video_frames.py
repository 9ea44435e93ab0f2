"""Pictures out of clips, made on the spot."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from model.data.pairs import read_pairs
from model.data.video_frames import MOST, stills
from model.errors import PairsUnreadable


def film(file: Path, seconds: float, rate: int = 5, size: tuple[int, int] = (64, 48)) -> Path:
    """Grey that brightens from second to second."""
    with av.open(str(file), "w") as media:
        stream = media.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for i in range(max(1, round(seconds * rate))):
            grey = np.full((size[1], size[0], 3), min(250, 10 + 20 * (i // rate)), np.uint8)
            media.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        media.mux(stream.encode(None))
    return file


def test_there_is_a_picture_of_every_second(tmp_path: Path) -> None:
    """In order, each from its own second."""
    found = stills(film(tmp_path / "a.mp4", 4), tmp_path / "work")
    greys = [np.asarray(Image.open(file)).mean() for file in found]
    assert greys == pytest.approx([10, 30, 50, 70], abs=6)


@pytest.mark.parametrize(("seconds", "count"), [(0.2, 1), (1, 1), (1.8, 2), (80, MOST)])
def test_a_clip_has_one_picture_or_more_but_never_too_many(tmp_path: Path, seconds: float, count: int) -> None:
    """Short ones have one, long ones are gone through in longer strides, to their end."""
    found = stills(film(tmp_path / "a.mp4", seconds, rate=5 if seconds < 10 else 2), tmp_path / "work")
    assert len(found) == count


def test_large_pictures_are_made_smaller(tmp_path: Path) -> None:
    """No encoder looks at more than some hundred pixels."""
    [file] = stills(film(tmp_path / "a.mp4", 1, size=(1280, 720)), tmp_path / "work")
    with Image.open(file) as image:
        assert image.size == (448, 252)


def test_stills_are_made_once_and_anew_for_a_changed_file(tmp_path: Path) -> None:
    """The second time nothing is decoded; another clip of the same name has its own."""
    clip = film(tmp_path / "a.mp4", 2)
    first = stills(clip, tmp_path / "work")
    stamps = [file.stat().st_mtime_ns for file in first]
    assert stills(clip, tmp_path / "work") == first
    assert [file.stat().st_mtime_ns for file in first] == stamps
    assert len(stills(film(clip, 3), tmp_path / "work")) == 3


@pytest.mark.parametrize("content", [b"", b"neither"])
def test_what_is_neither_is_named(tmp_path: Path, content: bytes) -> None:
    """And nothing half made is left to be taken for whole."""
    (tmp_path / "odd.mp4").write_bytes(content)
    with pytest.raises(PairsUnreadable, match=r"odd\.mp4"):
        stills(tmp_path / "odd.mp4", tmp_path / "work")
    assert not list((tmp_path / "work").glob("[!.]*"))


def test_pairs_may_name_videos(tmp_path: Path) -> None:
    """A video's pictures stand in its place; its texts share them, and it stays the source."""
    film(tmp_path / "a.mp4", 3)
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    (tmp_path / "pairs.csv").write_text("file,text\na.mp4,it brightens\na.mp4,grey\nb.png,black")
    first, second, third = read_pairs(tmp_path / "pairs.csv", tmp_path / "work")
    assert first.pictures == second.pictures
    assert (len(first.pictures), first.source) == (3, "a.mp4")
    assert third.pictures == (tmp_path / "b.png",)
