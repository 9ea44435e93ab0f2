"""Social networks, whose posts have videos."""

import re
from typing import Final

from yarl import URL

from indexer.link.site import Site, address_by_forms, bare_host
from indexer.link.site_ids import bid_to_mid

_X_POST: Final = re.compile(
    r"/(?:i/web/status|i/status|i/videos(?:/tweet)?|statuses|\w+/status(?:es)?)/(\d+)(?:/(?:video|photo)/(\d+))?(?:\.mp4)?(?:/.*)?",
    re.ASCII,
)
_WEIBO_POST: Final = re.compile(r"/(?:status|detail|statuses/show|u?/?\d+)/([0-9a-zA-Z]{9,17})/?", re.ASCII)
_WEIBO_VIDEO: Final = re.compile(r"\d{4}:[0-9a-f]+", re.ASCII)


def _read_x_address(url: URL) -> str | None:
    """Return the address of a post. The second video of a post is a video of its own."""
    found = _X_POST.fullmatch(url.path)
    if not found:
        return None
    number = int(found[2] or 1)
    return f"https://x.com/i/status/{found[1]}" + (f"/video/{number}" if 1 < number < 5 else "")


def _read_reddit_address(url: URL) -> str | None:
    host = bare_host(url)
    if host == "v.redd.it" or url.path.startswith("/video/"):
        video_id = next((part for part in url.parts[1:] if part != "video"), "")
        return f"https://v.redd.it/{video_id}" if re.fullmatch(r"[a-z0-9]{8,}", video_id) else None
    if host == "redd.it":
        found = re.fullmatch(r"/([a-z0-9]+)/?", url.path, re.ASCII)
    else:
        found = re.fullmatch(r"/(?:(?:r|u|user)/[^/]+/)?(?:comments|gallery|tb)/(\w+)(?:/.*)?", url.path, re.ASCII)
    return f"https://www.reddit.com/comments/{found[1].lower()}" if found else None


def _read_weibo_address(url: URL) -> str | None:
    video = next((part for part in (*url.parts, url.query.get("fid", "")) if _WEIBO_VIDEO.fullmatch(part)), None)
    if video:
        return f"https://weibo.com/tv/show/{video}"
    post = _WEIBO_POST.fullmatch(url.path)
    if not post:
        return None
    return f"https://m.weibo.cn/detail/{post[1] if post[1].isdecimal() else bid_to_mid(post[1])}"


SOCIAL_SITES: Final = (
    Site(
        "X",
        (
            *("x.com", "twitter.com", "fxtwitter.com", "vxtwitter.com", "fixupx.com", "fixvx.com", "twittpr.com"),
            *(
                "twitterez.com",
                "nitter.net",
                "nitter.poast.org",
                "nitter.privacydev.net",
                "nitter.space",
                "xcancel.com",
            ),
        ),
        _read_x_address,
    ),
    Site(
        "TikTok",
        ("tiktok.com", "tiktokv.com", "vxtiktok.com", "tnktok.com", "tfxktok.com", "tiktxk.com", "fixtiktok.com"),
        address_by_forms(
            "https://www.tiktok.com/@_/video/{id}",
            r"/(?:@[^/]*/|share/)(?:video|photo)/(?P<id>\d+)(?:/.*)?",
            r"/(?:v|i18n/share/video|embed(?:/v\d)?|player/v1)/(?P<id>\d+)(?:\.html)?(?:/.*)?",
        ),
    ),
    Site(
        "Douyin",
        ("douyin.com", "iesdouyin.com"),
        address_by_forms(
            "https://www.douyin.com/video/{id}", r"/(?:share/)?(?:video|note)/(?P<id>\d+)", (r".*", "modal_id")
        ),
    ),
    Site(
        "Instagram",
        ("instagram.com", "instagr.am", "ddinstagram.com", "kkinstagram.com", "eeinstagram.com", "instagramez.com"),
        address_by_forms(
            "https://www.instagram.com/p/{id}/", r"/(?:(?!share/)[^/]+/)?(?:p|tv|reels?)/(?P<id>[\w-]+)(?:/embed.*)?"
        ),
    ),
    Site(
        "Threads",
        ("threads.net", "threads.com"),
        address_by_forms("https://www.threads.com/@_/post/{id}", r"/(?:@[^/]*/post|t)/(?P<id>[\w-]+)(?:/.*)?"),
    ),
    Site("Reddit", ("reddit.com", "redd.it", "redditmedia.com", "rxddit.com", "vxreddit.com"), _read_reddit_address),
    Site("Weibo", ("weibo.com", "weibo.cn"), _read_weibo_address),
    Site(
        "Facebook",
        ("facebook.com", "fb.com"),
        address_by_forms(
            "https://www.facebook.com/watch/?v={id}",
            r"/(?:[^/]+/)?videos/(?:[^/]+/)*?(?P<id>\d+)",
            r"/(?:[^/]+/)?reel/(?P<id>\d+)",
            (r"/(?:watch(?:/live)?|video(?:/video)?\.php|video/embed)", "v"),
            (r"/video/embed", "video_id"),
        ),
        "t={s}",
    ),
    Site(
        "VK",
        ("vk.com", "vkvideo.ru", "vk.ru"),
        address_by_forms("https://vk.com/video{id}", r"/(?:[^/]+/)?(?:video|clip)(?P<id>-?\d+_\d+)"),
        "t={h}h{m}m{sec}s",
    ),
)
