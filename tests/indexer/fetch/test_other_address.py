"""The address that a site gives for the video behind a link."""

import pytest

from indexer.fetch.fetch_worker import find_other_address

TIKTOK = "https://www.tiktok.com/@ann/video/7234567890123456789"
WATCH = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"


@pytest.mark.parametrize(
    ("link", "info", "address"),
    [
        ("https://vm.tiktok.com/ZMabc/", {"webpage_url": TIKTOK}, "https://www.tiktok.com/@_/video/7234567890123456789"),
        ("https://www.tiktok.com/t/ZTabc/", {"webpage_url": TIKTOK}, "https://www.tiktok.com/@_/video/7234567890123456789"),
        ("https://b23.tv/aBc", {"webpage_url": "https://www.bilibili.com/video/BV1Q541167Qg?share=1"},
         "https://www.bilibili.com/video/BV1Q541167Qg"),
        ("https://fb.watch/aBc/", {"webpage_url": "https://www.facebook.com/ann/videos/123/"},
         "https://www.facebook.com/watch/?v=123"),
        ("https://www.reddit.com/r/aww/s/aBc", {"webpage_url": "https://www.reddit.com/r/aww/comments/1abc/x/"},
         "https://www.reddit.com/comments/1abc"),
        ("https://v.redd.it/abcdefgh1234", {"webpage_url": "https://www.reddit.com/r/aww/comments/1abc/x/"},
         "https://www.reddit.com/comments/1abc"),
        ("https://t.co/aBc", {"webpage_url": "https://twitter.com/ann/status/123/video/1"}, "https://x.com/i/status/123"),
        ("https://naver.me/aBc", {"webpage_url": "https://m.tv.naver.com/v/81652093"}, "https://tv.naver.com/v/81652093"),
        ("https://kko.to/aBc", {"webpage_url": "https://tv.kakao.com/channel/1/cliplink/301965083"},
         "https://tv.kakao.com/v/301965083"),
        ("https://www.instagram.com/share/reel/aBc", {"webpage_url": "https://www.instagram.com/reel/Cabc_-12345/"},
         "https://www.instagram.com/p/Cabc_-12345/"),
        ("https://www.facebook.com/share/v/aBc/", {"webpage_url": "https://www.facebook.com/reel/123"},
         "https://www.facebook.com/watch/?v=123"),
        ("https://another-mirror.example/ann/status/123", {"webpage_url": "https://x.com/ann/status/123"},
         "https://x.com/i/status/123"),
        ("https://www.reddit.com/comments/1abc", {"webpage_url": WATCH}, WATCH),
        ("https://www.youtube.com/clip/UgkxAbc",
         {"webpage_url": "https://www.youtube.com/clip/UgkxAbc", "extractor_key": "Youtube", "id": "dQw4w9WgXcQ"},
         WATCH),
        ("https://blog.example/post", {"webpage_url": WATCH, "extractor_key": "Youtube", "id": "dQw4w9WgXcQ"}, WATCH),
        ("https://bit.ly/aBc", {"webpage_url": "https://example.com/a.mp4?utm_source=x"}, "https://example.com/a.mp4"),
        ("https://youtu.be/dQw4w9WgXcQ", {"webpage_url": WATCH, "extractor_key": "Youtube", "id": "dQw4w9WgXcQ"}, None),
        (TIKTOK, {"webpage_url": "https://www.tiktok.com/@_/video/7234567890123456789"}, None),
        ("https://vimeo.com/76979871/abc123def4", {"webpage_url": "https://vimeo.com/76979871"}, None),
        ("https://example.com/latest", {"webpage_url": "https://cdn.example/a.mp4?token=expires"}, None),
        ("https://example.com/a.mp4", {"webpage_url": "https://example.com/a.mp4"}, None),
        ("https://example.com/a.mp4", {}, None),
        ("https://vm.tiktok.com/ZMabc/", {"webpage_url": "file:///etc/passwd"}, None),
        ("https://vm.tiktok.com/ZMabc/", {"webpage_url": "https://www.youtube.com/@someone"}, None),
    ],
)  # fmt: skip
def test_address_counts_if_its_site_is_known(link: str, info: dict[str, str], address: str | None) -> None:
    """A short link may lead anywhere. Other sites redirect to addresses that expire."""
    assert find_other_address(link, info) == address
