"""What a worker answers to each request: one function each, from message to message."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from indexer import images
from indexer.errors import NotALinkError
from indexer.link.canonical import Link, canonicalize, link_to_local_file, link_to_second
from indexer.search.search import find as search
from indexer.store.records import VideoRecord
from indexer.types import Picture
from worker.handlers import models as learning
from worker.handlers import spaces as decisions
from worker.handlers.spaces import RequestRefusedError, admins_only
from worker.jobs.index import lacking, outcome, send_index
from worker.protocol import messages
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import (
    Caller,
    Find,
    Forget,
    ForgetResult,
    GetStatus,
    GetVideoStatus,
    Hit,
    Indexed,
    LibraryEntry,
    LibraryPage,
    LibraryStatus,
    ListLibrary,
    ListPlaylist,
    MatchReason,
    PlaylistLinks,
    SearchResults,
    Submit,
    Submitted,
    VideoStatus,
    WireModel,
)
from worker.services import Services


def find(services: Services, request: Find) -> SearchResults:
    queries = [query.strip() for query in request.queries if query.strip()]
    if not (queries or request.like or request.picture):
        raise RequestRefusedError(ErrorCode.EMPTY_QUERY)
    picture, small = _picture(request.picture)
    with services.metrics.search("whole"):
        page = search(
            services.library,
            services.models.serving(request.caller.space),
            request.caller.scopes,
            texts=queries,
            like=request.like,
            unlike=request.unlike,
            picture=picture,
            video_id=_known(services, request.caller, request.in_link) if request.in_link else None,
            limit=request.limit,
            offset=request.offset,
            timed=services.metrics.search,
        )
    hits = tuple(_hit(each) for each in page.hits)
    return SearchResults(hits=hits, next_offset=page.next_offset, weak=page.weak and not request.offset, picture=small)


def _picture(encoded: str | None) -> tuple[Picture | None, str | None]:
    """The picture that is searched with, and a small one to go on with."""
    if encoded is None:
        return None, None
    try:
        picture, small = images.read_query_picture(b64decode(encoded, validate=True))
    except ValueError as error:
        raise RequestRefusedError(ErrorCode.NOT_A_PICTURE) from error
    return picture, b64encode(small).decode()


def _hit(hit: Any) -> Hit:
    fields = asdict(hit)
    fields["why"] = tuple(MatchReason(**why) for why in fields["why"])
    return Hit(**fields, moment_link=link_to_second(hit.link, hit.start_s))


def submit(services: Services, request: Submit) -> Submitted:
    caller, decided = request.caller, decisions.space_settings(services, request.caller.space)
    if decided.submitters == "admins" and not caller.is_admin:
        raise RequestRefusedError(ErrorCode.SUBMITTERS_ONLY)
    link = _taken(services, request)
    if request.at < services.user_data.taken_back_at(caller.space, link.video_id):
        # Left over from a frontend that ended before it could answer; whoever forgot the link asked later.
        raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY)
    known = services.library.has(caller.scopes, link.video_id)
    record = services.library.submit(
        link.video_id,
        link.url,
        link.fetch_url,
        caller.space,
        caller.user_id,
        datetime.now(UTC),
        request.title or "",
        private_channel=caller.private_channel if decided.private_channels == "closed" else "",
        name=caller.name,
        message=request.message,
    )
    if record.status == "waiting" or caller.space in lacking(services, link.video_id):
        return Submitted(link=link.url, video_id=link.video_id, job_id=send_index(services, link.video_id))
    return Submitted(link=link.url, video_id=link.video_id, job_id=None, indexed=_indexed(record, known))


def standing(services: Services, request: GetVideoStatus) -> VideoStatus:
    caller, video_id = request.caller, request.video_id
    if not services.library.has(caller.scopes, video_id):
        raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY)
    record = services.library.video(video_id)
    if record is not None and (record.status == "waiting" or caller.space in lacking(services, video_id)):
        send_index(services, video_id)
        return VideoStatus(update=None)
    return VideoStatus(update=outcome(record, ""))


def crawl(services: Services, request: ListPlaylist) -> PlaylistLinks:
    admins_only(request.caller)
    fetcher = replace(services.fetcher(), timeout_s=services.settings.search_timeout_s)
    with TemporaryDirectory() as folder:
        return PlaylistLinks(links=tuple(fetcher.links(request.link, Path(folder), request.most)))


def _taken(services: Services, request: Submit) -> Link:
    """Only the command line may name a file; everything else must pass the guard before anything is recorded."""
    if request.local_files and request.link.startswith("file://"):
        return link_to_local_file(request.link)
    link = canonicalize(request.link)
    services.guard.check_url(link.fetch_url)
    return link


def _indexed(record: VideoRecord, known: bool) -> Indexed:
    """To who could not see the video before, it is new: that others have it is nothing to tell."""
    fresh: Literal["indexed", "words_only"] = "words_only" if record.status == "words_only" else "indexed"
    return Indexed(
        link=record.link,
        title=record.title,
        status="already" if known else fresh,
        code=ErrorCode(record.code) if record.code else None,
        moments=record.moments,
    )


def library(services: Services, request: ListLibrary) -> LibraryPage:
    caller = request.caller
    entries, total = services.library.entries(
        caller.scopes, request.limit, request.offset, request.search, caller.user_id if request.mine else None
    )
    return LibraryPage(
        entries=tuple(
            LibraryEntry(
                link=entry.video.link,
                video_id=entry.video.video_id,
                title=entry.video.title,
                status=entry.video.status,
                code=ErrorCode(entry.video.code) if entry.video.code else None,
                moments=entry.video.moments,
                duration_s=entry.video.duration_s,
                submitter=entry.submission.name or entry.submission.user_id,
                submitted_at=entry.submission.at,
                thumbnail=entry.video.thumbnail,
            )
            for entry in entries
        ),
        total=total,
    )


def forget(services: Services, request: Forget) -> ForgetResult:
    caller, library = request.caller, services.library
    if request.mine:
        forgotten = library.forget_mine(caller.space, caller.user_id)
        services.spaces.forget_person(caller.space, caller.user_id)
        services.user_data.forget(caller.space, caller.user_id)
    elif request.message:
        forgotten = library.forget_message(caller.space, request.message, decisions.video_ids(request.still))
    elif request.link:
        user_id = None if caller.is_admin else caller.user_id
        forgotten = library.forget(caller.scopes, _known(services, caller, request.link), user_id)
    else:
        raise RequestRefusedError(ErrorCode.NOT_A_LINK)
    decisions.clear(services, caller.space, forgotten, request.at)
    return ForgetResult(links=forgotten.links)


def status(services: Services, request: GetStatus) -> LibraryStatus:
    counts = services.library.counts(request.caller.scopes)
    return LibraryStatus(
        preset=services.settings.preset,
        generation=services.library.generation(services.settings.adapter_space(request.caller.space)) or "",
        videos=counts.videos,
        moments=counts.moments,
        waiting=counts.waiting,
    )


def _known(services: Services, caller: Caller, link: str) -> str:
    """The id of a video that the asker may see."""
    try:
        video_id = decisions.video_id(link)
    except NotALinkError as error:
        raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY) from error
    if not services.library.has(caller.scopes, video_id):
        raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY)
    return video_id


ANSWERS: dict[str, Callable[[Services, Any], WireModel]] = {
    Find.task: find,
    Submit.task: submit,
    ListPlaylist.task: crawl,
    ListLibrary.task: library,
    Forget.task: forget,
    GetVideoStatus.task: standing,
    GetStatus.task: status,
    messages.RecordVote.task: decisions.vote,
    messages.GetRetentionPolicy.task: decisions.read_terms,
    messages.GetSettings.task: decisions.read_settings,
    messages.ChangeSettings.task: decisions.change_settings,
    messages.RecordBotRemoval.task: decisions.leave,
    messages.PreviewRetrain.task: learning.preview_retrain,
    messages.Retrain.task: learning.retrain,
    messages.ListModels.task: learning.read_models,
    messages.Rollback.task: learning.rollback,
}
