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
_REDDIT_PATH: Final = r"/(?:(?:r|u|user)/[^/]+/)?(?:comments|gallery|duplicates|tb)/(\w+)(?:/.*)?"
_WEIBO_POST: Final = re.compile(r"/(?:status|detail|statuses/show|comment|u?/?\d+)/([0-9a-zA-Z]{9,17})/?", re.ASCII)
_WEIBO_VIDEO: Final = re.compile(r"\d{4}:[0-9a-f]+", re.ASCII)


def _read_x_address(url: URL) -> str | None:
    """Return the address of a post. The second video of a post is a video of its own."""
    post_id = url.query.get("tweet_id") or (url.query.get("id") if url.path.startswith("/embed/") else None)
    found = _X_POST.fullmatch(f"/i/status/{post_id}" if post_id else url.path)
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
        found = re.fullmatch(_REDDIT_PATH, url.path, re.ASCII)
    return f"https://www.reddit.com/comments/{found[1].lower()}" if found else None


def _read_weibo_address(url: URL) -> str | None:
    parts = (*url.parts, url.query.get("fid", ""), url.query.get("object_id", ""))
    video = next((part for part in parts if _WEIBO_VIDEO.fullmatch(part)), None)
    if video:
        return f"https://weibo.com/tv/show/{video}"
    post_id = url.query.get("weibo_id") or url.query.get("blog_mid")
    post = _WEIBO_POST.fullmatch(f"/detail/{post_id}" if post_id else url.path)
    if not post:
        return None
    return f"https://m.weibo.cn/detail/{post[1] if post[1].isdecimal() else bid_to_mid(post[1])}"


SOCIAL_SITES: Final = (
    Site(
        "X",
        (
            *("x.com", "twitter.com", "fxtwitter.com", "vxtwitter.com", "fixupx.com", "fixvx.com", "twittpr.com"),
            *("twitterez.com", "fixvtwitter.com", "zztwitter.com", "xcancel.com"),
        ),
        _read_x_address,
        mirrors=("nitter.",),
    ),
    Site(
        "TikTok",
        (
            *("tiktok.com", "tiktokv.com", "vxtiktok.com", "tnktok.com", "tfxktok.com", "tiktxk.com"),
            *("fixtiktok.com", "kktiktok.com", "tiktokez.com", "offtiktok.com"),
        ),
        address_by_forms(
            "https://www.tiktok.com/@_/video/{id}",
            r"/(?:[a-z]{2}(?:-[A-Za-z]+)?/)?(?:@[^/]*/|share/)?(?:video|photo)/(?P<id>\d+)(?:/.*)?",
            r"/(?:v|i18n/share/video|embed(?:/v\d)?|player/v1)/(?P<id>\d+)(?:\.html)?(?:/.*)?",
            (r".*", "item_id"),
        ),
        mirrors=("proxitok.",),
    ),
    Site(
        "Douyin",
        ("douyin.com", "iesdouyin.com"),
        address_by_forms(
            "https://www.douyin.com/video/{id}",
            r"/(?:share/)?(?:video|note)/(?P<id>\d+)",
            (r".*", "modal_id"),
            (r"/|/player/video", "vid"),
        ),
    ),
    Site(
        "Instagram",
        (
            *("instagram.com", "instagr.am", "ddinstagram.com", "kkinstagram.com", "eeinstagram.com"),
            *("instagramez.com", "vxinstagram.com", "uuinstagram.com", "zzinstagram.com", "toinstagram.com"),
        ),
        address_by_forms(
            "https://www.instagram.com/p/{id}/",
            r"/(?:(?!share/)[^/]+/)?(?:p|tv|reels?)/(?P<id>(?!audio/)[\w-]+)(?:/(?:embed|c|media|liked_by)\b.*)?",
        ),
    ),
    Site(
        "Threads",
        ("threads.net", "threads.com", "fixthreads.net", "vxthreads.net"),
        address_by_forms("https://www.threads.com/@_/post/{id}", r"/(?:@[^/]*/post|t)/(?P<id>[\w-]+)(?:/.*)?"),
    ),
    Site(
        "Reddit",
        (
            "reddit.com",
            "redd.it",
            "redditmedia.com",
            "rxddit.com",
            "vxreddit.com",
            "libredd.it",
            "teddit.net",
            "safereddit.com",
        ),
        _read_reddit_address,
        mirrors=("libreddit.", "redlib."),
    ),
    Site("Weibo", ("weibo.com", "weibo.cn"), _read_weibo_address),
    Site(
        "Facebook",
        ("facebook.com", "fb.com", "facebed.com", "facebookez.com"),
        address_by_forms(
            "https://www.facebook.com/watch/?v={id}",
            r"/(?:[^/]+/)?videos/(?:[^/]+/)*?(?P<id>\d+)",
            r"/(?:[^/]+/)?(?:reels?|watch)/(?P<id>\d+)",
            (r"/(?:watch(?:/live)?|reel|photo\.php|[^/]+/videos|video(?:/video)?\.php|video/embed)", "v"),
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
