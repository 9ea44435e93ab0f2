"""Tests of listing playlists, channels and feeds on a real web site on loopback."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from indexer.errors import AddressRefusedError, NoVideoError, VideoNotFoundError
from indexer.fetch.fetcher import YtDlpFetcher
from tests.support.site import Site

LOOPBACK = ip_network("127.0.0.1/32")


def list_links(link: str, folder: Path, max_links: int = 50, *, is_allowed: bool = True) -> list[str]:
    networks = (LOOPBACK,) if is_allowed else ()
    fetcher = YtDlpFetcher(7200.0, 10**7, timeout_s=60.0, memory_limit_bytes=1024**3, allow_networks=networks)
    return fetcher.list_links(link, folder, max_links)


def rss_feed(*urls: str) -> str:
    items = "".join(f"<item><title>{url}</title><link>{url}</link></item>" for url in urls)
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>A feed</title>{items}</channel></rss>'


def test_list_links_returns_links_of_feed_in_order(site: Site, tmp_path: Path) -> None:
    """At most `max_links`, and no video is fetched."""
    urls = [f"{site.base}/{name}.mp4" for name in "abcd"]
    link = site.put("/feed.xml", rss_feed(*urls), kind="application/rss+xml")
    assert list_links(link, tmp_path) == urls
    assert list_links(link, tmp_path, max_links=2) == urls[:2]


def test_list_links_of_empty_feed_raises_no_video(site: Site, tmp_path: Path) -> None:
    """A missing page raises another error."""
    with pytest.raises(NoVideoError):
        list_links(site.put("/feed.xml", rss_feed(), kind="application/rss+xml"), tmp_path)
    with pytest.raises(VideoNotFoundError):
        list_links(f"{site.base}/nothing.xml", tmp_path)


def test_list_links_refuses_private_address(site: Site, tmp_path: Path) -> None:
    """Before any request is sent."""
    with pytest.raises(AddressRefusedError):
        list_links(site.put("/feed.xml", rss_feed("http://a.example/1")), tmp_path, is_allowed=False)
