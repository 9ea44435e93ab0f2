"""What the page draws by itself, and what it may play or open."""

from pathlib import Path

import pytest

from bots.web import cards


@pytest.mark.parametrize(
    "link",
    [
        "https://www.youtube.com/watch?v=aqz-KE-bpKQ",
        "https://youtu.be/aqz-KE-bpKQ",
        "http://video.example/a.mp4?x=1",
        "https://video.example/A.WEBM",
    ],
)
def test_links_that_the_page_plays(link: str) -> None:
    """Direct files and YouTube play in the page."""
    assert cards.playable(link) == link


@pytest.mark.parametrize(
    "link",
    [
        "https://vimeo.com/1",
        "https://youtube.com.evil.example/x",
        "javascript:alert(1)//a.mp4",
        "/etc/a.mp4",
        "data:a.mp4",
    ],
)
def test_links_that_it_does_not_play(link: str) -> None:
    """Other sites play on their own pages, and what is no link is not played."""
    assert cards.playable(link) is None


def test_local_files(tmp_path: Path) -> None:
    """A file of the library plays while it is there and in a form that browsers know."""
    clip = tmp_path / "a clip é.mp4"
    assert cards.playable(clip.as_uri()) is None
    clip.touch()
    assert cards.playable(clip.as_uri()) == clip
    other = tmp_path / "a.avi"
    other.touch()
    assert cards.playable(other.as_uri()) is None


def test_huge_files_are_not_held_in_memory(tmp_path: Path) -> None:
    """Streamlit would load a file whole."""
    clip = tmp_path / "huge.mp4"
    with clip.open("wb") as file:
        file.truncate(cards.MAX_PLAYED_BYTES + 1)
    assert cards.playable(clip.as_uri()) is None


@pytest.mark.parametrize(
    ("link", "opens"), [("https://a.example/", True), ("file:///etc/passwd", False), ("javascript:alert(1)", False)]
)
def test_only_web_pages_open(link: str, opens: bool) -> None:
    """A browser is sent to web pages only."""
    assert cards.opens(link) is opens


def test_labels_are_plain() -> None:
    """Markdown in a title stays text."""
    assert cards.label("[a](b) *c* :red[d]") == r"\[a\]\(b\) \*c\* \:red\[d\]"
