"""Tests of listing playlists, channels and feeds on a real web site on loopback."""

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from indexer.errors import AddressRefusedError, LinkRefusedError, NoVideoError, VideoNotFoundError
from indexer.fetch.fetcher import YtDlpFetcher
from tests.support.indexer.pages import make_rss_feed
from tests.support.servers.site import Site

LOOPBACK = ip_network("127.0.0.1/32")


def make_fetcher(*, is_allowed: bool = True) -> YtDlpFetcher:
    networks = (LOOPBACK,) if is_allowed else ()
    return YtDlpFetcher(7200.0, 10**7, timeout_s=60.0, memory_limit_bytes=1024**3, allow_networks=networks)


def list_links(link: str, folder: Path, max_links: int = 50, *, is_allowed: bool = True) -> list[str]:
    return make_fetcher(is_allowed=is_allowed).list_links(link, folder, max_links)


def test_list_links_returns_links_of_feed_in_order(site: Site, tmp_path: Path) -> None:
    """At most `max_links`, and no video is fetched."""
    urls = [f"{site.base}/{name}.mp4" for name in "abcd"]
    link = site.put("/feed.xml", make_rss_feed(*urls), kind="application/rss+xml")
    assert list_links(link, tmp_path) == urls
    assert list_links(link, tmp_path, max_links=2) == urls[:2]


def test_list_links_of_empty_feed_raises_no_video(site: Site, tmp_path: Path) -> None:
    """A missing page raises another error."""
    with pytest.raises(NoVideoError):
        list_links(site.put("/feed.xml", make_rss_feed(), kind="application/rss+xml"), tmp_path)
    with pytest.raises(VideoNotFoundError):
        list_links(f"{site.base}/nothing.xml", tmp_path)


def test_list_links_refuses_private_address(site: Site, tmp_path: Path) -> None:
    """Before any request is sent."""
    with pytest.raises(AddressRefusedError):
        list_links(site.put("/feed.xml", make_rss_feed("http://a.example/1")), tmp_path, is_allowed=False)


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("ytsearch10:funny cats", "ytsearch10:funny cats"),
        (" YTSearch900: 고양이 ", "ytsearch50:고양이"),
        ("ytsearch:cats", "ytsearch50:cats"),
        ("ytsearchall:cats", "ytsearch50:cats"),
        ("ytsearchdate3:cats", "ytsearchdate3:cats"),
    ],
)
def test_search_on_youtube_is_bounded(tmp_path: Path, link: str, address: str) -> None:
    """The child process gets it as yt-dlp writes it; there is no YouTube to ask here."""
    asked = []

    def record(module: str, request: dict[str, Any], *_: object) -> dict[str, Any]:
        asked.append((request["url"], request["max_links"]))
        return {"links": ["https://www.youtube.com/watch?v=aaaaaaaaaaa"]}

    assert replace(make_fetcher(), run_in_child=record).list_links(link, tmp_path, 50) == [
        "https://www.youtube.com/watch?v=aaaaaaaaaaa"
    ]
    assert asked == [(address, 50)]


@pytest.mark.parametrize("link", ["ytsearch:", "scsearch5:cats", "ytuser:cats", "cats", "file:///etc/passwd"])
def test_other_text_than_a_link_or_a_search_on_youtube_is_refused(tmp_path: Path, link: str) -> None:
    with pytest.raises(LinkRefusedError):
        list_links(link, tmp_path)
