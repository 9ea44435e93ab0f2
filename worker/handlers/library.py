"""Handlers of what a space's library holds: submitting, listing and removing videos, and their status."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from indexer.enrich.sources import WantedSenses
from indexer.fetch.fetcher import YtDlpFetcher
from indexer.link.canonical import Link
from indexer.sandbox.guard import SsrfGuard
from indexer.senses import Sense, SenseStatus
from indexer.store.aliases import AliasStore
from indexer.store.generations import GenerationStore
from indexer.store.records import FINDABLE, IndexStatus, LibraryRow, NewSubmission, RemovalRequest, submission_id
from indexer.store.removals import RemovalStore
from indexer.store.spaces import FollowedListStore, SpaceStore
from indexer.store.submissions import SubmissionStore
from indexer.store.videos import VideoStore
from worker.handlers.access import (
    require_admin,
    require_video_id,
    require_visible_video,
    resolve_submitted_link,
    video_ids_of,
)
from worker.handlers.errors import RequestRefusedError
from worker.handlers.spaces import load_settings
from worker.jobs.cleanup import VideoRemoval
from worker.jobs.enrich_queue import EnrichQueue
from worker.jobs.index import describe_indexed, describe_outcome, list_failed_senses
from worker.jobs.index_queue import IndexQueue
from worker.ops.stalled import is_stalled
from worker.protocol.base import Ack
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import (
    Enrich,
    Forget,
    ForgetResult,
    GetStatus,
    GetVideoStatus,
    LibraryEntry,
    LibraryListing,
    LibraryStatus,
    ListLibrary,
    ListPlaylist,
    PlaylistLinks,
    StopCrawls,
    Submit,
    Submitted,
    VideoStatus,
)
from worker.protocol.spaces import SpaceSettings
from worker.protocol.updates import IndexOutcome, Joined
from worker.settings import Settings
from worker.user_data import UserDataKeys


def submit(
    submissions: SubmissionStore,
    spaces: SpaceStore,
    user_data: UserDataKeys,
    guard: SsrfGuard,
    index_queue: IndexQueue,
    enrich_queue: EnrichQueue,
    video_removal: VideoRemoval,
    request: Submit,
) -> Submitted:
    """Record that the caller's space wants a video, and queue its index job or its enrich job if it needs one.

    Raises `RequestRefusedError` if only admins may submit in this space, or if the link was removed after
    `request.at`, also if that happens meanwhile; raises `LinkRefusedError` for a link that may not be fetched.
    """
    caller, space_settings = request.caller, load_settings(spaces, request.caller.space)
    if space_settings.submitters == "admins" and not caller.is_admin:
        raise RequestRefusedError(ErrorCode.SUBMITTERS_ONLY)
    if request.is_crawled:
        _refuse_stopped_crawl(spaces, request)
    link = resolve_submitted_link(guard, request)
    video_id = submissions.aliases.resolve(link.video_id)
    if request.at < (user_data.get_removal_time(caller.space, video_id) or 0.0):
        # An old request that a restarted frontend recovered: the link was removed after the user asked for it.
        raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY)
    new = _make_submission(request, link, video_id, space_settings)
    was_visible = any(each.at < new.at.isoformat() for each in submissions.of_video(caller.scopes, video_id))
    record = submissions.submit(new)
    if video_removal.undo_late_submission(new):
        raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY)
    if index_queue.needs_job(record, caller.space):
        return Submitted(link=record.link, video_id=video_id, job_id=index_queue.enqueue(video_id))
    if record.pending_senses:
        enrich_queue.enqueue(video_id)
    indexed = describe_indexed(record)
    if was_visible:
        # Otherwise it is reported as new, so that the answer does not reveal that another space has the video.
        indexed = indexed.model_copy(update={"status": IndexOutcome.ALREADY})
    return Submitted(link=record.link, video_id=video_id, job_id=None, indexed=indexed)


def _make_submission(request: Submit, link: Link, video_id: str, space_settings: SpaceSettings) -> NewSubmission:
    """Return the submission that a request makes. Its link was resolved and checked."""
    caller = request.caller
    return NewSubmission(
        video_id=video_id,
        link=link.url,
        fetch_url=link.fetch_url,
        space=caller.space,
        user_id=caller.user_id,
        at=datetime.fromtimestamp(request.at, UTC),
        title=request.title or "",
        private_channel=caller.private_channel if space_settings.private_channels == "closed" else None,
        user_name=caller.display_name,
        message_id=request.message_id,
    )


def _refuse_stopped_crawl(spaces: SpaceStore, request: Submit) -> None:
    """Raise `RequestRefusedError` if an admin has stopped the crawl that the link is part of."""
    stopped = spaces.crawls_stopped_at(request.caller.space)
    if stopped is not None and request.at <= stopped.timestamp():
        raise RequestRefusedError(ErrorCode.CRAWL_STOPPED)


def get_video_status(
    submissions: SubmissionStore,
    videos: VideoStore,
    index_queue: IndexQueue,
    enrich_queue: EnrichQueue,
    request: GetVideoStatus,
) -> VideoStatus:
    """Return how the video's jobs ended, or no update if the first is not finished; a lost job is queued again.

    The result of a job that is not finished is that of an earlier attempt, which was stored late. It is deleted.
    Raises `RequestRefusedError` if the caller cannot see the video.
    """
    video_id = submissions.aliases.resolve(request.video_id)
    if not submissions.has(request.caller.scopes, video_id):
        raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY)
    record = videos.get(video_id)
    if record is not None and video_id != request.video_id:
        return VideoStatus(update=Joined(link=record.link))
    if record is not None and index_queue.needs_job(record, request.caller.space):
        index_queue.forget_result(video_id)
        index_queue.enqueue(video_id)
        return VideoStatus(update=None)
    if record is not None and record.pending_senses:
        enrich_queue.forget_result(video_id)
        enrich_queue.enqueue(video_id)
    return VideoStatus(update=describe_outcome(record, ""))


def enrich(
    submissions: SubmissionStore,
    videos: VideoStore,
    index_queue: IndexQueue,
    enrich_queue: EnrichQueue,
    wanted: WantedSenses,
    request: Enrich,
) -> Submitted:
    """Queue the enrich job of a video for all senses that the settings want, or for those of them that it lacks.

    Raises `RequestRefusedError` if the caller is not an admin or cannot see the video.
    """
    require_admin(request.caller)
    video_id = require_visible_video(submissions, request.caller, request.link)
    record = videos.get(video_id)
    if record is None or record.status == IndexStatus.FAILED:
        raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY)
    if record.status == IndexStatus.WAITING:
        return Submitted(link=record.link, video_id=video_id, job_id=index_queue.enqueue(video_id))
    is_known = {SenseStatus.DONE, SenseStatus.OFF} if request.only_missing else set()
    senses = [sense for sense in Sense if sense in wanted.senses and record.senses.get(sense) not in is_known]
    if senses:
        videos.request_senses(video_id, senses)
        enrich_queue.enqueue(video_id)
    indexed = describe_indexed(videos.get(video_id) or record)
    return Submitted(link=record.link, video_id=video_id, job_id=None, indexed=indexed)


def list_playlist(fetcher: YtDlpFetcher, timeout_s: float, request: ListPlaylist) -> PlaylistLinks:
    """List the videos of a playlist, a channel, a feed or a search on YouTube without submitting them.

    Raises `RequestRefusedError` if the caller is not an admin, `LinkRefusedError`, or `FetchError`.
    """
    require_admin(request.caller)
    with TemporaryDirectory() as folder:
        links = replace(fetcher, timeout_s=timeout_s).list_links(request.link, Path(folder), request.max_links)
    return PlaylistLinks(links=tuple(links))


def stop_crawls(spaces: SpaceStore, request: StopCrawls) -> Ack:
    """Refuse what the crawls of the caller's space would still add.

    Raises `RequestRefusedError` if the caller is not an admin.
    """
    require_admin(request.caller)
    spaces.stop_crawls(request.caller.space, datetime.fromtimestamp(request.at, UTC))
    return Ack()


def list_library(submissions: SubmissionStore, request: ListLibrary) -> LibraryListing:
    """Return one page of the videos that the caller can see, newest first."""
    caller = request.caller
    rows, total = submissions.list_videos(
        caller.scopes, request.limit, request.offset, request.search or "", caller.user_id if request.only_own else None
    )
    return LibraryListing(entries=tuple(map(_make_library_entry, rows)), total=total)


def _make_library_entry(row: LibraryRow) -> LibraryEntry:
    video, submission = row.video, row.submission
    return LibraryEntry(
        link=video.link,
        video_id=video.video_id,
        title=video.title,
        status=video.status,
        code=ErrorCode(video.code) if video.code else None,
        moments=video.moments,
        duration_s=video.duration_s,
        submitter=submission.submitter,
        submitted_at=submission.at,
        message_id=submission.message_id,
        thumbnail=video.thumbnail,
        pending_senses=video.pending_senses if video.status in FINDABLE else (),
        failed_senses=list_failed_senses(video),
    )


def forget(
    submissions: SubmissionStore,
    removals: RemovalStore,
    spaces: SpaceStore,
    lists: FollowedListStore,
    user_data: UserDataKeys,
    video_removal: VideoRemoval,
    request: Forget,
) -> ForgetResult:
    """Remove videos from the caller's space, and delete the data that no space needs any more.

    The request names a link, a chat message, or all of the caller's submissions; in the last case the caller's votes,
    followed lists and stored results are deleted too. Raises `RequestRefusedError` if the caller cannot see the link,
    and `NotSubmitterError` if someone else submitted it and the caller is not an admin.
    """
    caller = request.caller
    removal = _make_removal_request(submissions.aliases, request)
    removals.record_request(removal)
    if request.only_own:
        lists.delete_of_user(caller.space, caller.user_id)
        removed = removals.remove_by_user(caller.space, caller.user_id)
        spaces.delete_votes_of(caller.space, caller.user_id)
        user_data.delete(caller.space, caller.user_id)
    elif request.message_id:
        removed = removals.remove_by_message(caller.space, request.message_id, removal.kept_ids)
    else:
        video_id = require_video_id(submissions.aliases, request.link or "")
        if not submissions.has(caller.scopes, video_id):
            # A chat request that submits it may be unanswered.
            user_data.record_removal(caller.space, [video_id], request.at)
            raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY)
        removed = removals.remove_video(caller.scopes, video_id, None if caller.is_admin else caller.user_id)
    video_removal.delete_related_data(caller.space, removed, request.at)
    if request.link and not removed.links:
        raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY)
    return ForgetResult(links=removed.links)


def _make_removal_request(aliases: AliasStore, request: Forget) -> RemovalRequest:
    """Return what the caller may remove by this request. Raises `RequestRefusedError` if it names nothing."""
    caller = request.caller
    removal = RemovalRequest(caller.space, datetime.fromtimestamp(request.at, UTC).isoformat())
    if request.only_own:
        return replace(removal, user_digest=removal.digest_user(caller.user_id))
    if request.message_id:
        return replace(
            removal, message_id=request.message_id, kept_ids=tuple(video_ids_of(aliases, request.kept_links))
        )
    if request.link:
        submitter = None if caller.is_admin else removal.digest_user(caller.user_id)
        video_id = require_video_id(aliases, request.link)
        ids = tuple(submission_id(video_id, scope) for scope in caller.scopes)
        return replace(removal, submission_ids=ids, user_digest=submitter)
    raise RequestRefusedError(ErrorCode.NOT_A_LINK)


def get_status(
    submissions: SubmissionStore, generations: GenerationStore, settings: Settings, request: GetStatus
) -> LibraryStatus:
    """Count what the caller can see, and name the model that searches it."""
    caller = request.caller
    counts = submissions.count(caller.scopes)
    live = generations.get_live(settings.adapter_scope_of(caller.space))
    return LibraryStatus(
        preset=generations.describe(live).preset if live else settings.preset,
        generation=str(live) if live else None,
        videos=counts.videos,
        moments=counts.moments,
        waiting=counts.waiting,
        listening=counts.listening,
        is_listening_stalled=bool(counts.listening) and is_stalled(settings, "enrich"),
        failed_senses=counts.failed_senses,
    )
