"""Classification of site failures: maps exceptions and warnings of yt-dlp to `IndexerError` classes."""

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
    DiskFullError,
    EmptyFileError,
    FetchError,
    IndexerError,
    LiveStreamError,
    NoVideoError,
    PrivateVideoError,
    SiteTimeoutError,
    SiteUnreachableError,
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
_BY_MESSAGE: tuple[tuple[Pattern[str], type[FetchError]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), error_class)
    for pattern, error_class in (
        (
            r"not a bot|captcha|rate.?limit|too many requests|geo.?restrict|your (country|location|region)|drm",
            BlockedVideoError,
        ),
        (r"unusual traffic|cloudflare|ip address is blocked", BlockedVideoError),
        (r"live event|premieres? in|upcoming|not currently live|is offline|live stream", LiveStreamError),
        (
            r"\bprivate\b|members.only|log.?in|sign.?in|registered users|age.restrict|subscri|premium|password",
            PrivateVideoError,
        ),
        (r"timed out", SiteTimeoutError),
        (
            r"unavailable|not available|not exist|removed|deleted|terminated|not found|(in|un)complete.*id",
            VideoNotFoundError,
        ),
        (r"no video formats|no video could be found|unable to extract", NoVideoError),
    )
)
_NO_DATA = re.compile("did not get any data blocks", re.IGNORECASE)
_STATUS = re.compile(r"HTTP Error (\d{3})")


def classify(error: BaseException) -> IndexerError:
    """Return the `IndexerError` for an exception, by its causes first and by its message last."""
    for cause in _iter_causes(error):
        if isinstance(cause, IndexerError):
            return cause
        if isinstance(cause, HTTPError):
            return _class_by_status(cause.status)(str(error))
        for cause_class, error_class in _BY_CLASS.items():
            if isinstance(cause, cause_class):
                return error_class(str(error) or cause_class.__name__)
        if isinstance(cause, OSError) and cause.errno == errno.EFBIG:
            return TooLargeError(str(error))
        if isinstance(cause, OSError) and cause.errno in DISK_FULL:
            return DiskFullError(str(error))
    if _NO_DATA.search(str(error)):
        return EmptyFileError(str(error))
    by_message = classify_messages([str(error)])
    is_transport = any(isinstance(cause, TransportError) for cause in _iter_causes(error))
    if is_transport and not isinstance(by_message, SiteTimeoutError):
        return SiteUnreachableError(str(error))
    return by_message


def classify_messages(messages: Iterable[str]) -> FetchError:
    """Return the error for the first message that gives a reason.

    `NoVideoError` is a consequence and not a reason, so it is returned only if no message gives another
    reason.
    """
    messages = list(messages)
    for message in messages:
        if status := _STATUS.search(message):
            return _class_by_status(int(status[1]))(message)
        for pattern, error_class in _BY_MESSAGE:
            if error_class is not NoVideoError and pattern.search(message):
                return error_class(message)
    joined = "; ".join(messages)
    return NoVideoError(joined) if _BY_MESSAGE[-1][0].search(joined) else FetchError(joined)


def _class_by_status(status: int) -> type[FetchError]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SiteUnreachableError
    return _BY_STATUS.get(status, FetchError)


def _iter_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and all its causes and contexts. yt-dlp keeps some causes in fields of its own."""
    waiting, seen = [error], set()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        own_fields = (getattr(current, "cause", None), *(getattr(current, "exc_info", None) or ()))
        causes = (*own_fields, current.__cause__, current.__context__)
        waiting.extend(cause for cause in causes if isinstance(cause, BaseException))
