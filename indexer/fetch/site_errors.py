"""What a site's failure means, out of what yt-dlp raises and warns of."""

import errno
import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from re import Pattern

from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import GeoRestrictedError, UnsupportedError, UserNotLive

from indexer.errors import (
    DISK_FULL,
    BlockedVideoError,
    EmptyFileError,
    FetchError,
    IndexerError,
    LiveStreamError,
    NoVideoError,
    PrivateVideoError,
    SiteTimeoutError,
    SiteUnreachableError,
    StoreUnavailableError,
    TooLargeError,
    VideoNotFoundError,
)

_BY_STATUS: dict[int, type[FetchError]] = {
    HTTPStatus.UNAUTHORIZED: PrivateVideoError,
    HTTPStatus.PAYMENT_REQUIRED: PrivateVideoError,
    HTTPStatus.FORBIDDEN: BlockedVideoError,
    HTTPStatus.NOT_FOUND: VideoNotFoundError,
    HTTPStatus.REQUEST_TIMEOUT: SiteTimeoutError,
    HTTPStatus.GONE: VideoNotFoundError,
    HTTPStatus.TOO_MANY_REQUESTS: BlockedVideoError,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: BlockedVideoError,
}
_BY_CLASS: dict[type[BaseException], type[FetchError]] = {
    MemoryError: TooLargeError,
    TimeoutError: SiteTimeoutError,
    UnsupportedError: NoVideoError,
    GeoRestrictedError: BlockedVideoError,
    UserNotLive: LiveStreamError,
}
_BY_WORDS: tuple[tuple[Pattern[str], type[FetchError]], ...] = tuple(
    (re.compile(words, re.IGNORECASE), classify)
    for words, classify in (
        (r"not a bot|captcha|rate.?limit|too many requests|geo.?restrict|your (country|location|region)|drm", BlockedVideoError),
        (r"unusual traffic|cloudflare|ip address is blocked", BlockedVideoError),
        (r"live event|premieres? in|upcoming|not currently live|is offline|live stream", LiveStreamError),
        (r"\bprivate\b|members.only|log.?in|sign.?in|registered users|age.restrict|subscri|premium|password", PrivateVideoError),
        (r"timed out", SiteTimeoutError),
        (r"unavailable|not available|not exist|removed|deleted|terminated|not found|(in|un)complete.*id", VideoNotFoundError),
        (r"no video formats|no video could be found|unable to extract", NoVideoError),
    )
)
_EMPTY = re.compile("did not get any data blocks", re.IGNORECASE)
_STATUS = re.compile(r"HTTP Error (\d{3})")


def classify(error: BaseException) -> IndexerError:
    """The error of ours that an exception stands for, with its words."""
    for cause in _causes(error):
        if isinstance(cause, IndexerError):
            return cause
        if isinstance(cause, HTTPError):
            return _by_status(cause.status)(str(error))
        for kind, known in _BY_CLASS.items():
            if isinstance(cause, kind):
                return known(str(error) or kind.__name__)
        if isinstance(cause, OSError) and cause.errno == errno.EFBIG:
            return TooLargeError(str(error))
        if isinstance(cause, OSError) and cause.errno in DISK_FULL:
            return StoreUnavailableError(str(error))
    if _EMPTY.search(str(error)):
        return EmptyFileError(str(error))
    by_words = classify_messages([str(error)])
    transport = any(isinstance(cause, TransportError) for cause in _causes(error))
    return SiteUnreachableError(str(error)) if transport and not isinstance(by_words, SiteTimeoutError) else by_words


def classify_messages(said: Iterable[str]) -> FetchError:
    """The first warning that gives a reason; without one, there was no video."""
    said = list(said)
    for words in said:
        if status := _STATUS.search(words):
            return _by_status(int(status[1]))(words)
        for pattern, known in _BY_WORDS:
            if known is not NoVideoError and pattern.search(words):
                return known(words)
    everything = "; ".join(said)
    return NoVideoError(everything) if _BY_WORDS[-1][0].search(everything) else FetchError(everything)


def _by_status(status: int) -> type[FetchError]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SiteUnreachableError
    return _BY_STATUS.get(status, FetchError)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, and all that it was raised from, wrapped or handled; yt-dlp keeps some in its own fields."""
    waiting, seen = [error], set()
    while waiting:
        found = waiting.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        kept = (getattr(found, "cause", None), *(getattr(found, "exc_info", None) or ()))
        waiting.extend(each for each in (*kept, found.__cause__, found.__context__) if isinstance(each, BaseException))
