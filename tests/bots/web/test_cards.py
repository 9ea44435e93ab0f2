"""Links that the page plays or opens, and text in its labels."""

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
def test_video_files_and_youtube_play_in_the_page(link: str) -> None:
    assert cards.find_playable_source(link) == link


@pytest.mark.parametrize(
    "link",
    [
        "https://vimeo.com/1",
        "https://youtube.com.evil.example/x",
        "https://cdn.discordapp.com/attachments/1/2/a.mp4",
        "https://files.slack.com/files-pri/T1-F1/a.mp4",
        "javascript:alert(1)//a.mp4",
        "/etc/a.mp4",
        "data:a.mp4",
    ],
)
def test_other_links_do_not_play_in_the_page(link: str) -> None:
    assert cards.find_playable_source(link) is None


def test_local_file_plays_if_it_exists_in_a_format_of_browsers(tmp_path: Path) -> None:
    clip = tmp_path / "a clip é.mp4"
    assert cards.find_playable_source(clip.as_uri()) is None
    clip.touch()
    assert cards.find_playable_source(clip.as_uri()) == clip
    other = tmp_path / "a.avi"
    other.touch()
    assert cards.find_playable_source(other.as_uri()) is None


def test_huge_file_does_not_play(tmp_path: Path) -> None:
    """Streamlit would keep it in memory."""
    clip = tmp_path / "huge.mp4"
    with clip.open("wb") as file:
        file.truncate(cards.MAX_PLAYED_BYTES + 1)
    assert cards.find_playable_source(clip.as_uri()) is None


@pytest.mark.parametrize(
    ("link", "opens"), [("https://a.example/", True), ("file:///etc/passwd", False), ("javascript:alert(1)", False)]
)
def test_browser_opens_only_web_links(link: str, opens: bool) -> None:
    assert cards.is_web_link(link) is opens


def test_markdown_in_a_label_is_escaped() -> None:
    assert cards.escape_markdown("[a](b) *c* :red[d]") == r"\[a\]\(b\) \*c\* \:red\[d\]"
