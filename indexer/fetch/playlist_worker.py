"""Lists the videos of a playlist, a channel or a feed, in a child process: `python -m indexer.fetch.playlist_worker`.

`YtDlpFetcher.links` starts it. The same guard and limits hold as for a fetch, and nothing is downloaded but the list.
"""

import itertools
from ipaddress import ip_network

import yt_dlp
from yt_dlp.utils import YoutubeDLError

from indexer.errors import IndexerError, NoVideoError
from indexer.fetch.fetch_worker import Info, YtDlpLogger, build_ydl_options, find_js_runtime
from indexer.fetch.site_errors import classify
from indexer.fetch.ytdlp_internals import disable_native_transports, limit_traffic
from indexer.sandbox.child import ProgressCallback, serve_request
from indexer.sandbox.guard import SsrfGuard, install_audit_hook


def list_playlist(request: Info, share: ProgressCallback) -> Info:
    """`request` as `YtDlpFetcher` makes it, with `most`. Raises `LinkRefused`, `FetchFailed`."""
    networks = tuple(ip_network(network) for network in request["allow_networks"])
    runtime = find_js_runtime()
    refused = install_audit_hook(SsrfGuard(networks, request["proxy"]), frozenset({runtime} if runtime else ()))
    try:
        return {"links": _links(request, runtime)}
    except (YoutubeDLError, IndexerError, OSError, MemoryError) as error:
        raise (refused[0] if refused else classify(error)) from error


def _links(request: Info, runtime: str | None) -> list[str]:
    wanted = {"noplaylist": False, "playlistend": request["most"], "extract_flat": True}
    with yt_dlp.YoutubeDL(build_ydl_options(request, runtime, YtDlpLogger()) | wanted) as ydl:
        disable_native_transports(ydl)
        limit_traffic(ydl, 0)
        info = ydl.extract_info(request["url"], download=False)
        found = (each.get("webpage_url") or each.get("url") for each in _videos(ydl, info))
        links = list(itertools.islice(dict.fromkeys(filter(None, found)), request["most"]))
    if not links:
        raise NoVideoError(f"an empty list at {request['url']}")
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
    serve_request(list_playlist)
