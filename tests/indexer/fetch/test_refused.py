"""What the fetcher refuses, and what a site does not have: each is told as what it is."""

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
from tests.indexer.conftest import Fetch
from tests.support.network import free_port
from tests.support.pages import linked_data, og, page
from tests.support.site import Site

# ---- what is refused before anything is fetched ----


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
def test_a_bad_link_starts_nothing(fetch: Fetch, tmp_path: Path, link: str, error: type[IndexerError]) -> None:
    """What the link alone shows is refused before a child is started."""
    with pytest.raises(error):
        fetch(link)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_name_that_leads_inside_is_refused(fetch: Fetch) -> None:
    """A public name with a private address is refused by that address."""
    with pytest.raises(AddressRefusedError):
        fetch("https://inner.example/a.mp4", resolve=lambda host: ["8.8.8.8", "10.0.0.1"])


# ---- what is refused at the connection ----


def test_a_redirect_to_a_private_address_is_refused(fetch: Fetch, site: Site) -> None:
    """The connection that is really made is looked at, not only the link."""
    inside = site.base.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(AddressRefusedError):
        fetch(site.redirect("/s", f"{inside}/secret.mp4"))
    assert "/secret.mp4" not in site.asked


def test_a_name_that_changes_its_address_is_refused(fetch: Fetch, site: Site) -> None:
    """Public when it was looked at, private when it is used (DNS rebinding): refused."""
    site.put("/a.mp4", b"x", kind="video/mp4")
    link = site.url("/a.mp4").replace("127.0.0.1", "localhost")
    with pytest.raises(AddressRefusedError):
        fetch(link, resolve=lambda host: ["93.184.216.34"], allow_networks=())
    assert site.asked == []


@pytest.mark.parametrize("where", ["video", "image", "segment"])
def test_what_a_page_embeds_is_looked_at_too(fetch: Fetch, site: Site, clip: bytes, where: str) -> None:
    """A page, a manifest or a picture that names a private address gets nothing from it."""
    inside = "http://127.0.0.2:8080/secret"
    site.put("/v.mp4", clip, kind="video/mp4")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2,\n{inside}\n#EXT-X-ENDLIST\n"
    site.put("/v.m3u8", playlist, kind="application/vnd.apple.mpegurl")
    link = {
        "video": site.put("/watch", page(og(video=inside + ".mp4"))),
        "image": site.put("/look", page(og(video=site.url("/v.mp4"), image=inside + ".jpg"))),
        "segment": site.url("/v.m3u8"),
    }[where]
    with pytest.raises(AddressRefusedError):
        fetch(link)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "/etc/passwd"])
def test_a_manifest_never_reads_a_file_of_this_machine(fetch: Fetch, site: Site, target: str) -> None:
    """A stream made of `file://` addresses is not put together."""
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n"
    with pytest.raises(FetchError):
        fetch(site.put("/v.m3u8", playlist, kind="application/vnd.apple.mpegurl"))


# ---- what the site does not have ----


def test_a_page_that_is_gone_is_told(fetch: Fetch, site: Site) -> None:
    """404 and 410 are: not found."""
    for status in (404, 410):
        with pytest.raises(VideoNotFoundError):
            fetch(site.put("/gone", page(), status=status))


def test_a_page_without_a_video_is_told(fetch: Fetch, site: Site) -> None:
    """HTML that shows no video is its own failure, also with OpenGraph words."""
    with pytest.raises(NoVideoError):
        fetch(site.put("/article", page(og(title="News", description="No video here"))))


def test_an_empty_list_has_no_video(fetch: Fetch, site: Site) -> None:
    """A feed without entries is no playlist to crawl."""
    with pytest.raises(NoVideoError):
        fetch(site.put("/feed", "<rss><channel><title>All</title></channel></rss>", kind="text/xml"))


def test_a_site_that_fails_may_be_asked_again(fetch: Fetch, site: Site) -> None:
    """A 503 and a closed port are transient."""
    with pytest.raises(SiteUnreachableError):
        fetch(site.put("/busy", page(), status=503))
    with pytest.raises(SiteUnreachableError):
        fetch(f"http://127.0.0.1:{free_port()}/a.mp4")


def test_sound_only_has_no_pictures(fetch: Fetch, site: Site) -> None:
    """A site that offers audio is told so before anything is downloaded."""
    with pytest.raises(NoPicturesError):
        fetch(site.put("/song.mp3", b"ID3", kind="audio/mpeg"))


def test_several_videos_are_a_playlist(fetch: Fetch, site: Site, clip: bytes) -> None:
    """A page that plays more than one video does not say which is meant."""
    for name in ("a", "b", "c"):
        site.put(f"/{name}.mp4", clip, kind="video/mp4")
    videos = "".join(f'<video src="/{name}.mp4"></video>' for name in "abc")
    with pytest.raises(PlaylistRefusedError):
        fetch(site.put("/watch", page(videos)))


def test_a_live_stream_is_refused(fetch: Fetch, site: Site) -> None:
    """A stream that has no end yet is no video."""
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2,\na.ts\n"
    with pytest.raises(LiveStreamError):
        fetch(site.put("/live.m3u8", playlist, kind="application/vnd.apple.mpegurl"))


# ---- limits ----


def test_a_three_hour_video_is_refused(fetch: Fetch, site: Site) -> None:
    """What the site tells of the duration is enough; the video is not downloaded."""
    tags = linked_data(duration="PT3H", contentUrl=site.stream("/v.mp4", endless))
    with pytest.raises(TooLongError):
        fetch(site.put("/watch", page(tags)))


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"\0" * 65536


def test_a_twenty_gigabyte_video_is_refused(fetch: Fetch, site: Site) -> None:
    """A length over the limit is refused when it is told, not when it has arrived."""
    with pytest.raises(TooLargeError):
        fetch(site.stream("/v.mp4", endless, length=20 * 10**9))


def test_a_video_that_tells_no_length_is_counted(fetch: Fetch, site: Site, tmp_path: Path) -> None:
    """Chunks without end are cut off at the limit."""
    with pytest.raises(TooLargeError):
        fetch(site.stream("/v.mp4", endless), max_bytes=300_000)
    assert sum(file.stat().st_size for file in (tmp_path / "work").rglob("*") if file.is_file()) < 3_000_000


def test_many_segments_are_counted_together(fetch: Fetch, site: Site) -> None:
    """A stream of small pieces has the same limit as a file."""
    site.put("/s.ts", b"\0" * 100_000, kind="video/mp2t")
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n" + "#EXTINF:2,\ns.ts\n" * 50 + "#EXT-X-ENDLIST\n"
    with pytest.raises(TooLargeError):
        fetch(site.put("/v.m3u8", playlist, kind="application/vnd.apple.mpegurl"), max_bytes=400_000)
    assert site.asked.count("/s.ts") < 10


def test_a_slow_site_is_timed_out(fetch: Fetch, site: Site) -> None:
    """A body that drips is stopped when the time is up, and not tried again at once."""

    async def drip() -> AsyncIterator[bytes]:
        yield b"\0"
        await asyncio.Event().wait()

    with pytest.raises(FetchDeadlineError) as raised:
        fetch(site.stream("/v.mp4", drip, length=1000), timeout_s=4)
    assert not raised.value.transient


def test_a_page_that_unpacks_to_gigabytes_is_stopped(fetch: Fetch, site: Site) -> None:
    """A decompression bomb ends at the memory limit of the child."""
    bomb = gzip.compress(b"<!doctype html>" + b" " * 400_000_000, 1)

    async def answer(request: Any) -> Any:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "text/html"})

    site.answers["/bomb"] = answer
    with pytest.raises(FetchError):
        fetch(site.url("/bomb"), memory_limit_bytes=256 * 1024**2)
