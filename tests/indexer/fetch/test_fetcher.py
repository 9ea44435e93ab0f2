"""The fetcher against a real web site on loopback, child process and yt-dlp included."""

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

from indexer.errors import (
    BlockedVideoError,
    VideoNotFoundError,
)
from indexer.fetch import fetch_worker, ytdlp_internals
from indexer.fetch.fetcher import YtDlpFetcher
from indexer.types import Caption
from tests.indexer.conftest import LOOPBACK, Fetch
from tests.support import media
from tests.support.pages import linked_data, og, page
from tests.support.site import Site

# ---- what can be had ----


def test_a_direct_file_comes_as_it_is(fetch: Fetch, site: Site, clip: bytes) -> None:
    """A file's bytes arrive whole; its name is its title."""
    fetched = fetch(site.put("/snow_dog%20run.mp4?utm_source=chat", clip, kind="video/mp4"))
    assert fetched.media is not None
    assert fetched.media.read_bytes() == clip
    assert fetched.video.title == "snow dog run"
    assert fetched.video.link == site.url("/snow_dog%20run.mp4")
    assert fetched.missing is None


def test_a_page_gives_its_words_and_its_thumbnail(fetch: Fetch, site: Site, clip: bytes) -> None:
    """Title (emoji and all), description, date and picture come along with a page's video."""
    site.put("/v.mp4", clip, kind="video/mp4")
    site.put("/t.jpg", media.jpeg((1600, 900)), kind="image/jpeg")
    tags = linked_data(
        name="Goal! ⚽🎉",
        description="From the halfway line",
        uploadDate="2024-05-06T07:08:09Z",
        duration="PT2S",
        contentUrl=site.url("/v.mp4"),
        thumbnailUrl=site.url("/t.jpg"),
    )
    fetched = fetch(site.put("/watch", page(tags)))
    assert (fetched.video.title, fetched.video.description) == ("Goal! ⚽🎉", "From the halfway line")
    assert (fetched.video.published, fetched.video.duration_s) == ("2024-05-06", 2)
    assert fetched.media is not None
    assert fetched.media.read_bytes() == clip
    assert fetched.thumbnail is not None
    with Image.open(fetched.thumbnail) as picture:
        assert (picture.format, picture.size) == ("JPEG", (640, 360))


@pytest.mark.parametrize(("offered", "taken"), [((240, 360, 1080), 360), ((144, 480, 1080), 480), ((144,), 144)])
def test_the_smallest_serving_format_is_taken(
    fetch: Fetch, site: Site, tmp_path: Path, offered: tuple[int, ...], taken: int
) -> None:
    """Of an adaptive stream, what is nearest to 360 lines comes; too small to see is only what is all there is."""
    lines = ["#EXTM3U"]
    for height in offered:
        segment = media.video(tmp_path / f"{height}.ts", 1, size=(64, height), container="mpegts")
        site.put(f"/{height}.ts", segment.read_bytes(), kind="video/mp2t")
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:1,\n{height}.ts\n#EXT-X-ENDLIST\n"
        site.put(f"/{height}.m3u8", playlist, kind="application/vnd.apple.mpegurl")
        lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={height}000,RESOLUTION={height * 16 // 9}x{height}", f"{height}.m3u8"]
    fetched = fetch(site.put("/all.m3u8", "\n".join(lines), kind="application/vnd.apple.mpegurl"))
    assert fetched.media is not None
    with av.open(str(fetched.media)) as container:
        assert container.streams.video[0].height == taken
    assert fetched.video.duration_s == 1


@pytest.mark.parametrize(
    "dates",
    [{"upload_date": "20240230"}, {"upload_date": "2024"}, {"timestamp": 1714982400000}, {"timestamp": "noon"}],
    ids=["no such day", "a year", "milliseconds", "words"],
)
def test_a_date_that_cannot_be_read_is_none(dates: dict[str, Any]) -> None:
    """A video is not lost over it."""
    assert fetch_worker._words({"title": "Goal", **dates}, {"url": "https://videos.example/goal"})["published"] is None


def test_speech_is_taken_where_it_is_wanted(fetch: Fetch, site: Site, clip: bytes) -> None:
    """Subtitles that people wrote come as captions, with their tags and entities resolved; without speech, none."""
    site.put("/v.mp4", clip, kind="video/mp4")
    site.put("/en.vtt", "WEBVTT\n\n00:00.500 --> 00:01.500\nThe <b>dog</b> &amp; I\nrun\n", kind="text/vtt")
    video = '<video src="/v.mp4"><track kind="subtitles" srclang="en" src="/en.vtt"></video>'
    link = site.put("/watch", page(video))
    assert fetch(link).speech == (Caption(0.5, 1.5, "The dog & I\nrun"),)
    assert fetch(link, speech=False).speech == ()


def test_a_redirect_is_followed(fetch: Fetch, site: Site, clip: bytes) -> None:
    """A short link leads to its video."""
    fetched = fetch(site.redirect("/s", site.put("/v.mp4", clip, kind="video/mp4")))
    assert fetched.media is not None
    assert fetched.media.read_bytes() == clip


def test_a_page_with_one_entry_is_one_video(fetch: Fetch, site: Site, clip: bytes) -> None:
    """A list of one is not refused."""
    site.put("/v.mp4", clip, kind="video/mp4")
    item = f"<item><title>Only one</title><enclosure url='{site.url('/v.mp4')}'/></item>"
    fetched = fetch(site.put("/feed", f"<rss><channel><title>All</title>{item}</channel></rss>", kind="text/xml"))
    assert fetched.media is not None
    assert fetched.video.title == "Only one"


def test_a_missing_thumbnail_fails_nothing(fetch: Fetch, site: Site, clip: bytes) -> None:
    """A picture that is gone, or is none, costs only the picture."""
    site.put("/v.mp4", clip, kind="video/mp4")
    site.put("/t.jpg", "no picture", kind="image/jpeg")
    for picture in ("/gone.jpg", "/t.jpg"):
        fetched = fetch(site.put("/watch", page(og(video=site.url("/v.mp4"), image=site.url(picture)))))
        assert fetched.media is not None
        assert fetched.thumbnail is None


def test_a_local_file_stays_where_it_is(fetch: Fetch, tmp_path: Path, clip: bytes) -> None:
    """The operator's own file is not copied; its name is its title."""
    file = tmp_path / "my_red-car.mp4"
    file.write_bytes(clip)
    fetched = fetch(file.as_uri())
    assert (fetched.media, fetched.video.title) == (file, "my red car")


def test_progress_is_told(site: Site, tmp_path: Path) -> None:
    """The share of the bytes rises from 0 to 1 under the stage's own name."""
    told: list[tuple[str, float]] = []
    fetcher = YtDlpFetcher(7200, 10**8, 60, 1024**3, allow_networks=(LOOPBACK,))
    fetcher.fetch(
        site.put("/v.mp4", b"\0" * 4_000_000, kind="video/mp4"),
        tmp_path,
        lambda stage, share: told.append((stage, share)),
    )
    shares = [share for _, share in told]
    assert {stage for stage, _ in told} == {"fetch"}
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert len(shares) > 4


# ---- words only ----


@pytest.mark.parametrize(("status", "code"), [(429, "blocked"), (401, "private")])
def test_words_stand_in_for_a_video_that_is_refused(fetch: Fetch, site: Site, status: int, code: str) -> None:
    """The page could be read but its video could not: title, description and thumbnail come, and why."""
    site.put("/v.mp4", b"", status=status)
    site.put("/t.jpg", media.jpeg(), kind="image/jpeg")
    tags = og(title="A talk", description="About dogs", video=site.url("/v.mp4"), image=site.url("/t.jpg"))
    fetched = fetch(site.put("/watch", page(tags)))
    assert (fetched.media, fetched.missing) == (None, code)
    assert (fetched.video.title, fetched.video.description) == ("A talk", "About dogs")
    assert fetched.thumbnail is not None


def test_a_refused_manifest_leaves_the_words(fetch: Fetch, site: Site) -> None:
    """Where not even the formats can be read, the page's own words still are."""
    site.put("/v.m3u8", b"", status=403)
    video = '<video><source src="/v.m3u8" type="application/x-mpegURL"></video>'
    fetched = fetch(site.put("/watch", page(og(title="A talk", description="About dogs"), video, title="A talk")))
    assert (fetched.media, fetched.missing, fetched.video.title) == (None, "blocked", "A talk")


def test_without_words_a_refusal_is_a_failure(fetch: Fetch, site: Site) -> None:
    """A page that refuses itself gives nothing to index, whatever its refusal says."""
    with pytest.raises(BlockedVideoError):
        fetch(site.put("/watch", page(og(title="Denied")), status=403))


@pytest.fixture
def ydl(tmp_path: Path) -> Iterator[YoutubeDL]:
    """yt-dlp as the child has it, in this process."""
    request = {"folder": str(tmp_path), "cookies_file": None, "proxy": None}
    with YoutubeDL(fetch_worker.build_ydl_options(request, None, fetch_worker.YtDlpLogger())) as opened:
        yield opened


def test_a_page_tells_of_its_video(ydl: YoutubeDL, site: Site) -> None:
    """OpenGraph gives title, description and picture; a page without a title tells nothing."""
    tags = og(title="A &amp; B", description="Dogs", image="https://x.example/t.jpg")
    told = fetch_worker.page_metadata(ydl, site.put("/watch", page(tags)))
    assert told == {"title": "A & B", "description": "Dogs", "thumbnails": [{"url": "https://x.example/t.jpg"}]}
    assert fetch_worker.page_metadata(ydl, site.put("/login", page(title="Log in"))) is None
    assert fetch_worker.page_metadata(ydl, site.put("/denied", page(tags), status=403)) is None


def test_oembed_tells_of_a_video(ydl: YoutubeDL, site: Site) -> None:
    """Where a site keeps its page from servers, its oEmbed answer stands in."""
    body = json.dumps({"title": "A talk", "thumbnail_url": "https://x.example/t.jpg", "author_name": "Someone"})
    told = fetch_worker.metadata_from_oembed(ydl, site.put("/oembed", body, kind="application/json"))
    assert told == {"title": "A talk", "thumbnails": [{"url": "https://x.example/t.jpg"}]}


def test_only_connections_that_python_makes_are_used(ydl: YoutubeDL) -> None:
    """A handler in native code would go past the guard; those that are left have all been looked at."""
    ytdlp_internals.disable_native_transports(ydl)
    assert {*ydl._request_director.handlers} <= {"Urllib", "Requests", "Websockets"}
    assert "Urllib" in ydl._request_director.handlers


# ---- the operator's settings ----


def test_cookies_reach_their_site_and_stay_as_they_are(fetch: Fetch, site: Site, tmp_path: Path, clip: bytes) -> None:
    """The cookies file is sent where it belongs, and never written to."""
    seen: list[str | None] = []

    async def answer(request: Any) -> Any:
        seen.append(request.cookies.get("session"))
        return web.Response(body=clip, content_type="video/mp4", headers={"Set-Cookie": "session=new"})

    site.answers["/v.mp4"] = answer
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t2000000000\tsession\tabc\n")
    before = cookies.read_text()
    fetch(site.url("/v.mp4"), cookies_file=cookies)
    assert seen[0] == "abc"
    assert cookies.read_text() == before


def test_a_proxy_gets_all_requests(fetch: Fetch, site: Site) -> None:
    """With a proxy set, a site is reached through it, though the proxy's own address is private."""
    with pytest.raises(VideoNotFoundError):
        fetch("http://video.example/v.mp4", proxy=site.base, allow_networks=(), resolve=lambda host: ["93.184.216.34"])
    assert site.asked == ["/v.mp4"]


def test_the_fetchers_child_loads_nothing_heavy() -> None:
    """A child starts for each link: no model, no store and no decoder come along."""
    code = "import sys, indexer.fetch.fetch_worker; print({'torch', 'qdrant_client', 'av'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
