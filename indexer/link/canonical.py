"""From what a person pasted to one canonical link: the same video is the same id, whatever form its link came in.

Known sites get their own canonical form. Any other page keeps its path and the order of its query; host and default
port are normalised, fragment and trackers are dropped.
"""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from yarl import URL

from indexer.errors import NotALinkError, PlaylistRefusedError, SchemeRefusedError

MAX_LINK_CHARS = 4096

_WRAPPED = re.compile(r"""^(?:<([^<>|]+)(?:\|[^<>]*)?>|"(.+)"|'(.+)'|`(.+)`|“(.+)”|‘(.+)’)$""")
_BARE = re.compile(r"^(?:[^\W_](?:[\w-]*\.)+)[\w-]+(?::\d+)?/\S")
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*):", re.IGNORECASE)

_YOUTUBE_ID = re.compile(r"^(?!videoseries$)[\w-]{11}$", re.ASCII)
_YOUTUBE_LISTS = re.compile(r"^/(?:@|(?:playlist|channel|c|user|feed|results|hashtag|podcasts|gaming)(?:/|$)|$)")
_VIMEO = re.compile(r"^/(?:(?:channels|groups|album|showcase)/[^/]+/(?:videos?/)?|video/)?(\d+)(?:/([0-9a-f]+))?/?$")
_TWITCH_CLIP = re.compile(r"^/(?:[^/]+/clip/)?([\w-]+)/?$", re.ASCII)
_TWITCH_VIDEO = re.compile(r"^/(?:videos|[^/]+/(?:v|video))/v?(\d+)/?$")

_TRACKERS = re.compile(
    r"utm_.*|fbclid|gclid|gclsrc|dclid|msclkid|twclid|ttclid|yclid|igshid|igsh|mc_cid|mc_eid|si|ref_src|ref_url|"
    r"_ga|_gl|_hsenc|_hsmi|mkt_tok|vero_id|wickedid|spm|share_id|rdt|cmpid"
)
_SITE_TRACKERS = {"twitter.com": {"s", "t"}, "x.com": {"s", "t"}, "tiktok.com": {"_r", "_t", "is_from_webapp"}}
_DISCORD_SIGNATURE = frozenset({"ex", "is", "hm"})


@dataclass(frozen=True)
class Link:
    """`url` is the identity and what people are shown; `fetch_url` is what answers (it may carry a signature)."""

    url: str
    fetch_url: str

    @property
    def video_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.url))


def canonicalize(link: str) -> Link:
    """The canonical form of a link from outside. Raises `NotALinkError`, `SchemeRefusedError`, `PlaylistRefusedError`."""
    text = _web_address(link)
    try:
        url = URL(text).with_fragment(None)
    except (ValueError, UnicodeError) as error:
        raise NotALinkError(f"{error}: {text!r}") from error
    if not url.raw_host:
        raise NotALinkError(f"no host: {text!r}")
    for site in (_youtube, _vimeo, _twitch):
        if known := site(url):
            return known
    return _discord(url, text) or Link(str(_without(url, _is_tracker(url))), text.partition("#")[0])


def link_to_local_file(path: str) -> Link:
    """A file of this machine, by its path or `file://` address; for the command line only. Raises `NotALinkError`."""
    found = file_url_to_path(path) if path.lower().startswith("file:") else Path(path).expanduser()
    if not found.is_file():
        raise NotALinkError(f"no such file: {found}")
    url = found.resolve().as_uri()
    return Link(url, url)


def file_url_to_path(url: str) -> Path:
    """The path behind a `file://` address."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise NotALinkError(f"a file of another machine: {url!r}")
    return Path(url2pathname(parts.path))


def link_to_second(canonical_url: str, start_s: float) -> str:
    """The link that opens a video at a second, in its site's own way."""
    second = int(start_s)
    if second <= 0:
        return canonical_url
    if canonical_url.startswith("https://www.youtube.com/watch?"):
        return f"{canonical_url}&t={second}s"
    if canonical_url.startswith("https://vimeo.com/"):
        return f"{canonical_url}#t={second}s"
    if canonical_url.startswith("https://www.twitch.tv/videos/"):
        return f"{canonical_url}?t={second // 3600}h{second // 60 % 60}m{second % 60}s"
    return f"{canonical_url}#t={second}"


def _web_address(link: str) -> str:
    """The http(s) address in what was pasted, out of its brackets or quotes."""
    text = link.strip()
    if wrapped := _WRAPPED.match(text):
        text = next(part for part in wrapped.groups() if part).strip()
    if len(text) > MAX_LINK_CHARS or re.search(r"[\s\\\x00-\x20\x7f]", text):
        raise NotALinkError(f"not one address: {text[:200]!r}")
    if _BARE.match(text):
        return f"https://{text}"
    scheme = _SCHEME.match(text)
    if not scheme:
        raise NotALinkError(f"no address: {text[:200]!r}")
    if scheme[1].lower() not in ("http", "https"):
        raise SchemeRefusedError(f"{scheme[1]}: is not http(s)")
    return text


def _host(url: URL) -> str:
    return (url.raw_host or "").removeprefix("www.").removeprefix("m.")


def _plain(url: str) -> Link:
    return Link(url, url)


def _youtube(url: URL) -> Link | None:
    host = _host(url).removeprefix("music.").removeprefix("gaming.")
    if host == "youtu.be":
        return _youtube_video(url.parts[1] if len(url.parts) > 1 else "")
    if host not in ("youtube.com", "youtube-nocookie.com", "youtubekids.com"):
        return None
    if url.path == "/redirect" and "q" in url.query:
        return canonicalize(url.query["q"])
    if url.path == "/attribution_link" and "u" in url.query:
        return canonicalize(f"https://www.youtube.com/{url.query['u'].lstrip('/')}")
    if found := _youtube_video(_youtube_id(url)):
        return found
    if _YOUTUBE_LISTS.match(url.path) or "list" in url.query:
        raise PlaylistRefusedError(str(url))
    return None


def _youtube_id(url: URL) -> str:
    head, rest = url.parts[1:2], url.parts[2:3]
    if head in (("shorts",), ("live",), ("embed",), ("v",), ("e",), ("vi",), ("watch",)) and rest:
        return rest[0]
    return url.query.get("v", "")


def _youtube_video(video_id: str) -> Link | None:
    return _plain(f"https://www.youtube.com/watch?v={video_id}") if _YOUTUBE_ID.match(video_id) else None


def _vimeo(url: URL) -> Link | None:
    video = _VIMEO.match(url.path) if _host(url) in ("vimeo.com", "player.vimeo.com") else None
    if not video:
        return None
    unlisted = video[2] or url.query.get("h", "")
    return _plain(f"https://vimeo.com/{video[1]}" + (f"/{unlisted}" if re.fullmatch("[0-9a-f]+", unlisted) else ""))


def _twitch(url: URL) -> Link | None:
    host = _host(url)
    if host == "clips.twitch.tv":
        slug = url.query.get("clip") if url.path == "/embed" else None
        clip = _TWITCH_CLIP.match(f"/{slug}" if slug else url.path)
        return _plain(f"https://clips.twitch.tv/{clip[1]}") if clip else None
    if host not in ("twitch.tv", "player.twitch.tv", "go.twitch.tv"):
        return None
    if "/clip/" in url.path and (clip := _TWITCH_CLIP.match(url.path)):
        return _plain(f"https://clips.twitch.tv/{clip[1]}")
    video = _TWITCH_VIDEO.match(f"/videos/{url.query['video']}" if "video" in url.query else url.path)
    return _plain(f"https://www.twitch.tv/videos/{video[1]}") if video else None


def _discord(url: URL, text: str) -> Link | None:
    """An attachment's signature expires and changes with each copy of the link, so it is no part of its identity."""
    hosts = ("cdn.discordapp.com", "media.discordapp.net")
    if _host(url) not in hosts or not url.path.startswith(("/attachments/", "/ephemeral-attachments/")):
        return None
    plain = _without(url, lambda key: key in _DISCORD_SIGNATURE or _is_tracker(url)(key))
    return Link(str(plain.with_scheme("https").with_host(hosts[0])), text.partition("#")[0])


def _is_tracker(url: URL) -> Callable[[str], bool]:
    site = _SITE_TRACKERS.get(".".join(_host(url).split(".")[-2:]), set())
    return lambda key: key in site or bool(_TRACKERS.fullmatch(key))


def _without(url: URL, dropped: Callable[[str], bool]) -> URL:
    """The query's own order and spelling stay: some sites take `?a` and `?a=` for two pages."""
    parts = [part for part in url.raw_query_string.split("&") if part and not dropped(part.partition("=")[0].lower())]
    bare = str(url.with_query(None))
    return URL(f"{bare}?{'&'.join(parts)}" if parts else bare, encoded=True)
