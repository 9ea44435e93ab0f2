"""Canonical links: all forms of a link to the same video become one URL, and so one video id.

Each site of `indexer.link.sites` has its own canonical form. Any other URL keeps its path and the order of its
query; host and default port are normalized, fragment and tracking parameters are removed.
"""

import re
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from yarl import URL

from indexer.errors import NotALinkError, PlaylistRefusedError, SchemeRefusedError
from indexer.link.site import append_second
from indexer.link.sites import find_site
from indexer.link.tracking import find_redirection, remove_tracking

MAX_LINK_CHARS: Final = 4096
MAX_REDIRECTIONS: Final = 3

_IN_BRACKETS_OR_QUOTES = re.compile(r"""^(?:<([^<>|]+)(?:\|[^<>]*)?>|"(.+)"|'(.+)'|`(.+)`|“(.+)”|‘(.+)’)$""")
_WITHOUT_SCHEME = re.compile(r"^(?:[^\W_](?:[\w-]*\.)+)(?P<top_level>[\w-]+)(?::\d+)?/\S")
_WEB_HOST = re.compile(r"^www\.(?:[\w-]+\.)+[^\W\d_]{2,}$", re.IGNORECASE)
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_SEEKABLE_FILE: Final = re.compile(r"\.(?:mp4|m4v|mov|webm|mkv|ogv|3gp)$", re.IGNORECASE)
"""Files that browsers play themselves: then `#t=` opens them at a second (https://www.w3.org/TR/media-frags/)."""


@dataclass(frozen=True)
class Link:
    """Canonical link. `url` identifies the video and is shown to users; `fetch_url` is downloaded.

    `fetch_url` of an unknown site keeps the spelling that the user pasted. It may carry a signature that expires.
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
    for _ in range(MAX_REDIRECTIONS):
        if (target := find_redirection(text)) is None:
            break
        text = _extract_address(target)
    url = _parse(text)
    if (site := find_site(url)) and (address := site.find_address(url)):
        return Link(address, _make_signed_address(address, url) if site.is_signed else site.address_to_fetch(address))
    return Link(str(remove_tracking(url)), text.partition("#")[0])


def is_video_address(url: str) -> bool:
    """Return whether a canonical URL is the address of one video on a site whose forms are known."""
    parsed = URL(url)
    site = find_site(parsed)
    with suppress(PlaylistRefusedError):
        return site is not None and site.find_address(parsed) is not None
    return False


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
    """Return a link that opens a video at a second, in the syntax of its site, or plainly if the site has none."""
    second = int(start_s)
    if second <= 0:
        return canonical_url
    url = URL(canonical_url)
    site = find_site(url)
    if site and (site.read_address is None or is_video_address(canonical_url)):
        return append_second(canonical_url, site.jump, second) if site.jump else canonical_url
    is_seekable = url.scheme == "file" or _SEEKABLE_FILE.search(url.path)
    return append_second(canonical_url, "#t={s}", second) if is_seekable else canonical_url


def _extract_address(link: str) -> str:
    """Return the http(s) address in a pasted text, without brackets or quotes around it."""
    text = link.strip().replace("&amp;", "&")
    if wrapped := _IN_BRACKETS_OR_QUOTES.match(text):
        text = next(part for part in wrapped.groups() if part).strip()
    if len(text) > MAX_LINK_CHARS or re.search(r"[\s\\\x00-\x20\x7f]", text):
        raise NotALinkError(f"not one address: {text[:200]!r}")
    bare = _WITHOUT_SCHEME.match(text)
    if _WEB_HOST.match(text) or (bare and not bare["top_level"].isdecimal()):
        return f"https://{text}"
    scheme = _SCHEME.match(text)
    if not scheme:
        raise NotALinkError(f"no address: {text[:200]!r}")
    if scheme[1].lower() not in ("http", "https"):
        raise SchemeRefusedError(f"{scheme[1]}: is not http(s)")
    return text


def _parse(address: str) -> URL:
    """Return an address without its fragment, or the one of a video that its fragment has (`…/#/watch?v=…`)."""
    try:
        url = URL(address)
        route = url.fragment.removeprefix("!")
        url = url.with_fragment(None)
        routed = url.join(URL(route)) if route.startswith("/") else url
    except (ValueError, UnicodeError) as error:
        raise NotALinkError(f"{error}: {address!r}") from error
    if not url.raw_host:
        raise NotALinkError(f"no host: {address!r}")
    return routed if routed != url and is_video_address(str(routed)) else url


def _make_signed_address(address: str, url: URL) -> str:
    """Return the canonical address with the signature of the link that was sent."""
    signature = [part for part in url.raw_query_string.split("&") if part.partition("=")[0] in ("ex", "is", "hm")]
    return f"{address}?{'&'.join(signature)}&" if signature else address
