"""Child process that fetches several links, each in a process forked from it.

They run `indexer.fetch.fetch_worker` and `indexer.fetch.playlist_worker` with guard and limits. Only yt-dlp's list of
sites, which takes most of a child's start time, is loaded once for all.
"""

import json
import os
from pathlib import Path
from typing import Any

import yt_dlp

from indexer.errors import IndexerError
from indexer.fetch.fetch_worker import fetch
from indexer.fetch.playlist_worker import list_playlist
from indexer.sandbox.child import ProgressCallback, ResourceLimits, serve_request
from indexer.sandbox.parent import run_child

PRELOAD_FROM = 3
"""Minimum number of links for which loading yt-dlp's sites beforehand is faster."""
LOOPBACK = "127.0.0.1/32"
"""The only allowed network. The tests' site is there; the trap listens on this machine's other addresses."""
LIMITS = ResourceLimits(timeout_s=60, memory_bytes=1024**3, file_bytes=32 * 1024**2)


def build_request(url: str, folder: Path, **changes: Any) -> dict[str, Any]:
    """Return a request like those of `YtDlpFetcher`, with `changes`."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "url": url,
        "canonical_url": url,
        "folder": str(folder),
        "max_duration_s": 7200.0,
        "max_bytes": 10**7,
        "allow_networks": [LOOPBACK],
        "wants_speech": True,
        "wants_sound": True,
        "cookies_file": None,
        "proxy": None,
        **changes,
    }


def fetch_all(requests: list[dict[str, Any]], folder: Path, limits: ResourceLimits = LIMITS) -> list[dict[str, Any]]:
    """Return the response of each fetch, or `{"error": class name}`."""
    module = "tests.support.indexer.concurrent_fetches"
    return list(run_child(module, {"requests": requests}, limits, folder, lambda share: None)["responses"])


def fetch_in_forks(request: dict[str, Any], progress: ProgressCallback) -> dict[str, Any]:
    if len(request["requests"]) >= PRELOAD_FROM:
        with yt_dlp.YoutubeDL({"quiet": True}) as ydl:
            for site in ydl._ies.values():
                site.suitable("http://127.0.0.1/")
    return {"responses": [_fetch_in_fork(each) for each in request["requests"]]}


def _fetch_in_fork(request: dict[str, Any]) -> dict[str, Any]:
    """Return the response, or `{"error": None}` if the forked process crashed."""
    reading, writing = os.pipe()
    if not os.fork():
        with os.fdopen(writing, "w") as pipe:
            json.dump(_fetch_or_error(request), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        response = pipe.read()
    os.wait()
    return dict(json.loads(response)) if response else {"error": None}


def _fetch_or_error(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return list_playlist(request, lambda _: None) if "max_links" in request else fetch(request, lambda _: None)
    except IndexerError as error:
        return {"error": type(error).__name__}
    except Exception as error:  # a child with one link would crash here
        return {"error": f"crashed with {type(error).__name__}"}


if __name__ == "__main__":
    serve_request(fetch_in_forks)
