"""Child process that fetches one link: `python -m indexer.fetch.fetch_worker`.

`indexer.fetch.fetcher` starts it. Everything that a site sends is hostile. The audit hook checks each
connection that this process opens. The only program it may start is the JavaScript runtime that yt-dlp needs
for the challenges of some sites; yt-dlp gives it no access to network or files. No download is handed to
another program.
"""

import itertools
from pathlib import Path

import yt_dlp
from yarl import URL
from yt_dlp.utils import YoutubeDLError

from indexer.errors import (
    BlockedVideoError,
    IndexerError,
    LinkRefusedError,
    LiveStreamError,
    NoPicturesError,
    NoVideoError,
    PlaylistRefusedError,
    PrivateVideoError,
    TooLargeError,
    TooLongError,
)
from indexer.fetch.downloads import download_speech, download_thumbnail, make_byte_limit_hook
from indexer.fetch.hls import prepare_playlist
from indexer.fetch.page_metadata import build_response, read_page_metadata
from indexer.fetch.site_errors import classify, classify_messages
from indexer.fetch.sound_track import choose_sound_track
from indexer.fetch.ydl_session import InfoDict, YtDlpLogger, guard_network, open_ydl
from indexer.link.canonical import canonicalize, is_video_address
from indexer.link.tracking import is_short_link
from indexer.sandbox.child import ProgressCallback, serve_request

_LIVE_STATUSES = frozenset({"is_live", "is_upcoming", "post_live"})


def fetch(request: InfoDict, progress: ProgressCallback) -> InfoDict:
    """Fetch the link of a request that `indexer.fetch.fetcher` built. Returns metadata and names of files.

    Raises `LinkRefusedError`, `FetchError`, `NoPicturesError`. A refused connection is always an error, even
    if yt-dlp continued without what the page embeds from there.
    """
    with guard_network(request) as refused:
        response = _fetch(request, progress)
    if refused:
        raise refused[0]
    return response


def _fetch(request: InfoDict, progress: ProgressCallback) -> InfoDict:
    logger, folder = YtDlpLogger(), Path(request["folder"])
    with open_ydl(request, logger, request["max_bytes"]) as ydl:
        try:
            info = extract_info(ydl, request["url"])
        except (YoutubeDLError, IndexerError) as error:
            return _fetch_metadata_only(ydl, request, _find_reason(error, logger))
        if other := find_other_address(request["url"], info):
            return {"other_address": other}
        _check_limits(info, request)
        response = build_response(info, request)
        response["thumbnail"] = download_thumbnail(ydl, info, folder)
        response["speech"] = download_speech(ydl, info, folder) if request["wants_speech"] else []
        try:
            response["media"] = _download_media(ydl, info, request, logger, progress)
            response["sound"] = _download_sound(ydl, info, request) if request["wants_sound"] else None
        except (YoutubeDLError, IndexerError) as error:
            reason = classify(error)
            if not info.get("fulltitle"):  # the title is one that yt-dlp made up
                return _fetch_metadata_only(ydl, request, reason)
            if not isinstance(reason, (BlockedVideoError, PrivateVideoError)):
                raise reason from error
            response["media_error_code"] = reason.code
        return response


def extract_info(ydl: yt_dlp.YoutubeDL, url: str) -> InfoDict:
    """Return the description of one video without downloading it.

    Of a post with several videos it is the first, with `is_first_of_several` and `#1` at the end of its title. Raises
    `NoVideoError`, `PlaylistRefusedError` and yt-dlp's errors.
    """
    info: InfoDict = ydl.extract_info(url, download=False)
    if info.get("_type", "video") not in ("playlist", "multi_video"):
        return info
    entries = list(itertools.islice(info.get("entries") or (), 2))
    if not entries:
        raise NoVideoError(f"an empty list at {url}")
    if len(entries) > 1 and not is_video_address(canonicalize(url).url):
        raise PlaylistRefusedError(f"more than one video at {url}")
    first: InfoDict = ydl.process_ie_result(entries[0], download=False)
    if len(entries) == 1:
        return first
    title = first.get("title") or info.get("title") or ""
    numbered = title if title.endswith("#1") else f"{title} #1".strip()
    return first | {"title": numbered, "is_first_of_several": True}


def find_other_address(link: str, info: InfoDict) -> str | None:
    """Return the canonical address of the video that a site gave, if it is another one than that of the link.

    It counts if its site is a known one, or if the link was one of a shortener. Other sites redirect to addresses that
    expire.
    """
    try:
        canonical_url = canonicalize(link).url
        found = canonicalize(info.get("webpage_url") or "").url
        if info.get("extractor_key") == "Youtube":  # of a clip, the page is the clip's
            found = canonicalize(f"https://youtu.be/{info.get('id')}").url
    except LinkRefusedError:
        return None
    own, other = URL(canonical_url), URL(found)
    is_alias = own.host != other.host if is_video_address(canonical_url) else found != canonical_url
    return found if is_alias and (is_video_address(found) or is_short_link(own)) else None


def _check_limits(info: InfoDict, request: InfoDict) -> None:
    """Raise if the site declares a live stream, or a duration or size over the limit."""
    if info.get("live_status") in _LIVE_STATUSES:
        raise LiveStreamError(info["live_status"])
    if (info.get("duration") or 0) > request["max_duration_s"]:
        raise TooLongError(f"{info['duration']} s")
    if (info.get("filesize") or 0) > request["max_bytes"]:
        raise TooLargeError(f"{info['filesize']} bytes")


def _download_media(
    ydl: yt_dlp.YoutubeDL, info: InfoDict, request: InfoDict, logger: YtDlpLogger, progress: ProgressCallback
) -> str:
    """Download the media file into the request's folder and return its name."""
    if not info.get("url"):
        raise _explain_missing_media(info, logger)
    media = Path(request["folder"]) / "media"
    ydl.add_progress_hook(make_byte_limit_hook(request["max_bytes"], media, progress))
    ydl.dl(str(media), prepare_playlist(ydl, info))
    if not media.is_file():
        raise classify_messages(logger.warnings)
    return media.name


def _download_sound(ydl: yt_dlp.YoutubeDL, info: InfoDict, request: InfoDict) -> str | None:
    """Download the separate sound track into the request's folder and return its name.

    Returns None without one: what goes wrong costs only the sound.
    """
    track = choose_sound_track(info)
    if track is None:
        return None
    sound = Path(request["folder"]) / "sound"
    ydl.add_progress_hook(make_byte_limit_hook(request["max_bytes"], sound, lambda share: None))
    try:
        ydl.dl(str(sound), prepare_playlist(ydl, {**info, **track}))
    except (YoutubeDLError, IndexerError, OSError) as error:
        print(f"no sound: {error}")
        return None
    return sound.name if sound.is_file() else None


def _explain_missing_media(info: InfoDict, logger: YtDlpLogger) -> IndexerError:
    formats = info.get("formats") or []
    if any(each.get("vcodec") == "none" != each.get("acodec") for each in formats):
        return NoPicturesError("sound only")
    return classify_messages(logger.warnings)


def _find_reason(error: Exception, logger: YtDlpLogger) -> IndexerError:
    """Return the reason of a failed extraction.

    If a page blocks its stream, yt-dlp only warns of that and then finds no video, so the warning counts.
    """
    reason, warning = classify(error), classify_messages(logger.warnings)
    is_blocked = isinstance(warning, (BlockedVideoError, PrivateVideoError))
    return warning if isinstance(reason, NoVideoError) and is_blocked else reason


def _fetch_metadata_only(ydl: yt_dlp.YoutubeDL, request: InfoDict, reason: IndexerError) -> InfoDict:
    """Return the page's metadata and thumbnail if the site withholds the video for `reason`.

    Raises `reason` if it is another one, or if the page has no metadata.
    """
    if not isinstance(reason, (BlockedVideoError, PrivateVideoError)):
        raise reason
    info = read_page_metadata(ydl, request["url"])
    if not info:
        raise reason
    response = build_response(info, request)
    response["thumbnail"] = download_thumbnail(ydl, info, Path(request["folder"]))
    response["media_error_code"] = reason.code
    return response


if __name__ == "__main__":
    serve_request(fetch)
