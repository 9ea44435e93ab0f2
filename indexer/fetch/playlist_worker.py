"""Child process that lists videos of a playlist, channel or feed: `python -m indexer.fetch.playlist_worker`.

`YtDlpFetcher.list_links` starts it. It has the same guard and limits as a fetch, and downloads only the list.
"""

import itertools

import yt_dlp

from indexer.errors import NoVideoError
from indexer.fetch.ydl_session import InfoDict, YtDlpLogger, guard_network, open_ydl
from indexer.sandbox.child import ProgressCallback, serve_request


def list_playlist(request: InfoDict, progress: ProgressCallback) -> InfoDict:
    """Return up to `request["max_links"]` distinct links. Raises `LinkRefusedError`, `FetchError`."""
    with guard_network(request):
        return {"links": _list_links(request)}


def _list_links(request: InfoDict) -> list[str]:
    options = {"noplaylist": False, "playlistend": request["max_links"], "extract_flat": True}
    with open_ydl(request, YtDlpLogger(), 0, **options) as ydl:
        info = ydl.extract_info(request["url"], download=False)
        found = (each.get("webpage_url") or each.get("url") for each in _list_videos(ydl, info))
        links = list(itertools.islice(dict.fromkeys(filter(None, found)), request["max_links"]))
    if not links:
        raise NoVideoError(f"an empty list at {request['url']}")
    return links


def _list_videos(ydl: yt_dlp.YoutubeDL, info: InfoDict) -> list[InfoDict]:
    """Return the entries of a list and of the lists in it.

    A channel's list contains its lists of videos. No site nests them deeper than that.
    """
    videos: list[InfoDict] = []
    for entry in list(info.get("entries") or ()) if _is_list(info) else [info]:
        inner = ydl.process_ie_result(entry, download=False) if _is_list(entry) else entry
        videos += list(inner.get("entries") or ()) if _is_list(inner) else [inner]
    return videos


def _is_list(entry: InfoDict) -> bool:
    return entry.get("_type") in ("playlist", "multi_video")


if __name__ == "__main__":
    serve_request(list_playlist)
