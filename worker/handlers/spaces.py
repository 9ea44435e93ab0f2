"""What a worker answers where a space decides, votes, or leaves; and how what hung on its videos is taken away."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from indexer.errors import NotALinkError
from indexer.link.canonical import Link, canonicalize, file_url_to_path
from indexer.store.blobs import video_prefix
from indexer.store.records import RemovedVideo
from indexer.store.retention import forget_votes, thin
from indexer.store.spaces import VoteRecord
from worker.jobs import retrain
from worker.jobs.index import job_id
from worker.protocol import messages
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import (
    Ack,
    Caller,
    ChangeSettings,
    GetRetentionPolicy,
    GetSettings,
    RecordBotRemoval,
    RetentionPolicy,
    SpaceSettings,
)
from worker.services import Services

RETAIN_EVERY_S = 3600.0

log = structlog.get_logger()


class RequestRefusedError(Exception):
    """A request that can't be done, for a reason the asker can mend."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code)
        self.code = code


def vote(services: Services, request: messages.RecordVote) -> Ack:
    caller, generation = request.caller, services.library.generation()
    moments = services.library.moments(generation, caller.scopes, [request.moment_id]) if generation else []
    if not moments:
        raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY)
    seen = moments[0].payload
    services.spaces.vote(
        VoteRecord(
            space=caller.space,
            user_id=caller.user_id,
            queries=request.queries,
            video_id=seen["video_id"],
            start_s=seen["start_s"],
            end_s=seen["end_s"],
            kind=request.kind,
            at=datetime.now(UTC).isoformat(),
        )
    )
    return Ack()


def read_terms(services: Services, request: GetRetentionPolicy) -> RetentionPolicy:
    settings = services.settings
    return RetentionPolicy(
        leave_grace_days=settings.leave_grace_days,
        adapter_scope=settings.adapter_scope,
        keep_queries_days=settings.keep_queries_days,
        keep_shown_days=settings.keep_shown_s / 86400,
        keep_frames_days=settings.keep_frames_days,
    )


def read_settings(services: Services, request: GetSettings) -> SpaceSettings:
    return space_settings(services, request.caller.space)


def change_settings(services: Services, request: ChangeSettings) -> SpaceSettings:
    admins_only(request.caller)
    services.spaces.put_settings(request.caller.space, request.settings.model_dump(mode="json"))
    return space_settings(services, request.caller.space)


def space_settings(services: Services, space: str) -> SpaceSettings:
    return SpaceSettings.model_validate(services.spaces.settings(space))


def leave(services: Services, request: RecordBotRemoval) -> Ack:
    note = services.spaces.come_back if request.back else services.spaces.leave
    note(request.caller.space, datetime.fromtimestamp(request.at, UTC))
    return Ack()


def admins_only(caller: Caller) -> None:
    if not caller.is_admin:
        log.warning("admin.refused", space=caller.space, user_id=caller.user_id)
        raise RequestRefusedError(ErrorCode.ADMINS_ONLY)


def forget_left(services: Services, now: datetime | None = None) -> None:
    """Deletes everything of the spaces that were left longer ago than the grace time."""
    now = now or datetime.now(UTC)
    for space in services.spaces.left_before(now - timedelta(days=services.settings.leave_grace_days)):
        clear(services, space, services.library.forget_space(space), now.timestamp())
        retrain.forget(services, space)
        services.user_data.forget(space)
        services.spaces.forget(space)
        log.info("space.forgotten", space=space)


def retain(services: Services, now: datetime | None = None) -> None:
    """Lets go of what the installation keeps for a time only."""
    settings, now = services.settings, now or datetime.now(UTC)
    if not services.leases.due("retention", RETAIN_EVERY_S):
        return
    if settings.keep_queries_days is not None:
        votes = forget_votes(services.points, now - timedelta(days=settings.keep_queries_days))
        log.info("votes.forgotten", votes=votes)
    if settings.keep_frames_days is not None:
        videos = thin(services.points, services.blobs, now - timedelta(days=settings.keep_frames_days))
        log.info("frames.forgotten", videos=videos)


def finish_leaving(services: Services) -> None:
    """Ends what a worker began that was killed while a space took a video back."""
    for record in services.library.leaving():
        services.library.close(record.video_id)
        # Which space it was is not known any more.
        services.user_data.forget_links(None, [record.link])
        _let_go(services, record.video_id)


def clear(services: Services, space: str, forgotten: RemovedVideo, at: float) -> None:
    """Takes away what hung on videos that are no longer in a space: whoever takes them back asked for it `at` a time.

    The record lets go of them last, so that another worker ends this if it is cut short (`finish_leaving`).
    """
    services.user_data.took_back(space, forgotten.video_ids, at)
    services.user_data.forget_links(space, forgotten.links)
    for video_id in forgotten.video_ids:
        _let_go(services, video_id)


def _let_go(services: Services, video_id: str) -> None:
    if services.library.let_go(video_id):
        services.blobs.delete_prefix(video_prefix(video_id))
        services.app.AsyncResult(job_id(video_id)).forget()


def video_ids(links: Sequence[str]) -> list[str]:
    """Of those that are links."""
    ids = []
    for link in links:
        with suppress(NotALinkError):
            ids.append(video_id(link))
    return ids


def video_id(link: str) -> str:
    # A file may be gone by now, and can be forgotten all the same.
    url = file_url_to_path(link).resolve().as_uri() if link.startswith("file://") else canonicalize(link).url
    return Link(url, url).video_id
