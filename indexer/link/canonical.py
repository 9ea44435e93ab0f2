"""Canonical links: all forms of a link to the same video become one URL, and so one video id.

YouTube, Vimeo, Twitch and Discord attachments have a canonical form each. Any other URL keeps its path and
the order of its query; host and default port are normalized, fragment and tracking parameters are removed.
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

_IN_BRACKETS_OR_QUOTES = re.compile(r"""^(?:<([^<>|]+)(?:\|[^<>]*)?>|"(.+)"|'(.+)'|`(.+)`|“(.+)”|‘(.+)’)$""")
_WITHOUT_SCHEME = re.compile(r"^(?:[^\W_](?:[\w-]*\.)+)[\w-]+(?::\d+)?/\S")
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*):", re.IGNORECASE)

_YOUTUBE_ID = re.compile(r"^(?!videoseries$)[\w-]{11}$", re.ASCII)
_YOUTUBE_LIST_PATHS = re.compile(r"^/(?:@|(?:playlist|channel|c|user|feed|results|hashtag|podcasts|gaming)(?:/|$)|$)")
_VIMEO = re.compile(r"^/(?:(?:channels|groups|album|showcase)/[^/]+/(?:videos?/)?|video/)?(\d+)(?:/([0-9a-f]+))?/?$")
_TWITCH_CLIP = re.compile(r"^/(?:[^/]+/clip/)?([\w-]+)/?$", re.ASCII)
_TWITCH_VIDEO = re.compile(r"^/(?:videos|[^/]+/(?:v|video))/v?(\d+)/?$")

_TRACKING_PARAMETERS = re.compile(
    r"utm_.*|fbclid|gclid|gclsrc|dclid|msclkid|twclid|ttclid|yclid|igshid|igsh|mc_cid|mc_eid|si|ref_src|ref_url|"
    r"_ga|_gl|_hsenc|_hsmi|mkt_tok|vero_id|wickedid|spm|share_id|rdt|cmpid"
)
_SITE_TRACKING_PARAMETERS = {
    "twitter.com": {"s", "t"},
    "x.com": {"s", "t"},
    "tiktok.com": {"_r", "_t", "is_from_webapp"},
}
_DISCORD_SIGNATURE_PARAMETERS = frozenset({"ex", "is", "hm"})


@dataclass(frozen=True)
class Link:
    """Canonical link. `url` identifies the video and is shown to users; `fetch_url` is downloaded.

    `fetch_url` keeps the spelling that the user pasted, and may carry a signature that expires.
    """

    url: str
    fetch_url: str

    @property
    def video_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.url))


def canonicalize(link: str) -> Link:
    """Return the canonical form of a link that a user sent.

    Raises `NotALinkError`, `SchemeRefusedError`, `PlaylistRefusedError`.
    """
    text = _extract_address(link)
    try:
        url = URL(text).with_fragment(None)
    except (ValueError, UnicodeError) as error:
        raise NotALinkError(f"{error}: {text!r}") from error
    if not url.raw_host:
        raise NotALinkError(f"no host: {text!r}")
    for site in (_canonicalize_youtube, _canonicalize_vimeo, _canonicalize_twitch):
        if known := site(url):
            return known
    return _canonicalize_discord_attachment(url, text) or Link(
        str(_remove_parameters(url, _tracking_filter(url))), text.partition("#")[0]
    )


def link_to_local_file(path: str) -> Link:
    """Return the link to a local file, given by its path or `file://` URL. For the command line only.

    Raises `NotALinkError` if the file does not exist.
    """
    file = file_url_to_path(path) if path.lower().startswith("file:") else Path(path).expanduser()
    if not file.is_file():
        raise NotALinkError(f"no such file: {file}")
    url = file.resolve().as_uri()
    return Link(url, url)


def file_url_to_path(url: str) -> Path:
    """Return the path of a `file://` URL. Raises `NotALinkError` if it names another machine."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise NotALinkError(f"a file of another machine: {url!r}")
    return Path(url2pathname(parts.path))


def link_to_second(canonical_url: str, start_s: float) -> str:
    """Return a link that opens a video at a second, in the syntax of its site."""
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


def _extract_address(link: str) -> str:
    """Return the http(s) address in a pasted text, without brackets or quotes around it."""
    text = link.strip()
    if wrapped := _IN_BRACKETS_OR_QUOTES.match(text):
        text = next(part for part in wrapped.groups() if part).strip()
    if len(text) > MAX_LINK_CHARS or re.search(r"[\s\\\x00-\x20\x7f]", text):
        raise NotALinkError(f"not one address: {text[:200]!r}")
    if _WITHOUT_SCHEME.match(text):
        return f"https://{text}"
    scheme = _SCHEME.match(text)
    if not scheme:
        raise NotALinkError(f"no address: {text[:200]!r}")
    if scheme[1].lower() not in ("http", "https"):
        raise SchemeRefusedError(f"{scheme[1]}: is not http(s)")
    return text


def _bare_host(url: URL) -> str:
    """Return the host without `www.` and `m.`."""
    return (url.raw_host or "").removeprefix("www.").removeprefix("m.")


def _make_link(url: str) -> Link:
    """Return a link whose canonical URL is also downloaded."""
    return Link(url, url)


def _canonicalize_youtube(url: URL) -> Link | None:
    host = _bare_host(url).removeprefix("music.").removeprefix("gaming.")
    if host == "youtu.be":
        return _youtube_link(url.parts[1] if len(url.parts) > 1 else None)
    if host not in ("youtube.com", "youtube-nocookie.com", "youtubekids.com"):
        return None
    if url.path == "/redirect" and "q" in url.query:
        return canonicalize(url.query["q"])
    if url.path == "/attribution_link" and "u" in url.query:
        return canonicalize(f"https://www.youtube.com/{url.query['u'].lstrip('/')}")
    if found := _youtube_link(_find_youtube_id(url)):
        return found
    if _YOUTUBE_LIST_PATHS.match(url.path) or "list" in url.query:
        raise PlaylistRefusedError(str(url))
    return None


def _find_youtube_id(url: URL) -> str | None:
    head, rest = url.parts[1:2], url.parts[2:3]
    if head in (("shorts",), ("live",), ("embed",), ("v",), ("e",), ("vi",), ("watch",)) and rest:
        return rest[0]
    return url.query.get("v")


def _youtube_link(video_id: str | None) -> Link | None:
    is_valid = video_id is not None and _YOUTUBE_ID.match(video_id)
    return _make_link(f"https://www.youtube.com/watch?v={video_id}") if is_valid else None


def _canonicalize_vimeo(url: URL) -> Link | None:
    video = _VIMEO.match(url.path) if _bare_host(url) in ("vimeo.com", "player.vimeo.com") else None
    if not video:
        return None
    unlisted = video[2] or url.query.get("h", "")
    return _make_link(f"https://vimeo.com/{video[1]}" + (f"/{unlisted}" if re.fullmatch("[0-9a-f]+", unlisted) else ""))


def _canonicalize_twitch(url: URL) -> Link | None:
    host = _bare_host(url)
    if host == "clips.twitch.tv":
        slug = url.query.get("clip") if url.path == "/embed" else None
        clip = _TWITCH_CLIP.match(f"/{slug}" if slug else url.path)
        return _make_link(f"https://clips.twitch.tv/{clip[1]}") if clip else None
    if host not in ("twitch.tv", "player.twitch.tv", "go.twitch.tv"):
        return None
    if "/clip/" in url.path and (clip := _TWITCH_CLIP.match(url.path)):
        return _make_link(f"https://clips.twitch.tv/{clip[1]}")
    video = _TWITCH_VIDEO.match(f"/videos/{url.query['video']}" if "video" in url.query else url.path)
    return _make_link(f"https://www.twitch.tv/videos/{video[1]}") if video else None


def _canonicalize_discord_attachment(url: URL, text: str) -> Link | None:
    """Return the link without the signature, which expires and differs in each copy of the link."""
    hosts = ("cdn.discordapp.com", "media.discordapp.net")
    if _bare_host(url) not in hosts or not url.path.startswith(("/attachments/", "/ephemeral-attachments/")):
        return None
    plain = _remove_parameters(url, lambda key: key in _DISCORD_SIGNATURE_PARAMETERS or _tracking_filter(url)(key))
    return Link(str(plain.with_scheme("https").with_host(hosts[0])), text.partition("#")[0])


def _tracking_filter(url: URL) -> Callable[[str], bool]:
    """Return a function that tells if a query key is a tracking parameter on this site."""
    site = _SITE_TRACKING_PARAMETERS.get(".".join(_bare_host(url).split(".")[-2:]), set())
    return lambda key: key in site or bool(_TRACKING_PARAMETERS.fullmatch(key))


def _remove_parameters(url: URL, is_removed: Callable[[str], bool]) -> URL:
    """Remove query parameters and keep the order and spelling of the others.

    On some sites, `?a` and `?a=` are two pages.
    """
    parts = [
        part for part in url.raw_query_string.split("&") if part and not is_removed(part.partition("=")[0].lower())
    ]
    bare = str(url.with_query(None))
    return URL(f"{bare}?{'&'.join(parts)}" if parts else bare, encoded=True)
