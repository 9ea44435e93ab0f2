"""Tests of traffic limits: decompression bombs, countless segments and endless responses are cut off."""

import gzip
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from yt_dlp import YoutubeDL
from yt_dlp.networking.exceptions import HTTPError

from indexer.errors import TooLargeError
from indexer.fetch import ydl_session, ytdlp_internals
from tests.support.indexer import media
from tests.support.indexer.concurrent_fetches import LIMITS, build_request, fetch_all
from tests.support.indexer.pages import M3U8, hls_playlist, html_page, open_graph_tags
from tests.support.servers.site import Site


async def stream_endlessly() -> AsyncIterator[bytes]:
    while True:
        yield b"<p>" * 32768


def serve_gzip_bomb(site: Site, path: str, kind: str, beginning: bytes) -> str:
    """Serve 100 MB as half a megabyte of gzip."""
    bomb = gzip.compress(beginning + b" " * 100_000_000, 1)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip", "Content-Type": kind})

    site.handlers[path] = answer
    return site.url(path)


def serve_endless_page(site: Site, path: str) -> str:
    """Serve a page that never ends."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html"})
        await response.prepare(request)
        async for part in stream_endlessly():
            await response.write(part)
        return response

    site.handlers[path] = answer
    return site.url(path)


def test_endless_response_is_refused(site: Site, clip: bytes, tmp_path: Path) -> None:
    """Endless pages, manifests, redirects and refreshes are cut off by the bytes that arrived."""
    site.put("/v.mp4", clip, kind="video/mp4")
    links = {
        "page": serve_endless_page(site, "/endless"),
        "packed page": serve_gzip_bomb(site, "/page.gz", "text/html", b"<!doctype html>"),
        "packed manifest": serve_gzip_bomb(site, "/a.m3u8", M3U8, b"#EXTM3U\n"),
        "redirects": site.redirect("/loop", site.url("/loop")),
        "refreshes": site.put("/again", html_page('<meta http-equiv="refresh" content="0; url=/again">')),
        "numbers": site.put("/nan.m3u8", hls_playlist("#EXTINF:nan,", "/v.mp4"), kind=M3U8),
    }
    requests = [build_request(link, tmp_path / str(number)) for number, link in enumerate(links.values())]
    responses = dict(
        zip(links, fetch_all(requests, tmp_path, replace(LIMITS, memory_bytes=512 * 1024**2)), strict=True)
    )
    assert {name: responses[name]["error"] for name in ("page", "packed page", "packed manifest")} == {
        "page": "TooLargeError",
        "packed page": "TooLargeError",
        "packed manifest": "TooLargeError",
    }
    assert all("error" in each for each in responses.values())


def test_decompression_bomb_in_thumbnail_or_subtitles_is_left_out(site: Site, clip: bytes, tmp_path: Path) -> None:
    """A picture or subtitles that unpack to hundreds of megabytes are left out; the video is fetched."""
    site.put("/v.mp4", clip, kind="video/mp4")
    site.put("/t.png", media.write_decompression_bomb(tmp_path / "t.png", 12_000).read_bytes(), kind="image/png")
    packed = serve_gzip_bomb(site, "/en.vtt", "text/vtt", b"WEBVTT\n\n")
    track = '<video src="/v.mp4"><track kind="subtitles" srclang="en" src="{}"></video>'
    links = [
        site.put("/picture", html_page(open_graph_tags(video=site.url("/v.mp4"), image=site.url("/t.png")))),
        site.put("/packed", html_page(body=track.format(packed))),
        site.put("/endless", html_page(body=track.format(site.stream("/e.vtt", stream_endlessly)))),
    ]
    limits = replace(LIMITS, memory_bytes=384 * 1024**2)
    responses = fetch_all(
        [build_request(link, tmp_path / str(number)) for number, link in enumerate(links)], tmp_path, limits
    )
    assert [(each.get("media"), each["thumbnail"], each["speech"]) for each in responses] == [("media", None, [])] * 3
    assert all(file.stat().st_size <= 13 * 1024**2 for file in tmp_path.rglob("*") if file.is_file())


def test_segments_are_deleted_while_downloading(site: Site, tmp_path: Path) -> None:
    """Of a stream of hundreds of segments, only a few files exist at any time."""
    max_files = 0

    async def serve_segment(request: web.Request) -> web.Response:
        nonlocal max_files
        max_files = max(max_files, len(list((tmp_path / "a").iterdir())))
        return web.Response(body=b"\0" * 100, content_type="video/mp2t")

    site.handlers["/s.ts"] = serve_segment
    link = site.put("/v.m3u8", hls_playlist(*(["#EXTINF:2,", "s.ts"] * 200)), kind=M3U8)
    (response,) = fetch_all([build_request(link, tmp_path / "a")], tmp_path)
    assert response["media"] == "media"
    assert site.requested_paths.count("/s.ts") == 200
    assert max_files <= 4


@pytest.fixture
def ydl(tmp_path: Path) -> Iterator[YoutubeDL]:
    """Return yt-dlp with the options of the child, in this process."""
    with YoutubeDL(
        ydl_session.build_ydl_options(build_request("", tmp_path), None, ydl_session.YtDlpLogger())
    ) as opened:
        yield opened


def test_limit_traffic_limits_number_of_requests(site: Site, ydl: YoutubeDL) -> None:
    """A manifest of a million segments occupies us no longer, and sends no more requests to a third party."""
    address = site.put("/s.ts", b"x")
    ytdlp_internals.limit_traffic(ydl, 10**7, max_requests=20)
    for _ in range(20):
        ydl.urlopen(address).read()
    with pytest.raises(TooLargeError):
        ydl.urlopen(address)
    assert len(site.requested_paths) == 20


def test_limit_traffic_limits_bytes_of_all_responses(site: Site, ydl: YoutubeDL) -> None:
    """Responses with an error status count, too."""
    address, refusal = site.put("/s.ts", b"x" * 50_000), site.put("/gone", b"x", status=404)
    ytdlp_internals.limit_traffic(ydl, 120_000)
    assert [len(ydl.urlopen(address).read()) for _ in range(2)] == [50_000] * 2
    with pytest.raises(TooLargeError):
        ydl.urlopen(address).read()
    with pytest.raises(HTTPError) as raised:
        ydl.urlopen(refusal)
    with pytest.raises(TooLargeError):
        raised.value.response.read()
