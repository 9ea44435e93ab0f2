"""What unpacks to gigabytes, comes in countless pieces or never ends is ended."""

import gzip
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from yt_dlp import YoutubeDL
from yt_dlp.networking.exceptions import HTTPError

from indexer.errors import TooLargeError
from indexer.fetch import fetch_worker, ytdlp_internals
from tests.support import media
from tests.support.concurrent_fetches import LIMITS, fetched, request
from tests.support.pages import M3U8, hls, og, page
from tests.support.site import Site


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"<p>" * 32768


def gzipped(site: Site, path: str, kind: str, beginning: bytes) -> str:
    """Serves 100 MB in half a megabyte."""
    bomb = gzip.compress(beginning + b" " * 100_000_000, 1)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip", "Content-Type": kind})

    site.answers[path] = answer
    return site.url(path)


def chunked(site: Site, path: str) -> str:
    """Serves a page that never ends."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html"})
        await response.prepare(request)
        async for part in endless():
            await response.write(part)
        return response

    site.answers[path] = answer
    return site.url(path)


def test_what_never_ends_is_ended(site: Site, clip: bytes, tmp_path: Path) -> None:
    """Pages, manifests, redirects and refreshes without end are cut off by what really arrived, not by memory."""
    site.put("/v.mp4", clip, kind="video/mp4")
    links = {
        "page": chunked(site, "/endless"),
        "packed page": gzipped(site, "/page.gz", "text/html", b"<!doctype html>"),
        "packed manifest": gzipped(site, "/a.m3u8", M3U8, b"#EXTM3U\n"),
        "redirects": site.redirect("/loop", site.url("/loop")),
        "refreshes": site.put("/again", page('<meta http-equiv="refresh" content="0; url=/again">')),
        "numbers": site.put("/nan.m3u8", hls("#EXTINF:nan,", "/v.mp4"), kind=M3U8),
    }
    requests = [request(link, tmp_path / str(number)) for number, link in enumerate(links.values())]
    ended = dict(zip(links, fetched(requests, tmp_path, replace(LIMITS, memory_bytes=512 * 1024**2)), strict=True))
    assert {name: ended[name]["error"] for name in ("page", "packed page", "packed manifest")} == {
        "page": "TooLargeError",
        "packed page": "TooLargeError",
        "packed manifest": "TooLargeError",
    }
    assert all("error" in each for each in ended.values())


def test_a_bomb_beside_a_video_costs_only_itself(site: Site, clip: bytes, tmp_path: Path) -> None:
    """A picture or subtitles that unpack to hundreds of megabytes are left out; the video comes."""
    site.put("/v.mp4", clip, kind="video/mp4")
    site.put("/t.png", media.huge_png(tmp_path / "t.png", 12_000).read_bytes(), kind="image/png")
    packed = gzipped(site, "/en.vtt", "text/vtt", b"WEBVTT\n\n")
    track = '<video src="/v.mp4"><track kind="subtitles" srclang="en" src="{}"></video>'
    links = [
        site.put("/picture", page(og(video=site.url("/v.mp4"), image=site.url("/t.png")))),
        site.put("/packed", page(body=track.format(packed))),
        site.put("/endless", page(body=track.format(site.stream("/e.vtt", endless)))),
    ]
    limits = replace(LIMITS, memory_bytes=384 * 1024**2)
    ended = fetched([request(link, tmp_path / str(number)) for number, link in enumerate(links)], tmp_path, limits)
    assert [(each.get("media"), each["thumbnail"], each["speech"]) for each in ended] == [("media", None, [])] * 3
    assert all(file.stat().st_size <= 13 * 1024**2 for file in tmp_path.rglob("*") if file.is_file())


def test_many_pieces_never_lie_about(site: Site, tmp_path: Path) -> None:
    """Of a stream of hundreds of pieces, a few files exist at any time."""
    most = 0

    async def piece(request: web.Request) -> web.Response:
        nonlocal most
        most = max(most, len(list((tmp_path / "a").iterdir())))
        return web.Response(body=b"\0" * 100, content_type="video/mp2t")

    site.answers["/s.ts"] = piece
    link = site.put("/v.m3u8", hls(*(["#EXTINF:2,", "s.ts"] * 200)), kind=M3U8)
    (ended,) = fetched([request(link, tmp_path / "a")], tmp_path)
    assert ended["media"] == "media"
    assert site.asked.count("/s.ts") == 200
    assert most <= 4


@pytest.fixture
def ydl(tmp_path: Path) -> Iterator[YoutubeDL]:
    """yt-dlp as the child has it, in this process."""
    with YoutubeDL(fetch_worker.build_ydl_options(request("", tmp_path), None, fetch_worker.YtDlpLogger())) as opened:
        yield opened


def test_requests_are_counted(site: Site, ydl: YoutubeDL, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest of a million pieces neither keeps us busy for ever nor makes us a nuisance to whom it names."""
    monkeypatch.setattr(ytdlp_internals, "MAX_REQUESTS", 20)
    address = site.put("/s.ts", b"x")
    ytdlp_internals.limit_traffic(ydl, 10**7)
    for _ in range(20):
        ydl.urlopen(address).read()
    with pytest.raises(TooLargeError):
        ydl.urlopen(address)
    assert len(site.asked) == 20


def test_bytes_are_counted_over_all_answers(site: Site, ydl: YoutubeDL, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many answers they come in, and those of refusals too."""
    monkeypatch.setattr(ytdlp_internals, "_BYTES_BESIDE_MEDIA", 0)
    address, refusal = site.put("/s.ts", b"x" * 50_000), site.put("/gone", b"x", status=404)
    ytdlp_internals.limit_traffic(ydl, 120_000)
    assert [len(ydl.urlopen(address).read()) for _ in range(2)] == [50_000] * 2
    with pytest.raises(TooLargeError):
        ydl.urlopen(address).read()
    with pytest.raises(HTTPError) as refused:
        ydl.urlopen(refusal)
    with pytest.raises(TooLargeError):
        refused.value.response.read()
