"""Metadata of a video: from yt-dlp, or from the page itself if the site withholds the video."""

import json
from dataclasses import astuple
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import yt_dlp
from yt_dlp.utils import YoutubeDLError

from indexer.errors import TooLargeError
from indexer.fetch.downloads import download_bytes
from indexer.fetch.ydl_session import InfoDict
from indexer.fetch.ytdlp_internals import read_open_graph
from indexer.types import Caption

_MAX_PAGE_BYTES = 4 * 1024**2
_MAX_TITLE_CHARS = 500
_MAX_DESCRIPTION_CHARS = 10_000
_MAX_CHAPTERS = 1000
_OEMBED_ENDPOINTS = {
    "www.youtube.com": "https://www.youtube.com/oembed?format=json&url=",
    "vimeo.com": "https://vimeo.com/api/oembed.json?url=",
}


def build_response(info: InfoDict, request: InfoDict) -> InfoDict:
    """Return the child's response with the metadata of a video, and without files yet.

    The title of a direct link to a file is its name with blanks for `_` and `-`. Without a title, it is the
    link.
    """
    title = info.get("title") or ""
    if info.get("direct") and title == Path(unquote(urlsplit(info.get("url", "")).path)).stem:
        title = title.replace("_", " ").replace("-", " ").strip()
    return {
        "title": _clean_text(title, _MAX_TITLE_CHARS) or _clean_text(request["url"], _MAX_TITLE_CHARS),
        "description": _clean_text(info.get("description"), _MAX_DESCRIPTION_CHARS),
        "duration_s": info.get("duration"),
        "published": _read_date(info),
        "is_first_of_several": info.get("is_first_of_several", False),
        "chapters": [
            astuple(
                Caption(chapter["start_time"], chapter["end_time"], _clean_text(chapter["title"], _MAX_TITLE_CHARS))
            )
            for chapter in (info.get("chapters") or ())[:_MAX_CHAPTERS]
            if chapter["end_time"] and not chapter["title"].startswith("<Untitled Chapter")
        ],
        "speech": [],
        "thumbnail": None,
        "media": None,
        "sound": None,
        "media_error_code": None,
    }


def _clean_text(value: object, max_chars: int) -> str:
    """Return a site's text, truncated, and with lone surrogates replaced, which no encoding accepts."""
    return str(value or "")[:max_chars].encode(errors="replace").decode().strip()


def _read_date(info: InfoDict) -> str | None:
    """Return the publication date in ISO format.

    Returns None if it is invalid: some sites give days that do not exist, or milliseconds for seconds.
    """
    day, timestamp_s = info.get("upload_date"), info.get("timestamp")
    try:
        if day:
            return date.fromisoformat(day).isoformat()
        return datetime.fromtimestamp(timestamp_s, UTC).date().isoformat() if timestamp_s else None
    except (ValueError, TypeError, OverflowError, OSError) as error:
        print(f"no date: {error}")
        return None


def read_page_metadata(ydl: yt_dlp.YoutubeDL, url: str) -> InfoDict | None:
    """Return title, description and thumbnails of a page, in the form of yt-dlp's info.

    None without a title.
    """
    endpoint = _OEMBED_ENDPOINTS.get(urlsplit(url).netloc)
    try:
        info = read_oembed(ydl, endpoint + quote(url, safe="")) if endpoint else read_open_graph_page(ydl, url)
    except (YoutubeDLError, TooLargeError, ValueError, AttributeError) as error:
        print(f"the page has no metadata: {error}")
        return None
    return info if info["title"] else None


def read_oembed(ydl: yt_dlp.YoutubeDL, endpoint: str) -> InfoDict:
    """Read an oEmbed response (https://oembed.com). Some sites serve it although they block their pages."""
    response = json.loads(download_bytes(ydl, endpoint, _MAX_PAGE_BYTES))
    return {"title": response.get("title"), "thumbnails": _list_thumbnails(response.get("thumbnail_url"))}


def read_open_graph_page(ydl: yt_dlp.YoutubeDL, url: str) -> InfoDict:
    """Read the Open Graph tags (https://ogp.me) of a page."""
    tags = read_open_graph(ydl, download_bytes(ydl, url, _MAX_PAGE_BYTES).decode(errors="replace"))
    return {
        "title": tags["title"],
        "description": tags["description"],
        "thumbnails": _list_thumbnails(tags["thumbnail"]),
    }


def _list_thumbnails(url: str | None) -> list[InfoDict]:
    return [{"url": url}] if url else []
