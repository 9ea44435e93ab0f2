"""All addresses of one video, site by site, and the links that open it at a second."""

from uuid import NAMESPACE_URL, uuid5

import pytest
from yarl import URL

from indexer.errors import LinkRefusedError
from indexer.link.canonical import canonicalize, is_video_address, link_to_second
from indexer.link.tracking import is_short_link
from tests.support.indexer.link_forms import (
    DISCORD,
    DRIVE,
    DROPBOX,
    FACEBOOK,
    FORMS,
    LOOM_ID,
    TIKTOK,
    WEIBO,
    WEIBO_VIDEO,
    X,
)

NO_VIDEO_KNOWN = [
    *("https://vm.tiktok.com/ZMabc/", "https://vt.tiktok.com/ZSabc/", "https://www.tiktok.com/t/ZTabc/"),
    *("https://b23.tv/aBcDeF", "https://fb.watch/aBc/", "https://www.facebook.com/share/v/aBc/", "https://t.co/aBc"),
    *("https://www.reddit.com/r/aww/s/aBc", "https://www.instagram.com/share/reel/aBc", "https://naver.me/aBc"),
    *("https://www.youtube.com/clip/UgkxAbc", "https://v.douyin.com/aBc/", "https://kko.to/aBc", "https://t.cn/aBc"),
]


@pytest.mark.parametrize(("url", "form"), [(url, form) for url, forms in FORMS.items() for form in [url, *forms]])
def test_every_address_of_a_video_is_one_video(url: str, form: str) -> None:
    link = canonicalize(form)
    assert link.url == url
    assert link.video_id == canonicalize(url).video_id
    assert is_video_address(url)
    assert canonicalize(link.fetch_url).url == url


@pytest.mark.parametrize("link", NO_VIDEO_KNOWN)
def test_what_only_the_site_knows_keeps_its_address_without_trackers(link: str) -> None:
    separator = "&" if "?" in link else "?"
    assert canonicalize(f"{link}{separator}utm_source=x&igsh=y&si=z").url == link
    assert not is_video_address(link)
    assert link_to_second(link, 75) == link


@pytest.mark.parametrize(
    "link", ["https://piped.example/", "https://invidious.example/user/ann", "https://nitter.example/a"]
)
def test_pages_of_sites_that_only_sound_like_mirrors_keep_their_address(link: str) -> None:
    assert canonicalize(link).url == link


def test_short_links_are_known_by_their_host() -> None:
    assert is_short_link(URL("https://vm.tiktok.com/ZMabc/"))
    assert is_short_link(URL("https://bit.ly/abc"))
    assert not is_short_link(URL("https://example.com/abc"))


@pytest.mark.parametrize(
    ("url", "jump"),
    [
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", "&t=75s"),
        ("https://vimeo.com/76979871", "#t=75s"),
        ("https://www.twitch.tv/videos/1234", "?t=0h1m15s"),
        ("https://www.bilibili.com/video/BV1Q541167Qg", "?t=75"),
        ("https://www.bilibili.com/video/BV1Q541167Qg?p=2", "&t=75"),
        ("https://www.bilibili.com/bangumi/play/ep123", "?t=75"),
        ("https://www.dailymotion.com/video/x8abcde", "?start=75"),
        (DRIVE, "?t=75"),
        (f"{DRIVE}?resourcekey=0-abc", "&t=75"),
        (FACEBOOK, "&t=75"),
        ("https://www.nicovideo.jp/watch/sm9", "?from=75"),
        ("https://streamable.com/abc12", "?t=75"),
        ("https://streamable.com/moo", "?t=75"),
        (f"https://www.loom.com/share/{LOOM_ID}", "?t=75"),
        ("https://chzzk.naver.com/video/123", "?currentTime=75"),
        ("https://vod.sooplive.co.kr/player/123", "?change_second=75"),
        ("https://odysee.com/@ann:1/cat:2", "?t=75"),
        ("https://archive.org/details/cat", "?start=75"),
        ("https://vk.com/video-1_2", "?t=0h1m15s"),
        (DISCORD, "#t=75"),
        ("https://files.slack.com/files-pri/T1ABC-F2ABC/cat.mp4", "#t=75"),
        ("https://example.com/a.mp4", "#t=75"),
        ("https://example.com/a.WEBM?x=1", "#t=75"),
        ("file:///videos/a.avi", "#t=75"),
        *((url, "") for url in (X, TIKTOK, WEIBO, WEIBO_VIDEO, DROPBOX, "https://v.redd.it/abcdefgh1234")),
        ("https://www.instagram.com/p/Cabc_-12345/", ""),
        ("https://www.reddit.com/comments/1abcde", ""),
        ("https://clips.twitch.tv/FaintLightGull-x1", ""),
        ("https://tv.naver.com/v/81652093", ""),
        ("https://tv.kakao.com/v/301965083", ""),
        ("https://example.com/watch/1", ""),
        ("https://www.youtube.com/", ""),
    ],
)
def test_link_to_second_is_in_the_form_of_the_site(url: str, jump: str) -> None:
    """A site without such links, or an unknown page, gets the plain link."""
    assert link_to_second(url, 75.9) == url + jump
    assert link_to_second(url, 0.9) == url


@pytest.mark.parametrize("url", FORMS)
def test_pasted_link_to_a_second_is_the_same_video(url: str) -> None:
    assert canonicalize(link_to_second(url, 3675)).url == url


@pytest.mark.parametrize(
    ("link", "fetched"),
    [
        ("https://fxtwitter.com/ann/status/1234567890123456789", X),
        ("https://m.bilibili.com/video/BV1Q541167Qg", "https://www.bilibili.com/video/BV1Q541167Qg"),
        ("https://tv.kakao.com/v/301965083", "https://tv.kakao.com/embed/player/cliplink/301965083"),
        (f"{DISCORD}?ex=6a&is=6b&hm=6c&", f"{DISCORD}?ex=6a&is=6b&hm=6c&"),
        (
            "https://media.discordapp.net/attachments/1/2/cat.mp4?ex=7a&is=7b&hm=7c&=&format=webp&width=400&height=300",
            f"{DISCORD}?ex=7a&is=7b&hm=7c&",
        ),
        ("https://media.discordapp.net/attachments/1/2/cat.mp4?format=webp&width=400", DISCORD),
    ],
)
def test_what_is_fetched_is_the_video_in_a_form_that_the_downloader_knows(link: str, fetched: str) -> None:
    assert canonicalize(link).fetch_url == fetched


def test_video_id_is_a_uuid_of_the_address() -> None:
    for url in FORMS:
        assert canonicalize(url).video_id == str(uuid5(NAMESPACE_URL, url))


@pytest.mark.parametrize(
    "link",
    ["1.0/0.0", "3.5/x", "https://www.youtube.com/redirect?q=file%3A%2F%2F%2Fetc%2Fpasswd", "a.mp4", "me@example.com"],
)
def test_text_that_is_no_video_link_is_refused(link: str) -> None:
    with pytest.raises(LinkRefusedError):
        canonicalize(link)
