"""What sites and yt-dlp say, and which of our errors it is."""

import errno

import pytest
from yt_dlp.networking.exceptions import TransportError
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UnsupportedError, UserNotLive

from indexer.errors import (
    Blocked,
    FetchFailed,
    LiveStream,
    NotFound,
    NoVideo,
    Private,
    TimedOut,
    TooLarge,
    Unreachable,
)
from indexer.fetch.site_errors import meaning, meaning_of_words


def wrapped(error: BaseException) -> DownloadError:
    """As yt-dlp raises it: inside an error of its own."""
    return DownloadError(f"ERROR: {error}", (type(error), error, None))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Sign in to confirm you’re not a bot. Use --cookies-from-browser", Blocked),
        ("The uploader has not made this video available in your country", Blocked),
        ("Requested content is not available, rate-limit reached or login required", Blocked),
        ("This video is DRM protected", Blocked),
        ("HTTP Error 403: Forbidden", Blocked),
        ("HTTP Error 429: Too Many Requests", Blocked),
        ("Private video. Sign in if you've been granted access to this video", Private),
        ("Sign in to confirm your age. This video may be inappropriate for some users.", Private),
        ("Join this channel to get access to members-only content like this video", Private),
        ("This video is only available for registered users. Use --cookies", Private),
        ("HTTP Error 401: Unauthorized", Private),
        ("This live event will begin in 3 hours.", LiveStream),
        ("Premieres in 20 minutes", LiveStream),
        ("The channel is not currently live", LiveStream),
        ("Video unavailable. This video has been removed by the uploader", NotFound),
        ("Incomplete YouTube ID dQw4. URL https://x looks truncated.", NotFound),
        ("HTTP Error 404: Not Found", NotFound),
        ("HTTP Error 503: Service Unavailable", Unreachable),
        ("No video formats found!", NoVideo),
        ("something nobody foresaw", FetchFailed),
    ],
)
def test_a_sites_words_have_a_meaning(said: str, error: type[FetchFailed]) -> None:
    """The same words mean the same, raised or warned of."""
    assert type(meaning(wrapped(ExtractorError(said, expected=True)))) is error
    assert type(meaning_of_words(["Falling back on generic information extractor", said])) is error


@pytest.mark.parametrize(
    ("cause", "error"),
    [
        (UnsupportedError("https://example.com/private-login"), NoVideo),
        (GeoRestrictedError("not here"), Blocked),
        (UserNotLive(), LiveStream),
        (TransportError("Connection refused"), Unreachable),
        (TransportError("Failed to resolve 'x' ([Errno -2] Name or service not known)"), Unreachable),
        (TransportError(cause=TimeoutError("timed out")), TimedOut),
        (TransportError("The read operation timed out"), TimedOut),
        (MemoryError(), TooLarge),
        (OSError(errno.EFBIG, "File too large"), TooLarge),
        (TooLarge("12 bytes"), TooLarge),
    ],
)
def test_an_error_has_the_meaning_of_its_cause(cause: BaseException, error: type[FetchFailed]) -> None:
    """However yt-dlp wraps it."""
    assert type(meaning(wrapped(ExtractorError("Unable to download", cause=cause)))) is error
    assert type(meaning(wrapped(cause))) is error


def test_the_first_reason_counts() -> None:
    """That there are no formats is what follows from a reason, not the reason."""
    said = ["No video formats found!", "Private video", "HTTP Error 503", "Requested format is not available"]
    assert type(meaning_of_words(said)) is Private
