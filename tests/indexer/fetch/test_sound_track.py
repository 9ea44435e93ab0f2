"""Which separate sound track is fetched in addition to pictures without sound."""

from typing import Any

import pytest

from indexer.fetch.sound_track import choose_sound_track
from tests.support.indexer.fetch import Fetch
from tests.support.indexer.pages import M3U8, hls_playlist
from tests.support.servers.site import Site


def make_track(name: str, **fields: Any) -> dict[str, Any]:
    return {"format_id": name, "url": f"https://x/{name}", "vcodec": "none", "acodec": "opus", **fields}


SMALL, MIDDLE, LARGE = make_track("small", abr=30), make_track("middle", abr=62), make_track("large", abr=160)
PICTURES = {"format_id": "pictures", "url": "https://x/p", "vcodec": "h264", "acodec": "none"}


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ([SMALL, LARGE, MIDDLE, PICTURES], "middle"),
        ([make_track("unknown", abr=None), LARGE], "unknown"),
        ([MIDDLE, make_track("original", abr=160, language_preference=10)], "original"),
        ([make_track("locked", abr=64, has_drm=True), LARGE], "large"),
    ],
    ids=["nearest to 64 kbit/s", "without a bit rate", "the site's language", "no protected track"],
)
def test_track_is_chosen(formats: list[dict[str, Any]], expected: str) -> None:
    chosen = choose_sound_track({**PICTURES, "formats": formats})
    assert chosen is not None
    assert chosen["format_id"] == expected


@pytest.mark.parametrize(
    "info",
    [{**PICTURES, "acodec": "aac", "formats": [MIDDLE]}, {**PICTURES, "acodec": None}, {**PICTURES, "formats": None}],
)
def test_no_track_is_chosen_without_need_or_offer(info: dict[str, Any]) -> None:
    """A file that has, or may have, sound needs no second one."""
    assert choose_sound_track(info) is None


def test_fetch_takes_separate_sound_of_a_stream_as_second_file(fetch: Fetch, site: Site, clip: bytes) -> None:
    result = fetch(put_stream(site, clip, sound=b"sound of the stream"))
    assert result.sound is not None
    assert result.sound.read_bytes() == b"sound of the stream"
    assert result.media is not None
    assert result.media.read_bytes() == clip


def test_fetch_without_sound_that_is_refused_returns_pictures(fetch: Fetch, site: Site, clip: bytes) -> None:
    """The same without `wants_sound`."""
    link = put_stream(site, clip, sound=b"")
    site.put("/sound.ts", b"", status=403)
    for result in (fetch(link), fetch(link, wants_sound=False)):
        assert result.media is not None
        assert result.sound is None


def put_stream(site: Site, clip: bytes, sound: bytes) -> str:
    """Serve an HLS stream whose sound is a rendition of its own. Returns its link."""
    site.put("/pictures.ts", clip, kind="video/mp2t")
    site.put("/sound.ts", sound, kind="video/mp2t")
    for name in ("pictures", "sound"):
        site.put(f"/{name}.m3u8", hls_playlist(f"#EXTINF:2,\n{name}.ts"), kind=M3U8)
    lines = [
        "#EXTM3U",
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",LANGUAGE="en",DEFAULT=YES,URI="sound.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=360000,RESOLUTION=640x360,CODECS="avc1.4d401e,mp4a.40.2",AUDIO="a"',
        "pictures.m3u8",
    ]
    return site.put("/all.m3u8", "\n".join(lines), kind=M3U8)
