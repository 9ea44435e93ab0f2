"""What can go wrong between a link and its moments.

IndexerError
├── LinkRefused            the link itself; nothing was fetched
│   ├── NotALink
│   ├── SchemeRefused      file://, ftp://, …
│   ├── AddressRefused     a private, loopback, link-local or metadata address
│   └── PlaylistRefused
├── FetchFailed            the site
│   ├── NotFound
│   ├── NoVideo            a page without a video
│   ├── TooLong
│   ├── TooLarge
│   ├── LiveStream
│   ├── Blocked            the site refuses this address, or asks for a login
│   ├── Private
│   ├── OutOfTime          all the time there was; it would be again
│   ├── Unreachable        transient
│   └── TimedOut           transient
├── DecodeFailed           the file
│   ├── Corrupt
│   ├── EmptyFile
│   ├── NoPictures         sound only
│   └── TooManyPixels      a picture larger than the limit, or a decompression bomb
├── NotAPicture            what was sent to search with
├── NotYours               somebody else's submission
├── GenerationMismatch     the encoder is of another generation than the one that is searched
├── NewerStore             the store was written by a later version
└── StoreUnavailable       transient

Each class carries the `code` under which it crosses the wire; `transient` ones are worth another try.
"""

import errno
from typing import ClassVar, Final

DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class IndexerError(Exception):
    """Base of everything this package raises on purpose. The message is for the log, never for a person."""

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


class PlaylistRefusedError(LinkRefusedError):
    code = "playlist_refused"


class FetchError(IndexerError):
    code = "fetch_failed"


class VideoNotFoundError(FetchError):
    code = "not_found"


class NoVideoError(FetchError):
    code = "no_video"


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


class NotAPictureError(IndexerError):
    code = "not_a_picture"


class NotSubmitterError(IndexerError):
    code = "not_yours"


class GenerationMismatchError(IndexerError):
    code = "model_mismatch"


class NewerStoreError(IndexerError):
    code = "store_newer"


class StoreUnavailableError(IndexerError):
    code = "store_unavailable"
    transient = True
