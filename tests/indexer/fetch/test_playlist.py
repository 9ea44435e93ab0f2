"""Playlists, channels and feeds, listed over a real web site on loopback."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from indexer.errors import AddressRefusedError, NoVideoError, VideoNotFoundError
from indexer.fetch.fetcher import YtDlpFetcher
from tests.support.site import Site

LOOPBACK = ip_network("127.0.0.1/32")


def links(link: str, folder: Path, most: int = 50, allowed: bool = True) -> list[str]:
    networks = (LOOPBACK,) if allowed else ()
    fetcher = YtDlpFetcher(7200.0, 10**7, timeout_s=60.0, memory_limit_bytes=1024**3, allow_networks=networks)
    return fetcher.links(link, folder, most)


def feed(*urls: str) -> str:
    items = "".join(f"<item><title>{url}</title><link>{url}</link></item>" for url in urls)
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>A feed</title>{items}</channel></rss>'


def test_a_feed_is_listed_in_order(site: Site, tmp_path: Path) -> None:
    """Each video's own link, as many as were asked for, without fetching any of them."""
    urls = [f"{site.base}/{name}.mp4" for name in "abcd"]
    link = site.put("/feed.xml", feed(*urls), kind="application/rss+xml")
    assert links(link, tmp_path) == urls
    assert links(link, tmp_path, most=2) == urls[:2]


def test_an_empty_feed_holds_no_video(site: Site, tmp_path: Path) -> None:
    """A list of nothing is told as such, and so is a page that is not there."""
    with pytest.raises(NoVideoError):
        links(site.put("/feed.xml", feed(), kind="application/rss+xml"), tmp_path)
    with pytest.raises(VideoNotFoundError):
        links(f"{site.base}/nothing.xml", tmp_path)


def test_the_guard_stands_here_too(site: Site, tmp_path: Path) -> None:
    """A list at a private address is refused before anything is asked."""
    with pytest.raises(AddressRefusedError):
        links(site.put("/feed.xml", feed("http://a.example/1")), tmp_path, allowed=False)
