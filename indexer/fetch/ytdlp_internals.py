"""What yt-dlp may do on the network: only what the guard sees, and only so much of it."""

from typing import Any

import yt_dlp
from yt_dlp.networking.exceptions import HTTPError

from indexer.errors import TooLargeError

_MAX_READ_BYTES = 32 * 1024**2
"""Of one page or manifest that yt-dlp reads at once."""
_BYTES_BESIDE_MEDIA = 128 * 1024**2
MAX_REQUESTS = 20_000
"""Of one link: two hours in pieces of half a second, and no more than that sent to whomever a manifest names."""
_SEEN_BY_GUARD = frozenset({"Urllib", "Requests", "Websockets"})
_SCHEMES = frozenset({"http", "https", "data", "ws", "wss"})


def disable_native_transports(ydl: yt_dlp.YoutubeDL) -> None:
    """The guard does not see what connects in native code (curl_cffi), so yt-dlp does without. Nor is FTP spoken."""
    handlers = ydl._request_director.handlers
    for name in handlers.keys() - _SEEN_BY_GUARD:
        del handlers[name]
    for handler in handlers.values():
        handler._SUPPORTED_URL_SCHEMES = tuple(_SCHEMES.intersection(handler._SUPPORTED_URL_SCHEMES))


def limit_traffic(ydl: yt_dlp.YoutubeDL, max_bytes: int) -> None:
    """Counts requests, and what really arrives of their answers, unpacked: a small page may unpack to a large one.

    Over a limit, whoever reads gets `TooLargeError`.
    """
    send, bytes_left, requests_left = ydl._request_director.send, max_bytes + _BYTES_BESIDE_MEDIA, MAX_REQUESTS

    def counted_send(request: Any) -> Any:
        nonlocal requests_left
        requests_left -= 1
        if requests_left < 0:
            raise TooLargeError(f"more than {MAX_REQUESTS} requests")
        try:
            return counted(send(request))
        except HTTPError as refused:
            counted(refused.response)
            raise

    def counted(response: Any) -> Any:
        read = response.read

        def counted_read(amount: int | None = None) -> bytes:
            nonlocal bytes_left
            most = min(_MAX_READ_BYTES if amount is None else amount, bytes_left)
            body: bytes = read(most + 1 if amount is None or amount > most else amount)
            bytes_left -= len(body)
            if len(body) > most:
                response.close()
                raise TooLargeError(f"more than {most} bytes")
            return body

        response.read = counted_read
        return response

    ydl._request_director.send = counted_send
