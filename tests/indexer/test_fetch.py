"""The fetcher against a real web site on loopback, child process and yt-dlp included."""

import asyncio
import gzip
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import av
import pytest
from aiohttp import web
from PIL import Image
from yt_dlp import YoutubeDL

from indexer import fetching, network
from indexer.errors import (
    AddressRefused,
    Blocked,
    FetchFailed,
    IndexerError,
    LiveStream,
    NoPictures,
    NotALink,
    NotFound,
    NoVideo,
    OutOfTime,
    PlaylistRefused,
    SchemeRefused,
    TooLarge,
    TooLong,
    Unreachable,
)
from indexer.fetch import YtDlpFetcher
from indexer.video import Caption, Fetched
from tests.conftest import free_port
from tests.indexer import media
from tests.indexer.site import Site

LOOPBACK = ip_network("127.0.0.1/32")

Fetch = Callable[..., Fetched]


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    """Fetches a link into a folder of the test, with limits that a test may change."""
    folder = tmp_path / "work"
    folder.mkdir()

    def go(link: str, **changed: Any) -> Fetched:
        limits = {"max_duration_s": 7200.0, "max_bytes": 10**7, "timeout_s": 60.0, "memory_limit_bytes": 1024**3}
        fetcher = YtDlpFetcher(**{**limits, "allow_networks": (LOOPBACK,), **changed})
        return fetcher.fetch(link, folder, lambda stage, share: None)

    return go


@pytest.fixture
def clip(tmp_path: Path) -> bytes:
    return media.video(tmp_path / "clip.mp4").read_bytes()


def page(*tags: str, title: str = "A page") -> str:
    return f"<!doctype html><html><head><title>{title}</title>{''.join(tags)}</head><body>Words.</body></html>"


def og(**properties: str) -> str:
    return "".join(f'<meta property="og:{name}" content="{value}">' for name, value in properties.items())


def linked_data(**properties: object) -> str:
    data = {"@context": "https://schema.org", "@type": "VideoObject", "name": "A video", **properties}
    return f'<script type="application/ld+json">{json.dumps(data)}</script>'


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


# ---- what is refused before anything is fetched ----


@pytest.mark.parametrize(
    ("link", "error"),
    [
        ("hello", NotALink),
        ("ftp://127.0.0.1/a.mp4", SchemeRefused),
        ("http://127.0.0.2/a.mp4", AddressRefused),
        ("http://2130706434/a.mp4", AddressRefused),
        ("http://[::ffff:10.0.0.1]/a.mp4", AddressRefused),
        ("http://169.254.169.254/latest/meta-data", AddressRefused),
        ("https://www.youtube.com/playlist?list=PL1", PlaylistRefused),
    ],
)
def test_a_bad_link_starts_nothing(fetch: Fetch, tmp_path: Path, link: str, error: type[IndexerError]) -> None:
    """What the link alone shows is refused before a child is started."""
    with pytest.raises(error):
        fetch(link)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_name_that_leads_inside_is_refused(fetch: Fetch) -> None:
    """A public name with a private address is refused by that address."""
    with pytest.raises(AddressRefused):
        fetch("https://inner.example/a.mp4", resolve=lambda host: ["8.8.8.8", "10.0.0.1"])


# ---- what is refused at the connection ----


def test_a_redirect_to_a_private_address_is_refused(fetch: Fetch, site: Site) -> None:
    """The connection that is really made is looked at, not only the link."""
    inside = site.base.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(AddressRefused):
        fetch(site.redirect("/s", f"{inside}/secret.mp4"))
    assert "/secret.mp4" not in site.asked


def test_a_name_that_changes_its_address_is_refused(fetch: Fetch, site: Site) -> None:
    """Public when it was looked at, private when it is used (DNS rebinding): refused."""
    site.put("/a.mp4", b"x", kind="video/mp4")
    link = site.url("/a.mp4").replace("127.0.0.1", "localhost")
    with pytest.raises(AddressRefused):
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
    with pytest.raises(AddressRefused):
        fetch(link)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "/etc/passwd"])
def test_a_manifest_never_reads_a_file_of_this_machine(fetch: Fetch, site: Site, target: str) -> None:
    """A stream made of `file://` addresses is not put together."""
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n"
    with pytest.raises(FetchFailed):
        fetch(site.put("/v.m3u8", playlist, kind="application/vnd.apple.mpegurl"))


# ---- what the site does not have ----


def test_a_page_that_is_gone_is_told(fetch: Fetch, site: Site) -> None:
    """404 and 410 are: not found."""
    for status in (404, 410):
        with pytest.raises(NotFound):
            fetch(site.put("/gone", page(), status=status))


def test_a_page_without_a_video_is_told(fetch: Fetch, site: Site) -> None:
    """HTML that shows no video is its own failure, also with OpenGraph words."""
    with pytest.raises(NoVideo):
        fetch(site.put("/article", page(og(title="News", description="No video here"))))


def test_an_empty_list_has_no_video(fetch: Fetch, site: Site) -> None:
    """A feed without entries is no playlist to crawl."""
    with pytest.raises(NoVideo):
        fetch(site.put("/feed", "<rss><channel><title>All</title></channel></rss>", kind="text/xml"))


def test_a_site_that_fails_may_be_asked_again(fetch: Fetch, site: Site) -> None:
    """A 503 and a closed port are transient."""
    with pytest.raises(Unreachable):
        fetch(site.put("/busy", page(), status=503))
    with pytest.raises(Unreachable):
        fetch(f"http://127.0.0.1:{free_port()}/a.mp4")


def test_sound_only_has_no_pictures(fetch: Fetch, site: Site) -> None:
    """A site that offers audio is told so before anything is downloaded."""
    with pytest.raises(NoPictures):
        fetch(site.put("/song.mp3", b"ID3", kind="audio/mpeg"))


def test_several_videos_are_a_playlist(fetch: Fetch, site: Site, clip: bytes) -> None:
    """A page that plays more than one video does not say which is meant."""
    for name in ("a", "b", "c"):
        site.put(f"/{name}.mp4", clip, kind="video/mp4")
    videos = "".join(f'<video src="/{name}.mp4"></video>' for name in "abc")
    with pytest.raises(PlaylistRefused):
        fetch(site.put("/watch", page(videos)))


def test_a_live_stream_is_refused(fetch: Fetch, site: Site) -> None:
    """A stream that has no end yet is no video."""
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2,\na.ts\n"
    with pytest.raises(LiveStream):
        fetch(site.put("/live.m3u8", playlist, kind="application/vnd.apple.mpegurl"))


# ---- limits ----


def test_a_three_hour_video_is_refused(fetch: Fetch, site: Site) -> None:
    """What the site tells of the duration is enough; the video is not downloaded."""
    tags = linked_data(duration="PT3H", contentUrl=site.stream("/v.mp4", endless))
    with pytest.raises(TooLong):
        fetch(site.put("/watch", page(tags)))


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"\0" * 65536


def test_a_twenty_gigabyte_video_is_refused(fetch: Fetch, site: Site) -> None:
    """A length over the limit is refused when it is told, not when it has arrived."""
    with pytest.raises(TooLarge):
        fetch(site.stream("/v.mp4", endless, length=20 * 10**9))


def test_a_video_that_tells_no_length_is_counted(fetch: Fetch, site: Site, tmp_path: Path) -> None:
    """Chunks without end are cut off at the limit."""
    with pytest.raises(TooLarge):
        fetch(site.stream("/v.mp4", endless), max_bytes=300_000)
    assert sum(file.stat().st_size for file in (tmp_path / "work").rglob("*") if file.is_file()) < 3_000_000


def test_many_segments_are_counted_together(fetch: Fetch, site: Site) -> None:
    """A stream of small pieces has the same limit as a file."""
    site.put("/s.ts", b"\0" * 100_000, kind="video/mp2t")
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n" + "#EXTINF:2,\ns.ts\n" * 50 + "#EXT-X-ENDLIST\n"
    with pytest.raises(TooLarge):
        fetch(site.put("/v.m3u8", playlist, kind="application/vnd.apple.mpegurl"), max_bytes=400_000)
    assert site.asked.count("/s.ts") < 10


def test_a_slow_site_is_timed_out(fetch: Fetch, site: Site) -> None:
    """A body that drips is stopped when the time is up, and not tried again at once."""

    async def drip() -> AsyncIterator[bytes]:
        yield b"\0"
        await asyncio.Event().wait()

    with pytest.raises(OutOfTime) as raised:
        fetch(site.stream("/v.mp4", drip, length=1000), timeout_s=4)
    assert not raised.value.transient


def test_a_page_that_unpacks_to_gigabytes_is_stopped(fetch: Fetch, site: Site) -> None:
    """A decompression bomb ends at the memory limit of the child."""
    bomb = gzip.compress(b"<!doctype html>" + b" " * 400_000_000, 1)

    async def answer(request: Any) -> Any:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "text/html"})

    site.answers["/bomb"] = answer
    with pytest.raises(FetchFailed):
        fetch(site.url("/bomb"), memory_limit_bytes=256 * 1024**2)


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
    with pytest.raises(Blocked):
        fetch(site.put("/watch", page(og(title="Denied")), status=403))


@pytest.fixture
def ydl(tmp_path: Path) -> Iterator[YoutubeDL]:
    """yt-dlp as the child has it, in this process."""
    request = {"folder": str(tmp_path), "cookies_file": None, "proxy": None}
    with YoutubeDL(fetching.options(request, None, fetching.Listener())) as opened:
        yield opened


def test_a_page_tells_of_its_video(ydl: YoutubeDL, site: Site) -> None:
    """OpenGraph gives title, description and picture; a page without a title tells nothing."""
    tags = og(title="A &amp; B", description="Dogs", image="https://x.example/t.jpg")
    told = fetching.told_by_page(ydl, site.put("/watch", page(tags)))
    assert told == {"title": "A & B", "description": "Dogs", "thumbnails": [{"url": "https://x.example/t.jpg"}]}
    assert fetching.told_by_page(ydl, site.put("/login", page(title="Log in"))) is None
    assert fetching.told_by_page(ydl, site.put("/denied", page(tags), status=403)) is None


def test_oembed_tells_of_a_video(ydl: YoutubeDL, site: Site) -> None:
    """Where a site keeps its page from servers, its oEmbed answer stands in."""
    body = json.dumps({"title": "A talk", "thumbnail_url": "https://x.example/t.jpg", "author_name": "Someone"})
    told = fetching.from_oembed(ydl, site.put("/oembed", body, kind="application/json"))
    assert told == {"title": "A talk", "thumbnails": [{"url": "https://x.example/t.jpg"}]}


def test_only_connections_that_python_makes_are_used(ydl: YoutubeDL) -> None:
    """A handler in native code would go past the guard; those that are left have all been looked at."""
    network.keep_to_python(ydl)
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
    with pytest.raises(NotFound):
        fetch("http://video.example/v.mp4", proxy=site.base, allow_networks=(), resolve=lambda host: ["93.184.216.34"])
    assert site.asked == ["/v.mp4"]


def test_the_fetchers_child_loads_nothing_heavy() -> None:
    """A child starts for each link: no model, no store and no decoder come along."""
    code = "import sys, indexer.fetching; print({'torch', 'qdrant_client', 'av'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
