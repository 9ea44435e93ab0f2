"""Lists the videos of a playlist, a channel or a feed, in a child process: `python -m indexer.fetch.playlist_worker`.

`YtDlpFetcher.links` starts it. The same guard and limits hold as for a fetch, and nothing is downloaded but the list.
"""

import itertools
from ipaddress import ip_network

import yt_dlp
from yt_dlp.utils import YoutubeDLError

from indexer.errors import IndexerError, NoVideo
from indexer.fetch.fetch_worker import Info, Listener, find_runtime, options
from indexer.fetch.site_errors import meaning
from indexer.fetch.ytdlp_internals import keep_to_limits, keep_to_python
from indexer.sandbox.child import Share, serve
from indexer.sandbox.guard import Guard, install_guard


def listed(request: Info, share: Share) -> Info:
    """`request` as `YtDlpFetcher` makes it, with `most`. Raises `LinkRefused`, `FetchFailed`."""
    networks = tuple(ip_network(network) for network in request["allow_networks"])
    runtime = find_runtime()
    refused = install_guard(Guard(networks, request["proxy"]), frozenset({runtime} if runtime else ()))
    try:
        return {"links": _links(request, runtime)}
    except (YoutubeDLError, IndexerError, OSError, MemoryError) as error:
        raise (refused[0] if refused else meaning(error)) from error


def _links(request: Info, runtime: str | None) -> list[str]:
    wanted = {"noplaylist": False, "playlistend": request["most"], "extract_flat": True}
    with yt_dlp.YoutubeDL(options(request, runtime, Listener()) | wanted) as ydl:
        keep_to_python(ydl)
        keep_to_limits(ydl, 0)
        info = ydl.extract_info(request["url"], download=False)
        found = (each.get("webpage_url") or each.get("url") for each in _videos(ydl, info))
        links = list(itertools.islice(dict.fromkeys(filter(None, found)), request["most"]))
    if not links:
        raise NoVideo(f"an empty list at {request['url']}")
    return links


def _videos(ydl: yt_dlp.YoutubeDL, info: Info) -> list[Info]:
    """A channel's lists of videos stand inside its own list; one level down is as deep as any site goes."""
    found: list[Info] = []
    for entry in list(info.get("entries") or ()) if _is_list(info) else [info]:
        inner = ydl.process_ie_result(entry, download=False) if _is_list(entry) else entry
        found += list(inner.get("entries") or ()) if _is_list(inner) else [inner]
    return found


def _is_list(entry: Info) -> bool:
    return entry.get("_type") in ("playlist", "multi_video")


if __name__ == "__main__":
    serve(listed)
