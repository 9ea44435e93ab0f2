"""Gets a link's words and its smallest serving file: `indexer.fetch.fetch_worker` does the work, in a child process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from indexer.errors import FetchDeadlineError, FetchError
from indexer.link.canonical import Link, canonicalize, file_url_to_path, link_to_local_file
from indexer.ports import StageProgressCallback
from indexer.sandbox.child import ResourceLimits
from indexer.sandbox.guard import HostResolver, Networks, SsrfGuard, resolve_host
from indexer.sandbox.parent import ChildCrashedError, ChildTimeoutError, run_child
from indexer.types import Caption, FetchResult, Video

_BYTES_OVER_LIMIT = 16 * 1024**2
"""The file-size limit of the system is only the backstop of the one that counts what arrives."""


@dataclass(frozen=True)
class YtDlpFetcher:
    """An `indexer.ports.Fetcher`. `cookies_file` is in Netscape format; `proxy` is an address all requests go to."""

    max_duration_s: float
    max_bytes: int
    timeout_s: float
    memory_limit_bytes: int
    allow_networks: Networks = ()
    speech: bool = True
    cookies_file: Path | None = None
    proxy: str | None = None
    resolve: HostResolver = resolve_host
    stopping: Event | None = None

    def fetch(self, link: str, folder: Path, progress: StageProgressCallback) -> FetchResult:
        """`link` from outside was refused before if it names a file; here a `file://` address is one of the operator's.

        Raises `LinkRefused`, `FetchError`, or `NoPictures` where a site offers sound only.
        """
        if link.startswith("file://"):
            return _local(link_to_local_file(link))
        found = canonicalize(link)
        SsrfGuard(self.allow_networks, self.proxy, self.resolve).check_url(found.fetch_url)
        progress("fetch", 0.0)
        limits = ResourceLimits(self.timeout_s, self.memory_limit_bytes, self.max_bytes + _BYTES_OVER_LIMIT)
        request = self._request(found.fetch_url, folder)
        answer = self._run(
            "indexer.fetch.fetch_worker", request, limits, folder, lambda share: progress("fetch", share)
        )
        progress("fetch", 1.0)
        return _fetched(found, folder, answer)

    def links(self, link: str, folder: Path, most: int) -> list[str]:
        """The videos of a playlist, a channel or a feed. Raises `LinkRefused`, `FetchError`."""
        SsrfGuard(self.allow_networks, self.proxy, self.resolve).check_url(link)
        limits = ResourceLimits(self.timeout_s, self.memory_limit_bytes, _BYTES_OVER_LIMIT)
        request = self._request(link, folder) | {"most": most}
        answer = self._run("indexer.fetch.playlist_worker", request, limits, folder, lambda share: None)
        return list(answer["links"])

    def _run(
        self, module: str, request: dict[str, Any], limits: ResourceLimits, folder: Path, share: Callable[[float], None]
    ) -> Mapping[str, Any]:
        try:
            return run_child(module, request, limits, folder, share, self.stopping)
        except ChildTimeoutError as error:
            raise FetchDeadlineError(str(error)) from error
        except ChildCrashedError as error:
            raise FetchError(str(error)) from error

    def _request(self, url: str, folder: Path) -> dict[str, Any]:
        return {
            "url": url,
            "folder": str(folder.resolve()),
            "max_duration_s": self.max_duration_s,
            "max_bytes": self.max_bytes,
            "allow_networks": [str(network) for network in self.allow_networks],
            "speech": self.speech,
            "cookies_file": str(self.cookies_file.resolve()) if self.cookies_file else None,
            "proxy": self.proxy,
        }


def _local(link: Link) -> FetchResult:
    media = file_url_to_path(link.url)
    title = media.stem.replace("_", " ").replace("-", " ").strip()
    return FetchResult(Video(link.video_id, link.url, title or media.name), media)


def _fetched(link: Link, folder: Path, answer: Mapping[str, Any]) -> FetchResult:
    def file(name: str | None) -> Path | None:
        return folder / Path(name).name if name else None

    return FetchResult(
        video=Video(
            link.video_id, link.url, answer["title"], answer["description"], answer["duration_s"], answer["published"]
        ),
        media=file(answer["media"]),
        thumbnail=file(answer["thumbnail"]),
        speech=tuple(Caption(*each) for each in answer["speech"]),
        chapters=tuple(Caption(*each) for each in answer["chapters"]),
        missing=answer["missing"],
    )
