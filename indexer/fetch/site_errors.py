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
    Blocked,
    EmptyFile,
    FetchFailed,
    IndexerError,
    LiveStream,
    NotFound,
    NoVideo,
    Private,
    StoreUnavailable,
    TimedOut,
    TooLarge,
    Unreachable,
)

_BY_STATUS: dict[int, type[FetchFailed]] = {
    HTTPStatus.UNAUTHORIZED: Private,
    HTTPStatus.PAYMENT_REQUIRED: Private,
    HTTPStatus.FORBIDDEN: Blocked,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.REQUEST_TIMEOUT: TimedOut,
    HTTPStatus.GONE: NotFound,
    HTTPStatus.TOO_MANY_REQUESTS: Blocked,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: Blocked,
}
_BY_CLASS: dict[type[BaseException], type[FetchFailed]] = {
    MemoryError: TooLarge,
    TimeoutError: TimedOut,
    UnsupportedError: NoVideo,
    GeoRestrictedError: Blocked,
    UserNotLive: LiveStream,
}
_BY_WORDS: tuple[tuple[Pattern[str], type[FetchFailed]], ...] = tuple(
    (re.compile(words, re.IGNORECASE), meaning)
    for words, meaning in (
        (r"not a bot|captcha|rate.?limit|too many requests|geo.?restrict|your (country|location|region)|drm", Blocked),
        (r"unusual traffic|cloudflare|ip address is blocked", Blocked),
        (r"live event|premieres? in|upcoming|not currently live|is offline|live stream", LiveStream),
        (r"\bprivate\b|members.only|log.?in|sign.?in|registered users|age.restrict|subscri|premium|password", Private),
        (r"timed out", TimedOut),
        (r"unavailable|not available|not exist|removed|deleted|terminated|not found|(in|un)complete.*id", NotFound),
        (r"no video formats|no video could be found|unable to extract", NoVideo),
    )
)
_EMPTY = re.compile("did not get any data blocks", re.IGNORECASE)
_STATUS = re.compile(r"HTTP Error (\d{3})")


def meaning(error: BaseException) -> IndexerError:
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
            return TooLarge(str(error))
        if isinstance(cause, OSError) and cause.errno in DISK_FULL:
            return StoreUnavailable(str(error))
    if _EMPTY.search(str(error)):
        return EmptyFile(str(error))
    by_words = meaning_of_words([str(error)])
    transport = any(isinstance(cause, TransportError) for cause in _causes(error))
    return Unreachable(str(error)) if transport and not isinstance(by_words, TimedOut) else by_words


def meaning_of_words(said: Iterable[str]) -> FetchFailed:
    """The first warning that gives a reason; without one, there was no video."""
    said = list(said)
    for words in said:
        if status := _STATUS.search(words):
            return _by_status(int(status[1]))(words)
        for pattern, known in _BY_WORDS:
            if known is not NoVideo and pattern.search(words):
                return known(words)
    everything = "; ".join(said)
    return NoVideo(everything) if _BY_WORDS[-1][0].search(everything) else FetchFailed(everything)


def _by_status(status: int) -> type[FetchFailed]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unreachable
    return _BY_STATUS.get(status, FetchFailed)


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
