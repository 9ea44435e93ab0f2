"""Fetches one link inside a child process: `python -m indexer.fetch.fetch_worker`, started by `indexer.fetch.fetcher`.

Everything a site sends is hostile. Each connection this process makes is checked by the guard, nothing may be started
but the JavaScript runtime that yt-dlp solves a site's riddles with (yt-dlp gives it no access to network or files), and
no download is handed to another program.
"""

import io
import itertools
import json
import shutil
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import astuple
from datetime import UTC, date, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import yt_dlp
from PIL import Image
from yt_dlp.networking.exceptions import RequestError
from yt_dlp.utils import YoutubeDLError

from indexer.errors import (
    BlockedVideoError,
    IndexerError,
    LiveStreamError,
    NoPicturesError,
    NoVideoError,
    PlaylistRefusedError,
    PrivateVideoError,
    TooLargeError,
    TooLongError,
)
from indexer.fetch.site_errors import classify, classify_messages
from indexer.fetch.subtitles import MAX_SPEECH_BYTES, choose_track, parse_captions
from indexer.fetch.ytdlp_internals import disable_native_transports, limit_traffic
from indexer.sandbox.child import ProgressCallback, serve_request
from indexer.sandbox.guard import SsrfGuard, install_audit_hook
from indexer.types import Caption

# One file with pictures, around 360p: the largest up to it, else the smallest above; under 240 only where that is all.
FORMATS = "bv*[height>=240]/bv*"
ORDER = ["res:360", "vcodec:h264", "fps:30", "+size", "+br"]

THUMBNAIL_SIDE = 640
_MAX_THUMBNAIL_BYTES = 8 * 1024**2
_MAX_THUMBNAIL_PIXELS = 50_000_000
_THUMBNAIL_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_MAX_PAGE_BYTES = 4 * 1024**2
_MAX_TITLE_CHARS = 500
_MAX_DESCRIPTION_CHARS = 10_000
_MAX_CHAPTERS = 1000
_SOCKET_TIMEOUT_S = 20
_LIVE = frozenset({"is_live", "is_upcoming", "post_live"})
_OEMBED = {
    "www.youtube.com": "https://www.youtube.com/oembed?format=json&url=",
    "vimeo.com": "https://vimeo.com/api/oembed.json?url=",
}

Info = dict[str, Any]


class YtDlpLogger:
    """The logger yt-dlp talks to. What it warned of tells later why there is no video."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def debug(self, message: str) -> None:
        print(message)

    def warning(self, message: str) -> None:
        self.warnings.append(message)
        print(f"WARNING: {message}")

    def error(self, message: str) -> None:
        print(f"ERROR: {message}")


def fetch(request: Info, share: ProgressCallback) -> Info:
    """`request` as `indexer.fetch.fetcher` makes it. Raises `LinkRefused`, `FetchFailed`, `NoPicturesError`."""
    networks = tuple(ip_network(network) for network in request["allow_networks"])
    runtime = find_js_runtime()
    refused = install_audit_hook(SsrfGuard(networks, request["proxy"]), frozenset({runtime} if runtime else ()))
    try:
        answer = _fetch(request, share, runtime)
    except (YoutubeDLError, IndexerError, OSError, MemoryError) as error:
        raise (refused[0] if refused else classify(error)) from error
    if refused:  # what the page embeds was refused, and yt-dlp did without
        raise refused[0]
    return answer


def find_js_runtime() -> str | None:
    """Deno, from the environment's own scripts or the system."""
    return shutil.which("deno", path=sysconfig.get_path("scripts")) or shutil.which("deno")


def build_ydl_options(request: Info, runtime: str | None, listener: YtDlpLogger) -> Info:
    folder = Path(request["folder"])
    cookies = folder / "cookies.txt"
    if request["cookies_file"]:  # yt-dlp writes them back when it closes
        shutil.copyfile(request["cookies_file"], cookies)
    return {
        "logger": listener,
        "format": FORMATS,
        "format_sort": ORDER,
        "ignore_no_formats_error": True,
        "noplaylist": True,
        "playlistend": 2,
        "extract_flat": "in_playlist",
        "external_downloader": "native",
        "cachedir": False,
        "color": "never",
        "noprogress": True,
        "retries": 2,
        "fragment_retries": 2,
        "extractor_retries": 1,
        "socket_timeout": _SOCKET_TIMEOUT_S,
        "proxy": request["proxy"] or "",
        "cookiefile": str(cookies) if request["cookies_file"] else None,
        "js_runtimes": {"deno": {"path": runtime}} if runtime else {},
    }


def _fetch(request: Info, share: ProgressCallback, runtime: str | None) -> Info:
    listener = YtDlpLogger()
    with yt_dlp.YoutubeDL(build_ydl_options(request, runtime, listener)) as ydl:
        disable_native_transports(ydl)
        limit_traffic(ydl, request["max_bytes"])
        try:
            info = extract_info(ydl, request["url"])
        except (YoutubeDLError, IndexerError) as error:
            return _without_video(ydl, request, _reason(error, listener))
        _check(info, request)
        answer = _words(info, request)
        answer["thumbnail"] = _thumbnail(ydl, info, request)
        answer["speech"] = _speech(ydl, info, request) if request["speech"] else []
        try:
            answer["media"] = _media(ydl, info, request, listener, share)
        except (YoutubeDLError, IndexerError) as error:
            reason = classify(error)
            if not info.get("fulltitle"):  # yt-dlp made the title up
                return _without_video(ydl, request, reason)
            if not isinstance(reason, (BlockedVideoError, PrivateVideoError)):
                raise reason from error
            answer["missing"] = reason.code
        return answer


# ---- what the link leads to ----


def extract_info(ydl: yt_dlp.YoutubeDL, url: str) -> Info:
    """One video's description without its file. Raises yt-dlp's errors and `PlaylistRefusedError`."""
    info: Info = ydl.extract_info(url, download=False)
    if info.get("_type", "video") not in ("playlist", "multi_video"):
        return info
    entries = list(itertools.islice(info.get("entries") or (), 2))
    if not entries:
        raise NoVideoError(f"an empty list at {url}")
    if len(entries) > 1:
        raise PlaylistRefusedError(f"more than one video at {url}")
    only: Info = ydl.process_ie_result(entries[0], download=False)
    return only


def _check(info: Info, request: Info) -> None:
    if info.get("live_status") in _LIVE:
        raise LiveStreamError(info["live_status"])
    if (info.get("duration") or 0) > request["max_duration_s"]:
        raise TooLongError(f"{info['duration']} s")
    if (info.get("filesize") or 0) > request["max_bytes"]:
        raise TooLargeError(f"{info['filesize']} bytes")


def _words(info: Info, request: Info) -> Info:
    title = info.get("title") or ""
    if info.get("direct") and title == Path(unquote(urlsplit(info.get("url", "")).path)).stem:
        title = title.replace("_", " ").replace("-", " ").strip()
    return {
        "title": _text(title, _MAX_TITLE_CHARS) or _text(request["url"], _MAX_TITLE_CHARS),
        "description": _text(info.get("description"), _MAX_DESCRIPTION_CHARS),
        "duration_s": info.get("duration"),
        "published": _published(info),
        "chapters": [
            astuple(Caption(chapter["start_time"], chapter["end_time"], _text(chapter["title"], _MAX_TITLE_CHARS)))
            for chapter in (info.get("chapters") or ())[:_MAX_CHAPTERS]
            if chapter["end_time"] and not chapter["title"].startswith("<Untitled Chapter")
        ],
        "speech": [],
        "thumbnail": None,
        "media": None,
        "missing": None,
    }


def _text(value: object, max_chars: int) -> str:
    """Words of a site, cut to a length, without the half characters that no encoding takes."""
    return str(value or "")[:max_chars].encode(errors="replace").decode().strip()


def _published(info: Info) -> str | None:
    """A date that can't be read is none: sites name days that are not, or count milliseconds."""
    day, stamp = info.get("upload_date"), info.get("timestamp")
    try:
        if day:
            return date.fromisoformat(day).isoformat()
        return datetime.fromtimestamp(stamp, UTC).date().isoformat() if stamp else None
    except (ValueError, TypeError, OverflowError, OSError) as error:
        print(f"no date: {error}")
        return None


# ---- its files ----


def _media(ydl: yt_dlp.YoutubeDL, info: Info, request: Info, listener: YtDlpLogger, share: ProgressCallback) -> str:
    """The name of the downloaded file."""
    if not info.get("url"):
        raise _why_nothing(info, listener)
    media = Path(request["folder"]) / "media"
    ydl.add_progress_hook(_limit_bytes(request["max_bytes"], media, share))
    ydl.dl(str(media), info)
    if not media.is_file():
        raise classify_messages(listener.warnings)
    return media.name


def _why_nothing(info: Info, listener: YtDlpLogger) -> IndexerError:
    formats = info.get("formats") or []
    if any(each.get("vcodec") == "none" != each.get("acodec") for each in formats):
        return NoPicturesError("sound only")
    return classify_messages(listener.warnings)


def _limit_bytes(max_bytes: int, file: Path, share: ProgressCallback) -> Callable[[Mapping[str, Any]], None]:
    """Counts what really arrives of a file, in however many pieces: what a site says of its size may be wrong."""

    def hook(status: Mapping[str, Any]) -> None:
        if status.get("filename") != str(file):
            return
        arrived, total = status.get("downloaded_bytes") or 0, status.get("total_bytes") or 0
        if max(arrived, total) > max_bytes:
            raise TooLargeError(f"{max(arrived, total)} bytes")
        expected = total or status.get("total_bytes_estimate")
        if expected:
            share(arrived / expected)

    return hook


def _read(ydl: yt_dlp.YoutubeDL, url: str, max_bytes: int) -> bytes:
    with ydl.urlopen(url) as response:
        body: bytes = response.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise TooLargeError(f"{url}: more than {max_bytes} bytes")
    return body


def _thumbnail(ydl: yt_dlp.YoutubeDL, info: Info, request: Info) -> str | None:
    """The name of a JPEG. A video without its thumbnail is still a video."""
    offered = [each["url"] for each in info.get("thumbnails") or ()][::-1]
    for url in offered[:3]:
        try:
            small = _small(_read(ydl, url, _MAX_THUMBNAIL_BYTES))
            small.save(Path(request["folder"]) / "thumbnail.jpg", quality=90)
        except (RequestError, TooLargeError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            print(f"no thumbnail from {url}: {error}")
        else:
            return "thumbnail.jpg"
    return None


def _small(picture: bytes) -> Image.Image:
    """Raises `TooLargeError` by the picture's header, before it is unpacked."""
    with Image.open(io.BytesIO(picture), formats=_THUMBNAIL_FORMATS) as opened:
        if opened.width * opened.height > _MAX_THUMBNAIL_PIXELS:
            raise TooLargeError(f"{opened.width}×{opened.height} pixels")
        opened.draft("RGB", (THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        small = opened.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    return small


def _speech(ydl: yt_dlp.YoutubeDL, info: Info, request: Info) -> list[tuple[float, float, str]]:
    """Like the thumbnail: worth having, but its lack fails nothing."""
    track = choose_track(info)
    if track is None:
        return []
    path = Path(request["folder"]) / "speech"
    ydl.add_progress_hook(_limit_bytes(MAX_SPEECH_BYTES, path, lambda share: None))
    try:
        ydl.dl(str(path), {"http_headers": info.get("http_headers"), **track.source}, subtitle=True)
        with path.open("rb") as file:
            text = file.read(MAX_SPEECH_BYTES).decode("utf-8-sig", errors="replace")
        return [astuple(caption) for caption in parse_captions(text, track)]
    except (YoutubeDLError, TooLargeError, OSError, ValueError) as error:
        print(f"no speech: {error}")
        return []


# ---- words only ----


def _reason(error: Exception, listener: YtDlpLogger) -> IndexerError:
    """A page that refuses its stream counts as one without a video for yt-dlp, with a warning of the refusal."""
    reason, warned = classify(error), classify_messages(listener.warnings)
    return warned if isinstance(reason, NoVideoError) and isinstance(warned, (BlockedVideoError, PrivateVideoError)) else reason


def _without_video(ydl: yt_dlp.YoutubeDL, request: Info, reason: IndexerError) -> Info:
    """What the page tells of a video that it does not hand over. Raises the reason where it tells nothing."""
    if not isinstance(reason, (BlockedVideoError, PrivateVideoError)):
        raise reason
    info = page_metadata(ydl, request["url"])
    if not info:
        raise reason
    answer = _words(info, request)
    answer["thumbnail"] = _thumbnail(ydl, info, request)
    answer["missing"] = reason.code
    return answer


def page_metadata(ydl: yt_dlp.YoutubeDL, url: str) -> Info | None:
    """Title, description and thumbnail of a page; None without at least a title."""
    endpoint = _OEMBED.get(urlsplit(url).netloc)
    try:
        told = metadata_from_oembed(ydl, endpoint + quote(url, safe="")) if endpoint else metadata_from_open_graph(ydl, url)
    except (YoutubeDLError, TooLargeError, ValueError, AttributeError) as error:
        print(f"the page tells nothing: {error}")
        return None
    return told if told["title"] else None


def metadata_from_oembed(ydl: yt_dlp.YoutubeDL, endpoint: str) -> Info:
    """https://oembed.com, for sites that hide their pages from servers but not this."""
    told = json.loads(_read(ydl, endpoint, _MAX_PAGE_BYTES))
    return {"title": told.get("title"), "thumbnails": _pictures(told.get("thumbnail_url"))}


def metadata_from_open_graph(ydl: yt_dlp.YoutubeDL, url: str) -> Info:
    """https://ogp.me, as in the page's head."""
    page, reader = _read(ydl, url, _MAX_PAGE_BYTES).decode(errors="replace"), ydl.get_info_extractor("Generic")
    return {
        "title": reader._og_search_title(page, default=None),
        "description": reader._og_search_description(page, default=None),
        "thumbnails": _pictures(reader._og_search_thumbnail(page, default=None)),
    }


def _pictures(url: str | None) -> list[Info]:
    return [{"url": url}] if url else []


if __name__ == "__main__":
    serve_request(fetch)
