"""Tests of the classification of yt-dlp's exceptions and warnings as `IndexerError`."""

import errno

import pytest
from yt_dlp.networking.exceptions import TransportError
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UnsupportedError, UserNotLive

from indexer.errors import (
    BlockedVideoError,
    FetchError,
    LiveStreamError,
    NoVideoError,
    PrivateVideoError,
    SiteTimeoutError,
    SiteUnreachableError,
    TooLargeError,
    VideoNotFoundError,
)
from indexer.fetch.site_errors import classify, classify_messages


def wrap(error: BaseException) -> DownloadError:
    """Wrap an exception as yt-dlp does."""
    return DownloadError(f"ERROR: {error}", (type(error), error, None))


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("Sign in to confirm you’re not a bot. Use --cookies-from-browser", BlockedVideoError),
        ("The uploader has not made this video available in your country", BlockedVideoError),
        ("Requested content is not available, rate-limit reached or login required", BlockedVideoError),
        ("This video is DRM protected", BlockedVideoError),
        ("HTTP Error 403: Forbidden", BlockedVideoError),
        ("HTTP Error 429: Too Many Requests", BlockedVideoError),
        ("Private video. Sign in if you've been granted access to this video", PrivateVideoError),
        ("Sign in to confirm your age. This video may be inappropriate for some users.", PrivateVideoError),
        ("Join this channel to get access to members-only content like this video", PrivateVideoError),
        ("This video is only available for registered users. Use --cookies", PrivateVideoError),
        ("HTTP Error 401: Unauthorized", PrivateVideoError),
        ("This live event will begin in 3 hours.", LiveStreamError),
        ("Premieres in 20 minutes", LiveStreamError),
        ("The channel is not currently live", LiveStreamError),
        ("Video unavailable. This video has been removed by the uploader", VideoNotFoundError),
        ("Incomplete YouTube ID dQw4. URL https://x looks truncated.", VideoNotFoundError),
        ("HTTP Error 404: Not Found", VideoNotFoundError),
        ("HTTP Error 503: Service Unavailable", SiteUnreachableError),
        ("No video formats found!", NoVideoError),
        ("an unknown message", FetchError),
    ],
)
def test_classify_maps_message_to_error(message: str, error: type[FetchError]) -> None:
    """A message is classified alike as an exception and as a warning."""
    assert type(classify(wrap(ExtractorError(message, expected=True)))) is error
    assert type(classify_messages(["Falling back on generic information extractor", message])) is error


@pytest.mark.parametrize(
    ("cause", "error"),
    [
        (UnsupportedError("https://example.com/private-login"), NoVideoError),
        (GeoRestrictedError("not here"), BlockedVideoError),
        (UserNotLive(), LiveStreamError),
        (TransportError("Connection refused"), SiteUnreachableError),
        (TransportError("Failed to resolve 'x' ([Errno -2] Name or service not known)"), SiteUnreachableError),
        (TransportError(cause=TimeoutError("timed out")), SiteTimeoutError),
        (TransportError("The read operation timed out"), SiteTimeoutError),
        (MemoryError(), TooLargeError),
        (OSError(errno.EFBIG, "File too large"), TooLargeError),
        (TooLargeError("12 bytes"), TooLargeError),
    ],
)
def test_classify_maps_cause_to_error(cause: BaseException, error: type[FetchError]) -> None:
    """However yt-dlp wraps the cause."""
    assert type(classify(wrap(ExtractorError("Unable to download", cause=cause)))) is error
    assert type(classify(wrap(cause))) is error


def test_classify_messages_returns_first_reason() -> None:
    """Missing formats are a consequence of a reason, not the reason."""
    messages = ["No video formats found!", "Private video", "HTTP Error 503", "Requested format is not available"]
    assert type(classify_messages(messages)) is PrivateVideoError
