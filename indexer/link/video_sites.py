"""Sites that are about videos."""

import re
from typing import Final

from yarl import URL

from indexer.errors import PlaylistRefusedError
from indexer.link.site import Site, address_by_forms, bare_host
from indexer.link.site_ids import av_to_bv

_YOUTUBE_ID: Final = re.compile(r"(?!videoseries(?![\w-]))([\w-]{11})(?:[^\w-].*)?", re.ASCII | re.DOTALL)
"""An id, also with a second query that was appended to an address (`?v=…?si=…`)."""
_YOUTUBE_PATH: Final = re.compile(r"/+(?:(?:shorts|live|embed|v|e|vi|watch|video|w|source)/|v=)([^/]+).*")
_YOUTUBE_SHORT_PATH: Final = re.compile(r"/+(?:(?:shorts|live|embed|v)/)?([^/]+).*")
_YOUTUBE_LISTS: Final = re.compile(r"^/(?:@|(?:playlist|channel|c|user|feed|results|hashtag|podcasts|gaming)(?:/|$)|$)")
_YOUTUBE_MIRRORS: Final = ("invidious.", "piped.")
_VIMEO: Final = re.compile(
    r"/(?:(?:channels|groups|album|showcase)/[^/]+/(?:videos?/)?|videos?/|manage/videos/)?(\d+)(?:/([0-9a-f]+))?/?"
)
_TWITCH_CLIP: Final = re.compile(r"/(?:(?:[^/]+/)?clips?/)?([\w-]+)(?:/edit)?/?", re.ASCII)
_TWITCH_VIDEO: Final = re.compile(r"/(?:videos?|[^/]+/(?:v|videos?))/v?(\d+)/?")
_BILIBILI_ID: Final = re.compile(
    r"/(?:s/|medialist/play/\w+/)?(?:video/)?(?:(bv)(1\w{9})|av(\d+))(?:/index(?:_(\d+))?\.html)?/?",
    re.ASCII | re.IGNORECASE,
)
_BANGUMI: Final = re.compile(r"/(?:bangumi/play/)?((?:ep|ss)\d+)/?")


def read_youtube_address(url: URL) -> str | None:
    """Return the watch page of a video. Raises `PlaylistRefusedError` for lists of videos."""
    host, query = bare_host(url), {key.lower(): value for key, value in url.query.items()}
    if host in ("youtu.be", "yt.be", "y2u.be", "koutu.be"):
        short_path = _YOUTUBE_SHORT_PATH.fullmatch(url.path)
        return _youtube_watch_page(query.get("v") or (short_path[1] if short_path else None))
    if url.path == "/attribution_link" and "u" in url.query:
        return read_youtube_address(URL(f"https://www.youtube.com/{url.query['u'].lstrip('/')}"))
    path = _YOUTUBE_PATH.fullmatch(url.path)
    if found := _youtube_watch_page(path[1] if path else query.get("v") or query.get("ci")):
        return found
    is_list = _YOUTUBE_LISTS.match(url.path) or "list" in query
    if is_list and not host.startswith(_YOUTUBE_MIRRORS):  # other sites may have such a name
        raise PlaylistRefusedError(str(url))
    return None


def _youtube_watch_page(video_id: str | None) -> str | None:
    found = _YOUTUBE_ID.fullmatch(video_id or "")
    return f"https://www.youtube.com/watch?v={found[1]}" if found else None


def _read_vimeo_address(url: URL) -> str | None:
    if bare_host(url) not in ("vimeo.com", "player.vimeo.com"):
        return None
    path = f"/{url.query['clip_id']}" if url.path == "/moogaloop.swf" and "clip_id" in url.query else url.path
    video = _VIMEO.fullmatch(path.removesuffix("/embed"))
    if not video:
        return None
    unlisted = video[2] or url.query.get("h", "")
    return f"https://vimeo.com/{video[1]}" + (f"/{unlisted}" if re.fullmatch("[0-9a-f]+", unlisted) else "")


def _read_twitch_address(url: URL) -> str | None:
    if "clips." in bare_host(url) or "/clip/" in url.path or "clip" in url.query:
        slug = url.query.get("clip")
        clip = _TWITCH_CLIP.fullmatch(f"/{slug}" if slug else url.path)
        return f"https://clips.twitch.tv/{clip[1]}" if clip else None
    video = _TWITCH_VIDEO.fullmatch(f"/videos/{url.query['video']}" if "video" in url.query else url.path)
    return f"https://www.twitch.tv/videos/{video[1]}" if video else None


def _read_bilibili_address(url: URL) -> str | None:
    if bangumi := _BANGUMI.fullmatch(url.path):
        return f"https://www.bilibili.com/bangumi/play/{bangumi[1]}"
    names = {key.lower(): value for key, value in url.query.items()}
    path = url.path
    if "bvid" in names or "aid" in names:
        path = f"/{names['bvid']}" if names.get("bvid") else f"/av{names['aid']}"
    found = _BILIBILI_ID.fullmatch(path)
    if not found:
        return None
    try:
        video_id = f"BV{found[2]}" if found[1] else av_to_bv(int(found[3]))
    except ValueError:
        return None
    part = names.get("p") or names.get("page") or found[4] or "1"
    has_part = re.fullmatch(r"[1-9]\d{0,4}", part, re.ASCII) and part != "1"
    return f"https://www.bilibili.com/video/{video_id}" + (f"?p={part}" if has_part else "")


def _read_niconico_address(url: URL) -> str | None:
    found = re.fullmatch(
        r"/(?:(?:watch(?:_tmp)?|shorts|thumb(?:_watch)?)/)?((?:sm|nm|so)?\d+)(?:/script)?/?", url.path, re.ASCII
    )
    is_live = bare_host(url).startswith("live")
    if found and not is_live and (bare_host(url) == "nico.ms" or url.path.count("/") > 1):
        return f"https://www.nicovideo.jp/watch/{found[1]}"
    return None


VIDEO_SITES: Final = (
    Site(
        "YouTube",
        (
            *("youtube.com", "youtu.be", "yt.be", "y2u.be", "youtube-nocookie.com", "youtubekids.com"),
            *("youtubeeducation.com", "youtube.googleapis.com", "yewtu.be", "inv.nadeko.net"),
            *("koutube.com", "koutu.be"),
        ),
        read_youtube_address,
        "t={s}s",
        mirrors=_YOUTUBE_MIRRORS,
    ),
    Site("Vimeo", ("vimeo.com",), _read_vimeo_address, "#t={s}s"),
    Site("Twitch clips", ("clips.twitch.tv", "fxtwitch.seria.moe", "fxtwitch.tv"), _read_twitch_address),
    Site("Twitch", ("twitch.tv",), _read_twitch_address, "t={h}h{m}m{sec}s"),
    Site(
        "Bilibili",
        (
            *("bilibili.com", "b23.tv", "bili2233.cn", "bili33.cn", "bili23.cn", "bili22.cn", "acg.tv"),
            *("vxbilibili.com", "fxbilibili.seria.moe"),
        ),
        _read_bilibili_address,
        "t={s}",
    ),
    Site(
        "Dailymotion",
        ("dailymotion.com", "dai.ly"),
        address_by_forms(
            "https://www.dailymotion.com/video/{id}",
            r"/(?:embed/|swf/|crawler/|hub/|thumbnail/|[a-z]{2}/)?video/(?P<id>[a-z0-9]+)(?:_.*)?",
            r"/(?P<id>[xk][a-z0-9]{3,})(?:_.*)?",
            (r"/player(?:/\w+)?(?:\.html)?|/embed.*|/player/.*", "video"),
        ),
        "start={s}",
    ),
    Site(
        "Loom",
        ("loom.com", "useloom.com"),
        address_by_forms("https://www.loom.com/share/{id}", r"/(?:share|embed|v|i)/(?:[\w%.-]+-)?(?P<id>[0-9a-f]{32})"),
        "t={s}",
    ),
    Site(
        "Streamable",
        ("streamable.com",),
        address_by_forms("https://streamable.com/{id}", r"/(?:[eosmt]/)?(?P<id>[a-z0-9]{3,8})(?:/\w+)?"),
        "t={s}",
    ),
    Site(
        "niconico",
        ("nicovideo.jp", "nico.ms", "nicovideo.gay", "nicovideo.life"),
        _read_niconico_address,
        "from={s}",
    ),
    Site(
        "Chzzk",
        ("chzzk.naver.com",),
        address_by_forms("https://chzzk.naver.com/video/{id}", r"/(?:embed/)?video/(?P<id>\d+)"),
        "currentTime={s}",
    ),
    Site(
        "SOOP",
        ("vod.sooplive.co.kr", "vod.sooplive.com", "vod.afreecatv.com", "v.afree.ca"),
        address_by_forms(
            "https://vod.sooplive.co.kr/player/{id}",
            r"/player/(?P<id>\d+)(?:/.*)?",
            r"/(?:ST|PLAYER/STATION)/(?P<id>\d+)",
            (r"/embed\.php", "titleNo"),
        ),
        "change_second={s}",
    ),
    Site(
        "Naver TV",
        ("tv.naver.com", "tvcast.naver.com"),
        address_by_forms("https://tv.naver.com/v/{id}", r"/(?:v|embed)/(?P<id>\d+)(?:/.*)?"),
    ),
    Site(
        "Naver clip",
        ("naver.com",),
        address_by_forms("https://m.naver.com/shorts/?mediaId={id}", (r"(?:/@[^/]+)?/shorts", "mediaId")),
    ),
    Site(
        "Kakao TV",
        ("tv.kakao.com", "play-tv.kakao.com", "kakaotv.daum.net"),
        address_by_forms(
            "https://tv.kakao.com/v/{id}",
            r"/(?:m/)?(?:channel/\d+(?:/playlist/\d+)?|embed/player|top)/(?:clip)?link/(?P<id>\d+)(?:@my)?",
            r"/(?:v|channel/\d+/v)/(?P<id>\d+)(?:@my)?",
        ),
        fetched_form=("/v/", "/embed/player/cliplink/"),
    ),
    Site(
        "Rumble", ("rumble.com",), address_by_forms("https://rumble.com/{id}.html", r"/(?P<id>v\w+)(?:-[^/]*)?\.html"),
        "start={s}",
    ),
    Site(
        "Rutube",
        ("rutube.ru",),
        address_by_forms("https://rutube.ru/video/{id}/", r"/(?:video|shorts|play/embed)/(?P<id>[0-9a-f]{32})"),
        "t={s}",
    ),
    Site("Odysee", ("odysee.com",), None, "t={s}", has_file_names=True),
    Site("Internet Archive", ("archive.org",), None, "start={s}", has_file_names=True),
)  # fmt: skip
