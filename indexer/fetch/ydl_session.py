"""Configuration of yt-dlp inside a sandboxed child: options, logger, SSRF guard, JavaScript runtime."""

import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeAlias

import yt_dlp
from yt_dlp.utils import YoutubeDLError

from indexer.errors import AddressRefusedError, IndexerError
from indexer.fetch.site_errors import classify
from indexer.fetch.ytdlp_internals import MAX_NON_MEDIA_BYTES, disable_native_transports, limit_traffic
from indexer.sandbox.environment import names_authorities
from indexer.sandbox.guard import SsrfGuard, install_audit_hook

InfoDict: TypeAlias = dict[str, Any]
"""yt-dlp's description of a video or a playlist, and other JSON objects."""

# One file with pictures, around 360p: the largest up to that, else the smallest above it. Less than 240 lines
# only if the site has no more.
FORMATS = "bv*[height>=240]/bv*"
FORMAT_ORDER = ["res:360", "vcodec:h264", "fps:30", "+size", "+br"]

_SOCKET_TIMEOUT_S = 20


class YtDlpLogger:
    """Logger for yt-dlp. It keeps the warnings, which may explain why a page has no video."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def debug(self, message: str) -> None:
        print(message)

    def warning(self, message: str) -> None:
        self.warnings.append(message)
        print(f"WARNING: {message}")

    def error(self, message: str) -> None:
        print(f"ERROR: {message}")


@contextmanager
def guard_network(request: InfoDict) -> Iterator[list[AddressRefusedError]]:
    """Install the audit hook with the request's rules, and turn errors of yt-dlp into `IndexerError`.

    Yields the list of refused connections. The first of them replaces any later error, which it caused.
    """
    networks = tuple(ip_network(network) for network in request["allow_networks"])
    runtime = find_js_runtime()
    refused = install_audit_hook(SsrfGuard(networks, request["proxy"]), frozenset({runtime} if runtime else ()))
    try:
        yield refused
    except (YoutubeDLError, IndexerError, OSError, MemoryError) as error:
        raise (refused[0] if refused else classify(error)) from error


@contextmanager
def open_ydl(request: InfoDict, logger: YtDlpLogger, max_bytes: int, **options: Any) -> Iterator[yt_dlp.YoutubeDL]:
    """Open yt-dlp with the request's options, without native transports, and with limited traffic.

    `options` override those of `build_ydl_options`.
    """
    with yt_dlp.YoutubeDL(build_ydl_options(request, find_js_runtime(), logger) | options) as ydl:
        disable_native_transports(ydl)
        limit_traffic(ydl, max_bytes + MAX_NON_MEDIA_BYTES)
        yield ydl


def find_js_runtime() -> str | None:
    """Return the path of Deno in this environment's scripts folder or on the PATH, or None."""
    return shutil.which("deno", path=sysconfig.get_path("scripts")) or shutil.which("deno")


def build_ydl_options(request: InfoDict, runtime: str | None, logger: YtDlpLogger) -> InfoDict:
    """Return options for `yt_dlp.YoutubeDL`. `runtime` is the JavaScript runtime.

    Copies the operator's cookies file into the working folder, because yt-dlp writes cookies back when it
    closes.
    """
    cookies = Path(request["folder"]) / "cookies.txt"
    if request["cookies_file"]:
        shutil.copyfile(request["cookies_file"], cookies)
    return {
        "logger": logger,
        "format": FORMATS,
        "format_sort": FORMAT_ORDER,
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
        "compat_opts": {"no-certifi"} if names_authorities() else set(),
        "proxy": request["proxy"] or "",
        "http_headers": request.get("headers", {}),
        "cookiefile": str(cookies) if request["cookies_file"] else None,
        "js_runtimes": {"deno": {"path": runtime}} if runtime else {},
    }
