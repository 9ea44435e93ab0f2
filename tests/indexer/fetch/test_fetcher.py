"""Tests of the fetcher with a real web site on loopback, a real child process and yt-dlp."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from aiohttp import web
from PIL import Image
from yt_dlp import YoutubeDL

from indexer.errors import BlockedVideoError, SlackFileError, VideoNotFoundError
from indexer.fetch import page_metadata, ydl_session
from indexer.fetch.fetcher import YtDlpFetcher
from indexer.fetch.hls import inline_initialization
from indexer.types import Caption
from tests.support.indexer import media
from tests.support.indexer.decoding import decode_here
from tests.support.indexer.fetch import LOOPBACK, Fetch
from tests.support.indexer.pages import M3U8, hls_playlist, html_page, json_ld_video, open_graph_tags
from tests.support.servers.site import Site

# ---- video, metadata and thumbnail ----


def test_fetch_direct_file_returns_its_bytes_and_name(fetch: Fetch, site: Site, clip: bytes) -> None:
    """The file is complete, and its name is the title."""
    result = fetch(site.put("/snow_dog%20run.mp4?utm_source=chat", clip, kind="video/mp4"))
    assert result.media is not None
    assert result.media.read_bytes() == clip
    assert result.video.title == "snow dog run"
    assert result.video.link == site.url("/snow_dog%20run.mp4")
    assert result.media_error_code is None


def test_fetch_page_returns_metadata_and_thumbnail(fetch: Fetch, site: Site, clip: bytes) -> None:
    """Title (with emoji), description, date and thumbnail are returned with the video of a page."""
    site.put("/v.mp4", clip, kind="video/mp4")
    site.put("/t.jpg", media.encode_jpeg((1600, 900)), kind="image/jpeg")
    tags = json_ld_video(
        name="Goal! ⚽🎉",
        description="From the halfway line",
        uploadDate="2024-05-06T07:08:09Z",
        duration="PT2S",
        contentUrl=site.url("/v.mp4"),
        thumbnailUrl=site.url("/t.jpg"),
    )
    result = fetch(site.put("/watch", html_page(tags)))
    assert (result.video.title, result.video.description) == ("Goal! ⚽🎉", "From the halfway line")
    assert (result.video.published, result.video.duration_s) == ("2024-05-06", 2)
    assert result.media is not None
    assert result.media.read_bytes() == clip
    assert result.thumbnail is not None
    with Image.open(result.thumbnail) as picture:
        assert (picture.format, picture.size) == ("JPEG", (640, 360))


@pytest.mark.parametrize(("offered", "chosen"), [((240, 360, 1080), 360), ((144, 480, 1080), 480), ((144,), 144)])
def test_fetch_chooses_format_near_360_lines(
    fetch: Fetch, site: Site, tmp_path: Path, offered: tuple[int, ...], chosen: int
) -> None:
    """The format nearest to 360 lines is chosen, and less than 240 only if there is no other."""
    lines = ["#EXTM3U"]
    for height in offered:
        segment = media.write_video(tmp_path / f"{height}.ts", 1, size=(64, height), container="mpegts")
        site.put(f"/{height}.ts", segment.read_bytes(), kind="video/mp2t")
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:1,\n{height}.ts\n#EXT-X-ENDLIST\n"
        site.put(f"/{height}.m3u8", playlist, kind="application/vnd.apple.mpegurl")
        lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={height}000,RESOLUTION={height * 16 // 9}x{height}", f"{height}.m3u8"]
    result = fetch(site.put("/all.m3u8", "\n".join(lines), kind="application/vnd.apple.mpegurl"))
    assert result.media is not None
    with av.open(str(result.media)) as container:
        assert container.streams.video[0].height == chosen
    assert result.video.duration_s == 1


@pytest.mark.parametrize(
    "dates",
    [{"upload_date": "20240230"}, {"upload_date": "2024"}, {"timestamp": 1714982400000}, {"timestamp": "noon"}],
    ids=["impossible day", "year only", "milliseconds", "text"],
)
def test_unreadable_date_is_none(dates: dict[str, Any]) -> None:
    """A video is not refused for its date."""
    request = {"url": "https://videos.example/goal"}
    assert page_metadata.build_response({"title": "Goal", **dates}, request)["published"] is None


def test_fetch_with_wants_speech_returns_captions(fetch: Fetch, site: Site, clip: bytes) -> None:
    """Subtitles become captions without tags and entities. Without `wants_speech` there are none."""
    site.put("/v.mp4", clip, kind="video/mp4")
    site.put("/en.vtt", "WEBVTT\n\n00:00.500 --> 00:01.500\nThe <b>dog</b> &amp; I\nrun\n", kind="text/vtt")
    video = '<video src="/v.mp4"><track kind="subtitles" srclang="en" src="/en.vtt"></video>'
    link = site.put("/watch", html_page(video))
    assert fetch(link).speech == (Caption(0.5, 1.5, "The dog & I\nrun"),)
    assert fetch(link, wants_speech=False).speech == ()


def test_fetch_stream_with_discontinuity_keeps_all_of_its_time(fetch: Fetch, site: Site, tmp_path: Path) -> None:
    """Time stamps restart after an advertisement, and the film is as long as its segments."""
    lines = []
    for number, (start_s, colour) in enumerate(((0.0, media.RED), (500.0, media.BLUE), (2.0, media.RED))):
        segment = media.write_transport_stream(tmp_path / "segment", start_s, seconds=2, colour=colour)
        site.put(f"/{number}.ts", segment, kind="video/mp2t")
        lines += ["#EXTINF:2,", f"{number}.ts", "#EXT-X-DISCONTINUITY"]
    result = fetch(site.put("/film.m3u8", hls_playlist(*lines), kind=M3U8))
    assert result.media is not None
    decoded = decode_here(result.media)
    assert decoded.duration_s == pytest.approx(6, abs=0.2)
    assert decoded.cuts_s == pytest.approx([2, 4], abs=0.2)


def test_fetch_stream_with_several_initialization_segments_keeps_all_of_its_time(
    fetch: Fetch, site: Site, tmp_path: Path
) -> None:
    """As with an advertisement: an own initialization segment, then that of the film again."""
    lines = []
    for number, (init, colour) in enumerate((("film", media.RED), ("ad", media.BLUE), ("film", media.RED))):
        head, fragments = media.write_fragmented(tmp_path / "segment.mp4", seconds=2, colour=colour)
        site.put(f"/{init}.mp4", head, kind="video/mp4")
        site.put(f"/{number}.m4s", fragments, kind="video/mp4")
        lines += [f'#EXT-X-MAP:URI="{init}.mp4"', "#EXTINF:2,", f"{number}.m4s", "#EXT-X-DISCONTINUITY"]
    result = fetch(site.put("/film.m3u8", hls_playlist(*lines), kind=M3U8))
    assert result.media is not None
    decoded = decode_here(result.media)
    assert decoded.duration_s == pytest.approx(6, abs=0.2)
    assert decoded.cuts_s == pytest.approx([2, 4], abs=0.2)


FIRST, OTHER = '#EXT-X-MAP:URI="a.mp4"', '#EXT-X-MAP:URI="b.mp4",BYTERANGE="7@0"'


@pytest.mark.parametrize(
    ("lines", "inlined"),
    [
        (["#EXTINF:2,", "1"], ["#EXTINF:2,", "1"]),
        ([FIRST, "#EXTINF:2,", "1"], [FIRST, "#EXTINF:2,", "1"]),
        ([FIRST, "#EXTINF:2,", "1", FIRST, "#EXTINF:2,", "2"], [FIRST, "#EXTINF:2,", "1", "#EXTINF:2,", "2"]),
        (
            [FIRST, "#EXTINF:2,", "1", OTHER, "#EXTINF:2,", "2"],
            [FIRST, "#EXTINF:2,", "1", "#EXTINF:0,", "#EXT-X-BYTERANGE:7@0", "b.mp4", "#EXTINF:2,", "2"],
        ),
    ],
)
def test_initialization_segments_after_the_first_become_media_segments(lines: list[str], inlined: list[str]) -> None:
    assert inline_initialization("\n".join([*lines, ""])) == "\n".join([*inlined, ""])


def test_fetch_follows_redirect(fetch: Fetch, site: Site, clip: bytes) -> None:
    result = fetch(site.redirect("/s", site.put("/v.mp4", clip, kind="video/mp4")))
    assert result.media is not None
    assert result.media.read_bytes() == clip


def test_fetch_list_with_one_entry_returns_its_video(fetch: Fetch, site: Site, clip: bytes) -> None:
    site.put("/v.mp4", clip, kind="video/mp4")
    item = f"<item><title>Only one</title><enclosure url='{site.url('/v.mp4')}'/></item>"
    result = fetch(site.put("/feed", f"<rss><channel><title>All</title>{item}</channel></rss>", kind="text/xml"))
    assert result.media is not None
    assert result.video.title == "Only one"


def test_fetch_with_unreadable_thumbnail_returns_video(fetch: Fetch, site: Site, clip: bytes) -> None:
    """A thumbnail that is missing or not a picture is left out."""
    site.put("/v.mp4", clip, kind="video/mp4")
    site.put("/t.jpg", "no picture", kind="image/jpeg")
    for picture in ("/gone.jpg", "/t.jpg"):
        result = fetch(
            site.put("/watch", html_page(open_graph_tags(video=site.url("/v.mp4"), image=site.url(picture))))
        )
        assert result.media is not None
        assert result.thumbnail is None


def test_fetch_local_file_returns_its_path(fetch: Fetch, tmp_path: Path, clip: bytes) -> None:
    """An operator's file is not copied, and its name is the title."""
    file = tmp_path / "my_red-car.mp4"
    file.write_bytes(clip)
    result = fetch(file.as_uri())
    assert (result.media, result.video.title) == (file, "my red car")


def test_fetch_reports_progress(site: Site, tmp_path: Path) -> None:
    """The share of the bytes rises from 0 to 1, with the stage `fetch`."""
    reports: list[tuple[str, float]] = []
    fetcher = YtDlpFetcher(7200, 10**8, 60, 1024**3, allow_networks=(LOOPBACK,))
    fetcher.fetch(
        site.put("/v.mp4", b"\0" * 4_000_000, kind="video/mp4"),
        tmp_path,
        lambda stage, share: reports.append((stage, share)),
    )
    shares = [share for _, share in reports]
    assert {stage for stage, _ in reports} == {"fetch"}
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert len(shares) > 4


# ---- metadata only ----


@pytest.mark.parametrize(("status", "code"), [(429, "blocked"), (401, "private")])
def test_blocked_video_returns_page_metadata_and_error_code(fetch: Fetch, site: Site, status: int, code: str) -> None:
    """If only the video is unreadable, title, description, thumbnail and the error code are returned."""
    site.put("/v.mp4", b"", status=status)
    site.put("/t.jpg", media.encode_jpeg(), kind="image/jpeg")
    tags = open_graph_tags(title="A talk", description="About dogs", video=site.url("/v.mp4"), image=site.url("/t.jpg"))
    result = fetch(site.put("/watch", html_page(tags)))
    assert (result.media, result.media_error_code) == (None, code)
    assert (result.video.title, result.video.description) == ("A talk", "About dogs")
    assert result.thumbnail is not None


def test_blocked_manifest_returns_page_metadata(fetch: Fetch, site: Site) -> None:
    """Metadata is returned even if no format can be read."""
    site.put("/v.m3u8", b"", status=403)
    video = '<video><source src="/v.m3u8" type="application/x-mpegURL"></video>'
    result = fetch(
        site.put("/watch", html_page(open_graph_tags(title="A talk", description="About dogs"), video, title="A talk"))
    )
    assert (result.media, result.media_error_code, result.video.title) == (None, "blocked", "A talk")


def test_blocked_page_raises_blocked_error(fetch: Fetch, site: Site) -> None:
    """A page that is blocked itself has no metadata, whatever its error page contains."""
    with pytest.raises(BlockedVideoError):
        fetch(site.put("/watch", html_page(open_graph_tags(title="Denied")), status=403))


@pytest.fixture
def ydl(tmp_path: Path) -> Iterator[YoutubeDL]:
    """Return yt-dlp with the options of the child, in this process."""
    request = {"folder": str(tmp_path), "cookies_file": None, "proxy": None}
    with YoutubeDL(ydl_session.build_ydl_options(request, None, ydl_session.YtDlpLogger())) as opened:
        yield opened


def test_read_page_metadata_reads_open_graph(ydl: YoutubeDL, site: Site) -> None:
    """Open Graph tags give title, description and thumbnail. A page without a title has no metadata."""
    tags = open_graph_tags(title="A &amp; B", description="Dogs", image="https://x.example/t.jpg")
    metadata = page_metadata.read_page_metadata(ydl, site.put("/watch", html_page(tags)))
    assert metadata == {"title": "A & B", "description": "Dogs", "thumbnails": [{"url": "https://x.example/t.jpg"}]}
    assert page_metadata.read_page_metadata(ydl, site.put("/login", html_page(title="Log in"))) is None
    assert page_metadata.read_page_metadata(ydl, site.put("/denied", html_page(tags), status=403)) is None


def test_read_oembed_returns_title_and_thumbnail(ydl: YoutubeDL, site: Site) -> None:
    body = json.dumps({"title": "A talk", "thumbnail_url": "https://x.example/t.jpg", "author_name": "Someone"})
    metadata = page_metadata.read_oembed(ydl, site.put("/oembed", body, kind="application/json"))
    assert metadata == {"title": "A talk", "thumbnails": [{"url": "https://x.example/t.jpg"}]}


# ---- the operator's settings ----


def test_cookies_file_is_sent_and_not_changed(fetch: Fetch, site: Site, tmp_path: Path, clip: bytes) -> None:
    """Cookies are sent to their site, and the operator's file is never written."""
    seen: list[str | None] = []

    async def answer(request: Any) -> Any:
        seen.append(request.cookies.get("session"))
        return web.Response(body=clip, content_type="video/mp4", headers={"Set-Cookie": "session=new"})

    site.handlers["/v.mp4"] = answer
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t2000000000\tsession\tabc\n")
    before = cookies.read_text()
    fetch(site.url("/v.mp4"), cookies_file=cookies)
    assert seen[0] == "abc"
    assert cookies.read_text() == before


def test_proxy_receives_request_although_its_address_is_private(fetch: Fetch, site: Site) -> None:
    with pytest.raises(VideoNotFoundError):
        fetch("http://video.example/v.mp4", proxy=site.base, allow_networks=(), resolve=lambda host: ["93.184.216.34"])
    assert site.requested_paths == ["/v.mp4"]


def test_fetch_worker_loads_no_heavy_module() -> None:
    """A child starts for each link, so it loads no model, no store and no decoder."""
    code = "import sys, indexer.fetch.fetch_worker; print({'torch', 'qdrant_client', 'av'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


# ---- files that need a token ----


def test_fetch_downloads_the_address_that_was_signed_for_it(fetch: Fetch, site: Site, clip: bytes) -> None:
    """The signature of the link that was sent may have expired; the video keeps its address."""
    link, signed = site.url("/private.mp4"), site.put("/signed.mp4", clip, kind="video/mp4")
    result = fetch(link, sign={link: signed}.__getitem__)
    assert result.media is not None
    assert result.video.link == link


def test_fetch_sends_the_headers_that_authorize_a_download(fetch: Fetch, site: Site, clip: bytes) -> None:
    async def serve(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != "Bearer secret":
            return web.Response(body=b"<html><title>Sign in</title></html>", content_type="text/html")
        return web.Response(body=clip, content_type="video/mp4")

    site.handlers["/private.mp4"] = serve
    link = site.url("/private.mp4")
    result = fetch(link, make_headers=lambda address: {"Authorization": "Bearer secret"} if address == link else {})
    assert result.media is not None
    assert result.media.read_bytes() == clip
    assert "secret" not in repr(result)
    with pytest.raises(SlackFileError) as raised:
        fetch(link, make_headers=lambda address: {"Authorization": "Bearer wrong"})
    assert "wrong" not in str(raised.value)
