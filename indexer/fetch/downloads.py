"""Downloads with size limits: small responses, thumbnails and subtitles."""

import io
from collections.abc import Callable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import yt_dlp
from PIL import Image
from yt_dlp.networking.exceptions import RequestError
from yt_dlp.utils import YoutubeDLError

from indexer.captions import MAX_SUBTITLE_BYTES, parse_captions
from indexer.errors import TooLargeError
from indexer.fetch.subtitles import choose_track
from indexer.fetch.ydl_session import InfoDict
from indexer.images import PICTURE_FORMATS, UNREADABLE, scale_down
from indexer.sandbox.child import ProgressCallback

THUMBNAIL_SIDE_PX = 640

_MAX_THUMBNAIL_BYTES = 8 * 1024**2
_MAX_THUMBNAIL_PIXELS = 50_000_000
_MAX_THUMBNAIL_TRIES = 3


def download_bytes(ydl: yt_dlp.YoutubeDL, url: str, max_bytes: int) -> bytes:
    """Return the body of a response. Raises `TooLargeError` and yt-dlp's `RequestError`."""
    with ydl.urlopen(url) as response:
        body: bytes = response.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise TooLargeError(f"{url}: more than {max_bytes} bytes")
    return body


def make_byte_limit_hook(max_bytes: int, file: Path, progress: ProgressCallback) -> Callable[[Mapping[str, Any]], None]:
    """Return a progress hook for yt-dlp that raises `TooLargeError` if `file` exceeds `max_bytes`.

    It counts the bytes that arrived, over all segments, because the size that a site declares may be wrong.
    """

    def hook(status: Mapping[str, Any]) -> None:
        if status.get("filename") != str(file):
            return
        arrived, total = status.get("downloaded_bytes") or 0, status.get("total_bytes") or 0
        if max(arrived, total) > max_bytes:
            raise TooLargeError(f"{max(arrived, total)} bytes")
        expected = total or status.get("total_bytes_estimate")
        if expected:
            progress(arrived / expected)

    return hook


def download_thumbnail(ydl: yt_dlp.YoutubeDL, info: InfoDict, folder: Path) -> str | None:
    """Save the best readable thumbnail as a JPEG in `folder` and return its name.

    Returns None without one: a video without a thumbnail is still useful.
    """
    urls = [each["url"] for each in info.get("thumbnails") or ()][::-1]
    for url in urls[:_MAX_THUMBNAIL_TRIES]:
        try:
            small = _shrink(download_bytes(ydl, url, _MAX_THUMBNAIL_BYTES))
            small.save(folder / "thumbnail.jpg", quality=90)
        except (RequestError, TooLargeError, *UNREADABLE) as error:
            print(f"no thumbnail from {url}: {error}")
        else:
            return "thumbnail.jpg"
    return None


def _shrink(data: bytes) -> Image.Image:
    """Decode a picture and scale it down.

    Raises `TooLargeError` by its header, before pixels are unpacked.
    """
    with Image.open(io.BytesIO(data), formats=PICTURE_FORMATS) as original:
        if original.width * original.height > _MAX_THUMBNAIL_PIXELS:
            raise TooLargeError(f"{original.width}×{original.height} pixels")
        original.draft("RGB", (THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX))
        return scale_down(original, (THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX))


def download_speech(ydl: yt_dlp.YoutubeDL, info: InfoDict, folder: Path) -> list[tuple[float, float, str]]:
    """Return the captions of the best subtitle track as (start_s, end_s, text). Empty without a track."""
    track = choose_track(info)
    if track is None:
        return []
    path = folder / "speech"
    ydl.add_progress_hook(make_byte_limit_hook(MAX_SUBTITLE_BYTES, path, lambda share: None))
    try:
        ydl.dl(str(path), {"http_headers": info.get("http_headers"), **track.source}, subtitle=True)
        with path.open("rb") as file:
            text = file.read(MAX_SUBTITLE_BYTES).decode("utf-8-sig", errors="replace")
        return [
            astuple(caption) for caption in parse_captions(text, track.source["ext"], is_automatic=track.is_automatic)
        ]
    except (YoutubeDLError, TooLargeError, OSError, ValueError) as error:
        print(f"no speech: {error}")
        return []
