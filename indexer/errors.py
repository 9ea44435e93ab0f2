"""Exceptions of the indexer, from the link to the store.

IndexerError
├── LinkRefusedError              the link itself is refused; nothing was fetched
│   ├── NotALinkError
│   ├── SchemeRefusedError        file://, ftp://, …
│   ├── AddressRefusedError       a private, loopback, link-local or metadata address (SSRF)
│   │   └── FakeAddressError      a placeholder of a "fake-IP" proxy in place of the site's address
│   └── PlaylistRefusedError      more than one video
├── FetchError                    the site did not deliver
│   ├── VideoNotFoundError
│   ├── NoVideoError              a page without a video
│   ├── SlackFileError            a file of a Slack workspace whose files cannot be fetched
│   ├── TooLongError
│   ├── TooLargeError
│   ├── LiveStreamError
│   ├── BlockedVideoError         the site blocks this address, or asks for a login
│   ├── PrivateVideoError
│   ├── FetchDeadlineError        the whole time limit was used up; a retry would take as long
│   ├── SiteUnreachableError      transient
│   └── SiteTimeoutError          transient
├── OtherAddressError             the site says that the link leads to a video with another address
├── DecodeError                   the file cannot be decoded
│   ├── CorruptFileError
│   ├── EmptyFileError
│   ├── NoPicturesError           sound only
│   └── TooManyPixelsError        a picture over the pixel limit, or a decompression bomb
├── RepeatedCrashError            recognition has ended its process several times at the same sense of a video
├── NotAPictureError              the picture of a search cannot be read
├── NotAClipError                 the clip of a search cannot be read, or is too long
├── NotSubmitterError             the submission belongs to another user
├── GenerationMismatchError       the encoder and the searched collection are of different generations
├── NewerStoreError               the store was written by a later version
└── StoreUnavailableError         transient
    └── DiskFullError             the disk of a store or of the work folder is full

`code` is the error code that is sent to frontends. `transient` errors are worth a retry.
"""

import errno
from typing import ClassVar, Final

DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class IndexerError(Exception):
    """Base class. The message is for the log; users see the sentence that belongs to `code`."""

    code: ClassVar[str] = "internal"
    transient: ClassVar[bool] = False


class LinkRefusedError(IndexerError):
    code = "not_a_link"


class NotALinkError(LinkRefusedError):
    code = "not_a_link"


class SchemeRefusedError(LinkRefusedError):
    code = "scheme_refused"


class AddressRefusedError(LinkRefusedError):
    code = "address_refused"


class FakeAddressError(AddressRefusedError):
    code = "fake_address"


class PlaylistRefusedError(LinkRefusedError):
    code = "playlist_refused"


class FetchError(IndexerError):
    code = "fetch_failed"


class VideoNotFoundError(FetchError):
    code = "not_found"


class NoVideoError(FetchError):
    code = "no_video"


class SlackFileError(FetchError):
    """A file of a Slack workspace whose files cannot be fetched."""

    code = "slack_file"


class DiscordFileError(FetchError):
    """A file that was uploaded to Discord, and whose address has expired."""

    code = "discord_file"


class TooLongError(FetchError):
    code = "too_long"


class TooLargeError(FetchError):
    code = "too_large"


class LiveStreamError(FetchError):
    code = "live_stream"


class BlockedVideoError(FetchError):
    code = "blocked"


class PrivateVideoError(FetchError):
    code = "private"


class SiteUnreachableError(FetchError):
    code = "unreachable"
    transient = True


class FetchDeadlineError(FetchError):
    code = "timed_out"


class SiteTimeoutError(FetchError):
    code = "timed_out"
    transient = True


class OtherAddressError(IndexerError):
    """The link leads to the video at `url`, a canonical address: only the site knew that."""

    def __init__(self, url: str) -> None:
        super().__init__(f"the video is {url}")
        self.url = url


class DecodeError(IndexerError):
    code = "corrupt"


class CorruptFileError(DecodeError):
    code = "corrupt"


class EmptyFileError(DecodeError):
    code = "empty_file"


class NoPicturesError(DecodeError):
    code = "no_pictures"


class TooManyPixelsError(DecodeError):
    code = "too_many_pixels"


class RepeatedCrashError(IndexerError):
    """The recognition of one sense of a video has ended its process several times."""

    code = "repeated_crash"


class NotAPictureError(IndexerError):
    code = "not_a_picture"


class NotAClipError(IndexerError):
    code = "not_a_clip"


class NotSubmitterError(IndexerError):
    code = "not_yours"


class GenerationMismatchError(IndexerError):
    code = "model_mismatch"


class NewerStoreError(IndexerError):
    code = "store_newer"


class StoreUnavailableError(IndexerError):
    code = "store_unavailable"
    transient = True


class DiskFullError(StoreUnavailableError):
    code = "disk_full"


def store_error(error: Exception) -> StoreUnavailableError:
    """Return the error of a store for an exception of what it is made of, by its number or its message."""
    is_full = (isinstance(error, OSError) and error.errno in DISK_FULL) or "no space left" in str(error).lower()
    return (DiskFullError if is_full else StoreUnavailableError)(str(error))
