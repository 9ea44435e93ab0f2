"""Tests of the private API of yt-dlp that `indexer.fetch.ytdlp_internals` uses."""

from collections.abc import Iterator

import pytest
from yt_dlp import YoutubeDL
from yt_dlp.version import __version__

from indexer.fetch.ytdlp_internals import CHECKED_VERSION, disable_native_transports

OPEN_GRAPH = ("title", "description", "thumbnail")


@pytest.fixture
def ydl() -> Iterator[YoutubeDL]:
    with YoutubeDL({"quiet": True}) as opened:
        yield opened


def test_private_api_of_ytdlp_exists(ydl: YoutubeDL) -> None:
    """If an upgrade of yt-dlp changed its private API, the message names the version that worked."""
    director, generic = ydl._request_director, ydl.get_info_extractor("Generic")
    uses = [(director, "send"), (director, "handlers"), *((generic, f"_og_search_{name}") for name in OPEN_GRAPH)]
    uses += [(handler, "_SUPPORTED_URL_SCHEMES") for handler in getattr(director, "handlers", {}).values()]
    missing = sorted({name for owner, name in uses if not hasattr(owner, name)})
    assert not missing, f"ytdlp_internals works with yt-dlp {CHECKED_VERSION}; {__version__} lacks {missing}"


def test_disable_native_transports_keeps_python_transports(ydl: YoutubeDL) -> None:
    """A transport in native code would bypass the audit hook. Each of the remaining ones was reviewed."""
    disable_native_transports(ydl)
    assert {*ydl._request_director.handlers} <= {"Urllib", "Requests", "Websockets"}
    assert "Urllib" in ydl._request_director.handlers
