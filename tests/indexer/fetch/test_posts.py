"""Posts with several videos."""

from typing import Any, cast

import pytest
from yt_dlp import YoutubeDL

from indexer.errors import NoVideoError, PlaylistRefusedError
from indexer.fetch.fetch_worker import extract_info

pytestmark = pytest.mark.unit

POST = "https://x.com/ada/status/1790000000000000000"


class FoundByYtDlp:
    """What yt-dlp finds at a link."""

    def __init__(self, *titles: str) -> None:
        self._entries = [{"id": str(number), "title": title} for number, title in enumerate(titles)]

    def extract_info(self, url: str, download: bool) -> dict[str, Any]:
        return {"_type": "playlist", "title": "two takes", "entries": iter(self._entries)}

    def process_ie_result(self, entry: dict[str, Any], download: bool) -> dict[str, Any]:
        return entry


def find(*titles: str) -> YoutubeDL:
    return cast(YoutubeDL, FoundByYtDlp(*titles))


@pytest.mark.parametrize(
    "link",
    [
        POST,
        "https://www.instagram.com/p/C0123456789/",
        "https://www.reddit.com/r/cats/comments/1abcde/two_takes/",
    ],
)
def test_post_with_several_videos_gives_its_first_and_is_marked(link: str) -> None:
    assert extract_info(find("take", "take"), link) == {"id": "0", "title": "take #1", "is_first_of_several": True}
    assert extract_info(find("take #1", "take #2"), link)["title"] == "take #1"
    assert extract_info(find("", ""), link)["title"] == "two takes #1"
    assert extract_info(find("take"), link) == {"id": "0", "title": "take"}


def test_playlist_is_refused() -> None:
    with pytest.raises(PlaylistRefusedError):
        extract_info(find("a", "b"), "https://video.example/list")
    with pytest.raises(NoVideoError):
        extract_info(find(), POST)
