"""Tests of canonical links: one id for all forms of a link, and an error for each kind of invalid link."""

from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import LinkRefusedError, NotALinkError, PlaylistRefusedError, SchemeRefusedError
from indexer.link.canonical import canonicalize, file_url_to_path, link_to_local_file, link_to_second

VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"

YOUTUBE = [
    VIDEO,
    "http://youtube.com/watch?v=dQw4w9WgXcQ",
    "https://m.youtube.com/watch?v=dQw4w9WgXcQ&feature=share",
    "https://music.youtube.com/watch?v=dQw4w9WgXcQ&list=RDAMVM1",
    "https://www.youtube.com/watch?list=PL123&index=4&v=dQw4w9WgXcQ&pp=abc",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=1m3s#t=2",
    "https://www.youtube.com/watch/dQw4w9WgXcQ",
    "youtu.be/dQw4w9WgXcQ",
    "https://youtu.be/dQw4w9WgXcQ?si=Zz0_&t=42",
    "https://www.youtube.com/shorts/dQw4w9WgXcQ?feature=share",
    "https://www.youtube.com/live/dQw4w9WgXcQ?si=a",
    "https://www.youtube.com/embed/dQw4w9WgXcQ?start=3",
    "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
    "https://www.youtube.com/v/dQw4w9WgXcQ",
    "https://www.youtube.com/attribution_link?a=x&u=%2Fwatch%3Fv%3DdQw4w9WgXcQ%26feature%3Dshare",
    "https://www.youtube.com/redirect?event=x&q=https%3A%2F%2Fyoutu.be%2FdQw4w9WgXcQ",
    "<https://youtu.be/dQw4w9WgXcQ>",
    "<https://youtu.be/dQw4w9WgXcQ|a song>",
    '"https://youtu.be/dQw4w9WgXcQ"',
    "  https://youtu.be/dQw4w9WgXcQ\n",
    "HTTPS://YOUTU.BE/dQw4w9WgXcQ",
]


@pytest.mark.parametrize("link", YOUTUBE)
def test_canonicalize_youtube_forms_returns_watch_page(link: str) -> None:
    assert canonicalize(link).url == VIDEO


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("https://vimeo.com/76979871", "https://vimeo.com/76979871"),
        ("https://player.vimeo.com/video/76979871?autoplay=1", "https://vimeo.com/76979871"),
        ("https://vimeo.com/channels/staffpicks/76979871", "https://vimeo.com/76979871"),
        ("https://vimeo.com/76979871/abc123def4", "https://vimeo.com/76979871/abc123def4"),
        ("https://player.vimeo.com/video/76979871?h=abc123def4", "https://vimeo.com/76979871/abc123def4"),
        ("https://clips.twitch.tv/FaintLightGull-x1", "https://clips.twitch.tv/FaintLightGull-x1"),
        ("https://www.twitch.tv/chan/clip/FaintLightGull-x1?sr=a", "https://clips.twitch.tv/FaintLightGull-x1"),
        ("https://clips.twitch.tv/embed?clip=FaintLightGull-x1", "https://clips.twitch.tv/FaintLightGull-x1"),
        ("https://m.twitch.tv/videos/1234?t=1h", "https://www.twitch.tv/videos/1234"),
        ("https://player.twitch.tv/?video=v1234&parent=x", "https://www.twitch.tv/videos/1234"),
        ("https://Example.COM:443/a/./b/../c.mp4#t=3", "https://example.com/a/c.mp4"),
        ("http://example.com:8080/c.mp4", "http://example.com:8080/c.mp4"),
        ("https://odysee.com/@ann:1/a-cat:2?t=75", "https://odysee.com/@ann:1/a-cat:2"),
        ("https://archive.org/details/a-cat.2001?start=75", "https://archive.org/details/a-cat.2001"),
        ("https://example.com/w?b=2&utm_source=x&a=1&fbclid=y", "https://example.com/w?b=2&a=1"),
        ("https://example.com/w?a&b=%2F%20+", "https://example.com/w?a&b=/%20+"),
        ("https://x.com/someone/status/12?s=20&t=Zz", "https://x.com/i/status/12"),
        ("https://example.com/w?s=20&t=3", "https://example.com/w?s=20&t=3"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("example.com/clip.mp4", "https://example.com/clip.mp4"),
    ],
)
def test_canonicalize_removes_trackers_and_fragment(link: str, url: str) -> None:
    """Other sites have one form, too. The rest of the query keeps its order."""
    assert canonicalize(link).url == url


def test_canonicalize_discord_attachment_signature_is_only_fetched() -> None:
    """Two copies of a link, signed at different times, are one video; each is fetched as signed."""
    first = canonicalize("https://cdn.discordapp.com/attachments/1/2/cat.mp4?ex=6a&is=6b&hm=6c&")
    second = canonicalize("https://media.discordapp.net/attachments/1/2/cat.mp4?ex=7a&is=7b&hm=7c")
    assert first.video_id == second.video_id
    assert first.url == "https://cdn.discordapp.com/attachments/1/2/cat.mp4"
    assert first.fetch_url.endswith("?ex=6a&is=6b&hm=6c&")


def test_fetch_url_keeps_pasted_spelling_without_fragment() -> None:
    """Trackers reach the server, too. yt-dlp would interpret the fragment."""
    assert canonicalize("https://Example.com/%7Ea?utm_x=1#__x").fetch_url == "https://Example.com/%7Ea?utm_x=1"


@pytest.mark.parametrize(
    "link",
    [
        "",
        "   ",
        "hello",
        "강아지가 눈에서 노는 장면",
        "cat.mp4",
        "https://",
        "http://[::1",
        "https://exa mple.com/",
        "http://good.example\\@127.0.0.1/",
        "https://x:99999/",
        "https://example.com/" + "a" * 5000,
    ],
)
def test_canonicalize_invalid_link_raises_not_a_link(link: str) -> None:
    """Words, file names and broken addresses are not links."""
    with pytest.raises(NotALinkError):
        canonicalize(link)


@pytest.mark.parametrize(
    "link",
    ["file:///etc/passwd", "FILE:///etc/passwd", "ftp://example.com/a", "javascript:alert(1)", "data:text/html,x"],
)
def test_canonicalize_other_scheme_raises_scheme_refused(link: str) -> None:
    with pytest.raises(SchemeRefusedError):
        canonicalize(link)


@pytest.mark.parametrize(
    "path",
    [
        "/playlist?list=PL1",
        "/watch?list=PL1",
        "/embed/videoseries?list=PL1",
        "/@someone",
        "/@someone/videos",
        "/channel/UC1/live",
        "/c/someone",
        "/user/someone",
        "/feed/trending",
        "/results?search_query=cat",
        "/",
    ],
)
def test_canonicalize_list_of_videos_raises_playlist_refused(path: str) -> None:
    """A playlist, a channel or a search is not one video."""
    with pytest.raises(PlaylistRefusedError):
        canonicalize(f"https://www.youtube.com{path}")


@pytest.mark.parametrize(
    ("url", "start_s", "link"),
    [
        (VIDEO, 12.9, f"{VIDEO}&t=12s"),
        (VIDEO, 0.4, VIDEO),
        ("https://vimeo.com/1", 75, "https://vimeo.com/1#t=75s"),
        ("https://www.twitch.tv/videos/1", 3671, "https://www.twitch.tv/videos/1?t=1h1m11s"),
        ("https://www.twitch.tv/videos/1", 12, "https://www.twitch.tv/videos/1?t=0h0m12s"),
        ("https://example.com/a.mp4?x=1", 12, "https://example.com/a.mp4?x=1#t=12"),
        ("file:///videos/a.mp4", 12, "file:///videos/a.mp4#t=12"),
    ],
)
def test_link_to_second_uses_syntax_of_site(url: str, start_s: float, link: str) -> None:
    """A link to the beginning has no second."""
    assert link_to_second(url, start_s) == link


def test_canonicalize_link_to_second_returns_its_video() -> None:
    """A pasted link to a second is the same video."""
    for url in (VIDEO, "https://vimeo.com/1", "https://www.twitch.tv/videos/1", "https://example.com/a.mp4?x=1"):
        assert canonicalize(link_to_second(url, 90)).url == url


def test_link_to_local_file_by_path_and_by_url_is_the_same(tmp_path: Path) -> None:
    """Also with blanks in the file name."""
    file = tmp_path / "my cat.mp4"
    file.write_bytes(b"x")
    assert link_to_local_file(str(file)) == link_to_local_file(file.as_uri())
    assert file_url_to_path(link_to_local_file(str(file)).url) == file


@pytest.mark.parametrize("path", ["nowhere.mp4", "file:///nowhere/at/all.mp4", "file://server/share/a.mp4", "/"])
def test_link_to_missing_file_raises_not_a_link(path: str) -> None:
    with pytest.raises(NotALinkError):
        link_to_local_file(path)


hosts = st.sampled_from(
    [
        *("example.com", "WWW.Example.com:443", "bücher.example", "10.0.0.1:80", "x.com", "cdn.discordapp.com"),
        *("youtu.be", "www.youtube.com", "m.youtube.com", "vimeo.com", "player.vimeo.com"),
        *("clips.twitch.tv", "www.twitch.tv"),
    ]
)
words = st.text(st.characters(codec="utf-8"), max_size=12)
paths = st.lists(st.one_of(words.map(quote), words, st.sampled_from(["watch", "shorts", "attachments", "..", "1234"])))
queries = st.lists(
    st.tuples(st.sampled_from(["v", "t", "utm_source", "a", "ex", "list", "q", "h", ""]), words), max_size=4
)


@settings(deadline=None)  # no failure on a busy machine
@given(hosts, paths, queries, words)
def test_canonicalize_is_idempotent(host: str, path: list[str], query: list[tuple[str, str]], fragment: str) -> None:
    """The canonical form of a canonical form is itself, whatever the link."""
    link = f"http://{host}/{'/'.join(path)}?{'&'.join(f'{key}={value}' for key, value in query)}#{fragment}"
    try:
        once = canonicalize(link)
    except LinkRefusedError:
        return
    assert canonicalize(once.url).url == once.url
    assert canonicalize(once.fetch_url).url == once.url


@settings(deadline=None)  # no failure on a busy machine
@given(st.text(max_size=60))
def test_canonicalize_any_text_returns_link_or_raises_link_refused(text: str) -> None:
    """No text makes it crash."""
    with suppress(LinkRefusedError):
        assert canonicalize(text).url.startswith("http")
