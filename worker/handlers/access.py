"""Access checks that several handlers share: admin rights, links that may be submitted, and videos that are visible."""

from collections.abc import Sequence
from contextlib import suppress

import structlog

from indexer.errors import NotALinkError
from indexer.link.canonical import Link, canonicalize, file_url_to_path, link_to_local_file
from indexer.sandbox.guard import SsrfGuard
from indexer.store.aliases import AliasStore
from indexer.store.submissions import SubmissionStore
from worker.handlers.errors import RequestRefusedError
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Submit
from worker.slack_files import find_workspace

log = structlog.get_logger()


def require_admin(caller: Caller) -> None:
    """Raise `RequestRefusedError` unless the platform reported the caller as an admin of the space."""
    if not caller.is_admin:
        log.warning("admin.refused", space=caller.space, user_id=caller.user_id)
        raise RequestRefusedError(ErrorCode.ADMINS_ONLY)


def resolve_submitted_link(guard: SsrfGuard, request: Submit) -> Link:
    """Return the canonical form of a submitted link after the SSRF check.

    Only the command line may submit a local file, and only a Slack workspace its own files. Raises `LinkRefusedError`
    and `RequestRefusedError`.
    """
    if request.local_files and request.link.startswith("file://"):
        return link_to_local_file(request.link)
    link = canonicalize(request.link)
    workspace = find_workspace(link.url)
    if workspace is not None and request.caller.space != f"slack:{workspace}":
        raise RequestRefusedError(ErrorCode.SLACK_FILE)
    guard.check_url(link.fetch_url)
    return link


def require_visible_video(submissions: SubmissionStore, caller: Caller, link: str) -> str:
    """Return the id of the video behind `link`. Raises `RequestRefusedError` if the caller cannot see it."""
    video_id = require_video_id(submissions.aliases, link)
    if not submissions.has(caller.scopes, video_id):
        raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY)
    return video_id


def require_video_id(aliases: AliasStore, link: str) -> str:
    """Return the id of the video behind `link`. Raises `RequestRefusedError` if it is not a link."""
    try:
        return video_id_of(aliases, link)
    except NotALinkError as error:
        raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY) from error


def video_id_of(aliases: AliasStore, link: str) -> str:
    """Return the id of the video behind `link`. Raises `NotALinkError`."""
    # A local file can be removed from the library after it was deleted from the disk, so it need not exist.
    url = file_url_to_path(link).resolve().as_uri() if link.startswith("file://") else canonicalize(link).url
    return aliases.resolve(Link(url, url).video_id)


def video_ids_of(aliases: AliasStore, texts: Sequence[str]) -> list[str]:
    """Return the video ids of those `texts` that are links."""
    video_ids = []
    for text in texts:
        with suppress(NotALinkError):
            video_ids.append(video_id_of(aliases, text))
    return video_ids
