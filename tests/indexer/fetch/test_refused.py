"""Tests of what the fetcher refuses and of sites that fail: each case raises its own error."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from indexer.errors import (
    AddressRefusedError,
    FetchDeadlineError,
    FetchError,
    IndexerError,
    LiveStreamError,
    NoPicturesError,
    NotALinkError,
    NoVideoError,
    PlaylistRefusedError,
    SchemeRefusedError,
    SiteUnreachableError,
    TooLargeError,
    TooLongError,
    VideoNotFoundError,
)
from tests.support.indexer.fetch import Fetch
from tests.support.indexer.pages import html_page, json_ld_video, open_graph_tags
from tests.support.servers.network import free_port
from tests.support.servers.site import Site

# ---- refused before anything is fetched ----


@pytest.mark.parametrize(
    ("link", "error"),
    [
        ("hello", NotALinkError),
        ("ftp://127.0.0.1/a.mp4", SchemeRefusedError),
        ("http://127.0.0.2/a.mp4", AddressRefusedError),
        ("http://2130706434/a.mp4", AddressRefusedError),
        ("http://[::ffff:10.0.0.1]/a.mp4", AddressRefusedError),
        ("http://169.254.169.254/latest/meta-data", AddressRefusedError),
        ("https://www.youtube.com/playlist?list=PL1", PlaylistRefusedError),
    ],
)
def test_fetch_refuses_bad_link_without_child_process(
    fetch: Fetch, tmp_path: Path, link: str, error: type[IndexerError]
) -> None:
    """A link that is refused by itself starts no child process."""
    with pytest.raises(error):
        fetch(link)
    assert list((tmp_path / "work").iterdir()) == []


def test_fetch_refuses_name_with_private_address(fetch: Fetch) -> None:
    with pytest.raises(AddressRefusedError):
        fetch("https://inner.example/a.mp4", resolve=lambda host: ["8.8.8.8", "10.0.0.1"])


# ---- refused at the connection ----


def test_fetch_refuses_redirect_to_private_address(fetch: Fetch, site: Site) -> None:
    """The address of the real connection is checked, not only the link."""
    inside = site.base.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(AddressRefusedError):
        fetch(site.redirect("/s", f"{inside}/secret.mp4"))
    assert "/secret.mp4" not in site.requested_paths


def test_fetch_refuses_dns_rebinding(fetch: Fetch, site: Site) -> None:
    """A name that was public at the first check and is private at the connection is refused."""
    site.put("/a.mp4", b"x", kind="video/mp4")
    link = site.url("/a.mp4").replace("127.0.0.1", "localhost")
    with pytest.raises(AddressRefusedError):
        fetch(link, resolve=lambda host: ["93.184.216.34"], allow_networks=())
    assert site.requested_paths == []


@pytest.mark.parametrize("where", ["video", "image", "segment"])
def test_fetch_refuses_private_address_embedded_in_page(fetch: Fetch, site: Site, clip: bytes, where: str) -> None:
    """A page or manifest that names a private address causes no request to it."""
    inside = "http://127.0.0.2:8080/secret"
    site.put("/v.mp4", clip, kind="video/mp4")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2,\n{inside}\n#EXT-X-ENDLIST\n"
    site.put("/v.m3u8", playlist, kind="application/vnd.apple.mpegurl")
    link = {
        "video": site.put("/watch", html_page(open_graph_tags(video=inside + ".mp4"))),
        "image": site.put("/look", html_page(open_graph_tags(video=site.url("/v.mp4"), image=inside + ".jpg"))),
        "segment": site.url("/v.m3u8"),
    }[where]
    with pytest.raises(AddressRefusedError):
        fetch(link)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "/etc/passwd"])
def test_fetch_refuses_local_file_in_manifest(fetch: Fetch, site: Site, target: str) -> None:
    """A stream of `file://` addresses is not downloaded."""
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n"
    with pytest.raises(FetchError):
        fetch(site.put("/v.m3u8", playlist, kind="application/vnd.apple.mpegurl"))


# ---- failures of the site ----


def test_fetch_missing_page_raises_not_found(fetch: Fetch, site: Site) -> None:
    """For the status codes 404 and 410."""
    for status in (404, 410):
        with pytest.raises(VideoNotFoundError):
            fetch(site.put("/gone", html_page(), status=status))


def test_fetch_page_without_video_raises_no_video(fetch: Fetch, site: Site) -> None:
    """Also if the page has Open Graph metadata."""
    with pytest.raises(NoVideoError):
        fetch(site.put("/article", html_page(open_graph_tags(title="News", description="No video here"))))


def test_fetch_empty_feed_raises_no_video(fetch: Fetch, site: Site) -> None:
    with pytest.raises(NoVideoError):
        fetch(site.put("/feed", "<rss><channel><title>All</title></channel></rss>", kind="text/xml"))


def test_fetch_failing_site_raises_transient_error(fetch: Fetch, site: Site) -> None:
    """For the status 503 and for a closed port."""
    with pytest.raises(SiteUnreachableError):
        fetch(site.put("/busy", html_page(), status=503))
    with pytest.raises(SiteUnreachableError):
        fetch(f"http://127.0.0.1:{free_port()}/a.mp4")


def test_fetch_audio_raises_no_pictures(fetch: Fetch, site: Site) -> None:
    """Before anything is downloaded."""
    with pytest.raises(NoPicturesError):
        fetch(site.put("/song.mp3", b"ID3", kind="audio/mpeg"))


def test_fetch_page_with_several_videos_raises_playlist_refused(fetch: Fetch, site: Site, clip: bytes) -> None:
    for name in ("a", "b", "c"):
        site.put(f"/{name}.mp4", clip, kind="video/mp4")
    videos = "".join(f'<video src="/{name}.mp4"></video>' for name in "abc")
    with pytest.raises(PlaylistRefusedError):
        fetch(site.put("/watch", html_page(videos)))


def test_fetch_live_stream_raises_live_stream(fetch: Fetch, site: Site) -> None:
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2,\na.ts\n"
    with pytest.raises(LiveStreamError):
        fetch(site.put("/live.m3u8", playlist, kind="application/vnd.apple.mpegurl"))


# ---- limits ----


def test_fetch_declared_duration_over_limit_raises_too_long(fetch: Fetch, site: Site) -> None:
    """The video is not downloaded."""
    tags = json_ld_video(duration="PT3H", contentUrl=site.stream("/v.mp4", stream_endlessly))
    with pytest.raises(TooLongError):
        fetch(site.put("/watch", html_page(tags)))


async def stream_endlessly() -> AsyncIterator[bytes]:
    while True:
        yield b"\0" * 65536


def test_fetch_declared_size_over_limit_raises_too_large(fetch: Fetch, site: Site) -> None:
    """As soon as the size is declared, not after the download."""
    with pytest.raises(TooLargeError):
        fetch(site.stream("/v.mp4", stream_endlessly, length=20 * 10**9))


def test_fetch_undeclared_size_over_limit_raises_too_large(fetch: Fetch, site: Site, tmp_path: Path) -> None:
    """Chunks without end are cut off at the limit."""
    with pytest.raises(TooLargeError):
        fetch(site.stream("/v.mp4", stream_endlessly), max_bytes=300_000)
    assert sum(file.stat().st_size for file in (tmp_path / "work").rglob("*") if file.is_file()) < 3_000_000


def test_fetch_segments_over_limit_raise_too_large(fetch: Fetch, site: Site) -> None:
    """The limit is on the sum of all segments."""
    site.put("/s.ts", b"\0" * 100_000, kind="video/mp2t")
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n" + "#EXTINF:2,\ns.ts\n" * 50 + "#EXT-X-ENDLIST\n"
    with pytest.raises(TooLargeError):
        fetch(site.put("/v.m3u8", playlist, kind="application/vnd.apple.mpegurl"), max_bytes=400_000)
    assert site.requested_paths.count("/s.ts") < 10


def test_fetch_slow_site_raises_deadline_error(fetch: Fetch, site: Site) -> None:
    """A body that drips is stopped at the deadline, and the error is not transient."""

    async def drip() -> AsyncIterator[bytes]:
        yield b"\0"
        await asyncio.Event().wait()

    with pytest.raises(FetchDeadlineError) as raised:
        fetch(site.stream("/v.mp4", drip, length=1000), timeout_s=4)
    assert not raised.value.transient


def test_fetch_gzip_bomb_raises_fetch_error(fetch: Fetch, site: Site) -> None:
    """Decompression stops at the memory limit of the child."""
    bomb = gzip.compress(b"<!doctype html>" + b" " * 400_000_000, 1)

    async def answer(request: Any) -> Any:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "text/html"})

    site.handlers["/bomb"] = answer
    with pytest.raises(FetchError):
        fetch(site.url("/bomb"), memory_limit_bytes=256 * 1024**2)
