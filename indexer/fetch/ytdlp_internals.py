"""All uses of yt-dlp's private API: limits on what it may do on the network, and its parser of page metadata.

Written for yt-dlp 2026.10.26. `tests/indexer/fetch/test_ytdlp_internals.py` fails if a later version lacks a
part of this API. The audit hook of `indexer.sandbox.guard` sees only sockets that Python opens, so yt-dlp is
restricted to these.
"""

from collections.abc import Mapping
from typing import Any

import yt_dlp
from yt_dlp.networking.exceptions import HTTPError

from indexer.errors import TooLargeError

CHECKED_VERSION = "2026.10.26"
"""The yt-dlp version that this module was written for."""

MAX_NON_MEDIA_BYTES = 128 * 1024**2
"""Maximum size of all pages, manifests, thumbnails and subtitles of one link."""
MAX_REQUESTS_PER_LINK = 20_000
"""Enough for two hours in segments of half a second. Also limits how many requests a manifest can aim at a
third party.
"""

_MAX_READ_BYTES = 32 * 1024**2
"""Maximum size of one page or manifest that yt-dlp reads at once."""
_PYTHON_TRANSPORTS = frozenset({"Urllib", "Requests", "Websockets"})
_ALLOWED_SCHEMES = frozenset({"http", "https", "data", "ws", "wss"})


def disable_native_transports(ydl: yt_dlp.YoutubeDL) -> None:
    """Remove FTP and transports in native code (curl_cffi), whose connections the audit hook does not see."""
    handlers = ydl._request_director.handlers
    for name in handlers.keys() - _PYTHON_TRANSPORTS:
        del handlers[name]
    for handler in handlers.values():
        handler._SUPPORTED_URL_SCHEMES = tuple(_ALLOWED_SCHEMES.intersection(handler._SUPPORTED_URL_SCHEMES))


def limit_traffic(ydl: yt_dlp.YoutubeDL, max_bytes: int, max_requests: int = MAX_REQUESTS_PER_LINK) -> None:
    """Limit the number of requests and the total size of the responses.

    Counts bytes after decompression, because a small response may unpack to a large one. Over a limit, the reader of
    a response gets `TooLargeError`.
    """
    send = ydl._request_director.send
    bytes_left, requests_left = max_bytes, max_requests

    def send_counted(request: Any) -> Any:
        nonlocal requests_left
        requests_left -= 1
        if requests_left < 0:
            raise TooLargeError(f"more than {max_requests} requests")
        try:
            return count_bytes(send(request))
        except HTTPError as error:
            count_bytes(error.response)
            raise

    def count_bytes(response: Any) -> Any:
        read = response.read

        def read_counted(amount: int | None = None) -> bytes:
            nonlocal bytes_left
            limit = min(_MAX_READ_BYTES if amount is None else amount, bytes_left)
            body: bytes = read(limit + 1 if amount is None or amount > limit else amount)
            bytes_left -= len(body)
            if len(body) > limit:
                response.close()
                raise TooLargeError(f"more than {limit} bytes")
            return body

        response.read = read_counted
        return response

    ydl._request_director.send = send_counted


def read_open_graph(ydl: yt_dlp.YoutubeDL, page: str) -> Mapping[str, str | None]:
    """Return title, description and thumbnail URL from the Open Graph tags (https://ogp.me) of a page."""
    extractor = ydl.get_info_extractor("Generic")
    return {
        "title": extractor._og_search_title(page, default=None),
        "description": extractor._og_search_description(page, default=None),
        "thumbnail": extractor._og_search_thumbnail(page, default=None),
    }
