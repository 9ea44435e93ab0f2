"""Codes of failed requests and jobs. `bots.i18n.error_messages` has a sentence for each."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Why a request or a job failed. Values may be stored and logged, so they do not change."""

    # the link
    NOT_A_LINK = "not_a_link"
    SCHEME_REFUSED = "scheme_refused"
    ADDRESS_REFUSED = "address_refused"
    FAKE_ADDRESS = "fake_address"
    PLAYLIST_REFUSED = "playlist_refused"
    # the site
    FETCH_FAILED = "fetch_failed"
    NOT_FOUND = "not_found"
    NO_VIDEO = "no_video"
    SLACK_FILE = "slack_file"
    DISCORD_FILE = "discord_file"
    TOO_LONG = "too_long"
    TOO_LARGE = "too_large"
    LIVE_STREAM = "live_stream"
    BLOCKED = "blocked"
    PRIVATE = "private"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    # the file
    CORRUPT = "corrupt"
    EMPTY_FILE = "empty_file"
    NO_PICTURES = "no_pictures"
    TOO_MANY_PIXELS = "too_many_pixels"
    REPEATED_CRASH = "repeated_crash"
    # the request
    EMPTY_QUERY = "empty_query"
    QUERY_TOO_LONG = "query_too_long"
    NOT_IN_LIBRARY = "not_in_library"
    NOT_A_PICTURE = "not_a_picture"
    NOT_A_CLIP = "not_a_clip"
    NOT_YOURS = "not_yours"
    ADMINS_ONLY = "admins_only"
    SUBMITTERS_ONLY = "submitters_only"
    TOO_FEW_PAIRS = "too_few_pairs"
    TRAINING_ELSEWHERE = "training_elsewhere"
    NO_OTHER_MODEL = "no_other_model"
    UNKNOWN_PRESET = "unknown_preset"
    PRESET_NOT_ALLOWED = "preset_not_allowed"
    TOO_MANY = "too_many"
    TAGS_NOT_READY = "tags_not_ready"
    NO_VISION_MODEL = "no_vision_model"
    VISION_TIMED_OUT = "vision_timed_out"
    VISION_REFUSED = "vision_refused"
    VISION_FAILED = "vision_failed"
    CRAWL_STOPPED = "crawl_stopped"
    NOT_A_LIST = "not_a_list"
    NOT_FOLLOWED = "not_followed"
    TOO_MANY_LISTS = "too_many_lists"
    # the installation
    MODEL_MISSING = "model_missing"
    MODEL_MISMATCH = "model_mismatch"
    PRESET_UNUSABLE = "preset_unusable"
    WEIGHTS_CHANGED = "weights_changed"
    STORE_NEWER = "store_newer"
    DISK_FULL = "disk_full"
    STORE_UNAVAILABLE = "store_unavailable"
    QUEUE_UNAVAILABLE = "queue_unavailable"
    NO_WORKER = "no_worker"
    BUSY = "busy"
    FORGED = "forged"
    IN_USE = "in_use"
    NOT_EMPTY = "not_empty"
    NOT_WRITTEN = "not_written"
    BACKUP_DAMAGED = "backup_damaged"
    BACKUP_UNFIT = "backup_unfit"
    INTERNAL = "internal"


def error_code_of(error: BaseException) -> ErrorCode:
    """Return the code of an error class of ours; `INTERNAL` for any other exception."""
    code = getattr(error, "code", None)
    return ErrorCode(code) if code in list(ErrorCode) else ErrorCode.INTERNAL
