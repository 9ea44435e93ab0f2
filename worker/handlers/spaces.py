"""What a worker answers where a space decides, votes, or leaves; and how what hung on its videos is taken away."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from indexer.errors import NotALink
from indexer.link.canonical import Link, canonical, file_path
from indexer.store.blobs import video_prefix
from indexer.store.records import Forgotten
from indexer.store.retention import forget_votes, thin
from indexer.store.spaces import Vote
from worker.jobs import retrain
from worker.jobs.index import job_id
from worker.protocol import messages
from worker.protocol.error_codes import Code
from worker.protocol.messages import Asker, ChangeSettings, Leave, Noted, ReadSettings, ReadTerms, SpaceSettings, Terms
from worker.services import Parts

RETAIN_EVERY_S = 3600.0

log = structlog.get_logger()


class Refusal(Exception):
    """A request that can't be done, for a reason the asker can mend."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code = code


def vote(parts: Parts, request: messages.Vote) -> Noted:
    asker, generation = request.asker, parts.library.generation()
    moments = parts.library.moments(generation, asker.scopes, [request.moment_id]) if generation else []
    if not moments:
        raise Refusal(Code.NOT_IN_LIBRARY)
    seen = moments[0].payload
    parts.spaces.vote(
        Vote(
            space=asker.space,
            person=asker.person,
            queries=request.queries,
            video_id=seen["video_id"],
            start_s=seen["start_s"],
            end_s=seen["end_s"],
            kind=request.kind,
            at=datetime.now(UTC).isoformat(),
        )
    )
    return Noted()


def read_terms(parts: Parts, request: ReadTerms) -> Terms:
    settings = parts.settings
    return Terms(
        leave_grace_days=settings.leave_grace_days,
        adapter_scope=settings.adapter_scope,
        keep_queries_days=settings.keep_queries_days,
        keep_shown_days=settings.keep_shown_s / 86400,
        keep_frames_days=settings.keep_frames_days,
    )


def read_settings(parts: Parts, request: ReadSettings) -> SpaceSettings:
    return space_settings(parts, request.asker.space)


def change_settings(parts: Parts, request: ChangeSettings) -> SpaceSettings:
    admins_only(request.asker)
    parts.spaces.put_settings(request.asker.space, request.settings.model_dump(mode="json"))
    return space_settings(parts, request.asker.space)


def space_settings(parts: Parts, space: str) -> SpaceSettings:
    return SpaceSettings.model_validate(parts.spaces.settings(space))


def leave(parts: Parts, request: Leave) -> Noted:
    note = parts.spaces.come_back if request.back else parts.spaces.leave
    note(request.asker.space, datetime.fromtimestamp(request.at, UTC))
    return Noted()


def admins_only(asker: Asker) -> None:
    if not asker.admin:
        log.warning("admin.refused", space=asker.space, person=asker.person)
        raise Refusal(Code.ADMINS_ONLY)


def forget_left(parts: Parts, now: datetime | None = None) -> None:
    """Deletes everything of the spaces that were left longer ago than the grace time."""
    now = now or datetime.now(UTC)
    for space in parts.spaces.left_before(now - timedelta(days=parts.settings.leave_grace_days)):
        clear(parts, space, parts.library.forget_space(space), now.timestamp())
        retrain.forget(parts, space)
        parts.traces.forget(space)
        parts.spaces.forget(space)
        log.info("space.forgotten", space=space)


def retain(parts: Parts, now: datetime | None = None) -> None:
    """Lets go of what the installation keeps for a time only."""
    settings, now = parts.settings, now or datetime.now(UTC)
    if not parts.claims.due("retention", RETAIN_EVERY_S):
        return
    if settings.keep_queries_days is not None:
        votes = forget_votes(parts.points, now - timedelta(days=settings.keep_queries_days))
        log.info("votes.forgotten", votes=votes)
    if settings.keep_frames_days is not None:
        videos = thin(parts.points, parts.blobs, now - timedelta(days=settings.keep_frames_days))
        log.info("frames.forgotten", videos=videos)


def finish_leaving(parts: Parts) -> None:
    """Ends what a worker began that was killed while a space took a video back."""
    for record in parts.library.leaving():
        parts.library.close(record.video_id)
        # Which space it was is not known any more.
        parts.traces.forget_links(None, [record.link])
        _let_go(parts, record.video_id)


def clear(parts: Parts, space: str, forgotten: Forgotten, at: float) -> None:
    """Takes away what hung on videos that are no longer in a space: whoever takes them back asked for it `at` a time.

    The record lets go of them last, so that another worker ends this if it is cut short (`finish_leaving`).
    """
    parts.traces.took_back(space, forgotten.video_ids, at)
    parts.traces.forget_links(space, forgotten.links)
    for video_id in forgotten.video_ids:
        _let_go(parts, video_id)


def _let_go(parts: Parts, video_id: str) -> None:
    if parts.library.let_go(video_id):
        parts.blobs.delete_prefix(video_prefix(video_id))
        parts.app.AsyncResult(job_id(video_id)).forget()


def video_ids(links: Sequence[str]) -> list[str]:
    """Of those that are links."""
    ids = []
    for link in links:
        with suppress(NotALink):
            ids.append(video_id(link))
    return ids


def video_id(link: str) -> str:
    # A file may be gone by now, and can be forgotten all the same.
    url = file_path(link).resolve().as_uri() if link.startswith("file://") else canonical(link).url
    return Link(url, url).video_id
