"""Fetcher adapter: runs `fetch_worker` or `playlist_worker` of this package in a sandboxed child process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from indexer.errors import FetchDeadlineError, FetchError, NoVideoError, OtherAddressError, SlackFileError
from indexer.link.canonical import Link, canonicalize, file_url_to_path, link_to_local_file
from indexer.link.searches import limit_search
from indexer.ports import StageProgressCallback
from indexer.sandbox.child import ProgressCallback, ResourceLimits
from indexer.sandbox.guard import HostResolver, Networks, SsrfGuard, resolve_host
from indexer.sandbox.parent import ChildCrashedError, ChildTimeoutError, run_child
from indexer.stages import IndexStage
from indexer.types import Caption, FetchResult, Video

_FILE_LIMIT_MARGIN_BYTES = 16 * 1024**2
"""Margin of the rlimit on file size over `max_bytes`. It is a backstop of the limit that counts what arrives.
"""


@dataclass(frozen=True)
class YtDlpFetcher:
    """Implementation of `indexer.ports.Fetcher` with yt-dlp.

    `cookies_file` is in Netscape format. `proxy` is the address of a proxy for all requests; without one,
    the environment may name one for a link (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY). Setting the
    event `stopping` kills a running child.
    """

    max_duration_s: float
    max_bytes: int
    timeout_s: float
    memory_limit_bytes: int
    allow_networks: Networks = ()
    wants_speech: bool = True
    wants_sound: bool = True
    cookies_file: Path | None = None
    proxy: str | None = None
    resolve: HostResolver = resolve_host
    stopping: Event | None = None
    make_headers: Callable[[str], Mapping[str, str]] = lambda address: {}
    """Returns the headers that authorize the download of a canonical address. Raises `FetchError`."""
    sign: Callable[[str], str] = lambda address: address
    """Returns an address to fetch with a valid signature, if it needs one. Raises `FetchError`."""
    run_in_child: Callable[..., Mapping[str, Any]] = run_child
    """Runs one of the workers in a child process; see `indexer.sandbox.parent.run_child`."""

    def fetch(self, link: str, folder: Path, progress: StageProgressCallback) -> FetchResult:
        """Download a link's metadata and its smallest sufficient file into `folder`.

        A `file://` link is the operator's own: links of users were refused before if they name a file. Raises
        `LinkRefusedError`, `FetchError`, `NoPicturesError` if a site offers sound only, or `OtherAddressError` if the
        site says that the video is known by another address.
        """
        if link.startswith("file://"):
            return _describe_local_file(link_to_local_file(link))
        canonical = canonicalize(link)
        SsrfGuard(self.allow_networks, self.proxy, self.resolve).check_url(canonical.fetch_url)
        progress(IndexStage.FETCH, 0.0)
        limits = ResourceLimits(self.timeout_s, self.memory_limit_bytes, self.max_bytes + _FILE_LIMIT_MARGIN_BYTES)
        headers = dict(self.make_headers(canonical.url))
        request = self._build_request(self.sign(canonical.fetch_url), folder) | {"headers": headers}
        try:
            response = self._run(
                "indexer.fetch.fetch_worker", request, limits, folder, lambda share: progress(IndexStage.FETCH, share)
            )
        except NoVideoError as error:
            if not headers:
                raise
            # Slack answers a wrong token with its sign-in page.
            raise SlackFileError(str(error)) from error
        if other := response.get("other_address"):
            raise OtherAddressError(canonicalize(other).url)
        progress(IndexStage.FETCH, 1.0)
        return _parse_response(canonical, folder, response)

    def list_links(self, link: str, folder: Path, max_links: int) -> list[str]:
        """Return links to the videos of a playlist, channel or feed, or of a search on YouTube.

        Raises `LinkRefusedError`, `FetchError`.
        """
        address = limit_search(link, max_links)
        if address is None:
            address = link.strip()
            SsrfGuard(self.allow_networks, self.proxy, self.resolve).check_url(address)
        limits = ResourceLimits(self.timeout_s, self.memory_limit_bytes, _FILE_LIMIT_MARGIN_BYTES)
        request = self._build_request(address, folder) | {"max_links": max_links}
        response = self._run("indexer.fetch.playlist_worker", request, limits, folder, lambda share: None)
        return list(response["links"])

    def _run(
        self, module: str, request: dict[str, Any], limits: ResourceLimits, folder: Path, progress: ProgressCallback
    ) -> Mapping[str, Any]:
        try:
            return self.run_in_child(module, request, limits, folder, progress, self.stopping)
        except ChildTimeoutError as error:
            raise FetchDeadlineError(str(error)) from error
        except ChildCrashedError as error:
            raise FetchError(str(error)) from error

    def _build_request(self, url: str, folder: Path) -> dict[str, Any]:
        return {
            "url": url,
            "folder": str(folder.resolve()),
            "max_duration_s": self.max_duration_s,
            "max_bytes": self.max_bytes,
            "allow_networks": [str(network) for network in self.allow_networks],
            "wants_speech": self.wants_speech,
            "wants_sound": self.wants_sound,
            "cookies_file": str(self.cookies_file.resolve()) if self.cookies_file else None,
            "proxy": SsrfGuard(self.allow_networks, self.proxy).choose_proxy(url),
        }


def _describe_local_file(link: Link) -> FetchResult:
    """Return a local file as it is, with its name as title."""
    media = file_url_to_path(link.url)
    title = media.stem.replace("_", " ").replace("-", " ").strip()
    return FetchResult(Video(link.video_id, link.url, title or media.name), media)


def _parse_response(link: Link, folder: Path, response: Mapping[str, Any]) -> FetchResult:
    """Return the child's response as a value.

    Only the last part of a file name counts, so files are in `folder`.
    """

    def locate(name: str | None) -> Path | None:
        return folder / Path(name).name if name else None

    return FetchResult(
        video=Video(
            link.video_id,
            link.url,
            response["title"],
            response["description"],
            response["duration_s"],
            response["published"],
            response["is_first_of_several"],
        ),
        media=locate(response["media"]),
        sound=locate(response["sound"]),
        thumbnail=locate(response["thumbnail"]),
        speech=tuple(Caption(*each[:3]) for each in response["speech"]),
        chapters=tuple(Caption(*each[:3]) for each in response["chapters"]),
        media_error_code=response["media_error_code"],
    )
