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


class LinkRefused(IndexerError):
    code = "not_a_link"


class NotALink(LinkRefused):
    code = "not_a_link"


class SchemeRefused(LinkRefused):
    code = "scheme_refused"


class AddressRefused(LinkRefused):
    code = "address_refused"


class PlaylistRefused(LinkRefused):
    code = "playlist_refused"


class FetchFailed(IndexerError):
    code = "fetch_failed"


class NotFound(FetchFailed):
    code = "not_found"


class NoVideo(FetchFailed):
    code = "no_video"


class TooLong(FetchFailed):
    code = "too_long"


class TooLarge(FetchFailed):
    code = "too_large"


class LiveStream(FetchFailed):
    code = "live_stream"


class Blocked(FetchFailed):
    code = "blocked"


class Private(FetchFailed):
    code = "private"


class Unreachable(FetchFailed):
    code = "unreachable"
    transient = True


class OutOfTime(FetchFailed):
    code = "timed_out"


class TimedOut(FetchFailed):
    code = "timed_out"
    transient = True


class DecodeFailed(IndexerError):
    code = "corrupt"


class Corrupt(DecodeFailed):
    code = "corrupt"


class EmptyFile(DecodeFailed):
    code = "empty_file"


class NoPictures(DecodeFailed):
    code = "no_pictures"


class TooManyPixels(DecodeFailed):
    code = "too_many_pixels"


class NotAPicture(IndexerError):
    code = "not_a_picture"


class NotYours(IndexerError):
    code = "not_yours"


class GenerationMismatch(IndexerError):
    code = "model_mismatch"


class NewerStore(IndexerError):
    code = "store_newer"


class StoreUnavailable(IndexerError):
    code = "store_unavailable"
    transient = True
