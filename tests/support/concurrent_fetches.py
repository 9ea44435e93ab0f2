"""A child that fetches many links, each in a process forked off it: python -m tests.support.concurrent_fetches.

They fetch as `indexer.fetch.fetch_worker` and `indexer.fetch.playlist_worker` do, guard and all; only what yt-dlp knows of sites, which takes
most of a child's time to load, is loaded once.
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

FEW = 2
LOOPBACK = "127.0.0.1/32"
"""All that may be reached: the tests' site is there, and their trap everywhere else on this machine."""
LIMITS = ResourceLimits(timeout_s=60, memory_bytes=1024**3, file_bytes=32 * 1024**2)


def request(url: str, folder: Path, **changed: Any) -> dict[str, Any]:
    """As `YtDlpFetcher` makes it for its child."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "url": url,
        "folder": str(folder),
        "max_duration_s": 7200.0,
        "max_bytes": 10**7,
        "allow_networks": [LOOPBACK],
        "speech": True,
        "cookies_file": None,
        "proxy": None,
        **changed,
    }


def fetched(requests: list[dict[str, Any]], folder: Path, limits: ResourceLimits = LIMITS) -> list[dict[str, Any]]:
    """How each ended."""
    ended = run_child("tests.support.concurrent_fetches", {"requests": requests}, limits, folder, lambda share: None)["ended"]
    return list(ended)


def work(request: dict[str, Any], share: ProgressCallback) -> dict[str, Any]:
    if len(request["requests"]) > FEW:
        with yt_dlp.YoutubeDL({"quiet": True}) as ydl:
            for site in ydl._ies.values():
                site.suitable("http://127.0.0.1/")
    return {"ended": [_forked(each) for each in request["requests"]]}


def _forked(request: dict[str, Any]) -> dict[str, Any]:
    """How it ended; nothing where the child died."""
    reading, writing = os.pipe()
    if not os.fork():
        with os.fdopen(writing, "w") as answer:
            json.dump(_ended(request), answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.wait()
    return json.loads(said) if said else {"error": None}


def _ended(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return list_playlist(request, lambda _: None) if "most" in request else fetch(request, lambda _: None)
    except IndexerError as error:
        return {"error": type(error).__name__}
    except Exception as error:  # where a child of one link dies, and the job is told so
        return {"error": f"died of {type(error).__name__}"}


if __name__ == "__main__":
    serve_request(work)
