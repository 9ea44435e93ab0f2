"""What a worker answers to each request: one function each, from message to message."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from indexer import images
from indexer.errors import NotALink
from indexer.link.canonical import Link, canonical, local_file, moment_link
from indexer.search.search import find as search
from indexer.store.records import VideoRecord
from indexer.types import Picture
from worker.handlers import models as learning
from worker.handlers import spaces as decisions
from worker.handlers.spaces import Refusal, admins_only
from worker.jobs.index import lacking, outcome, send_index
from worker.protocol import messages
from worker.protocol.error_codes import Code
from worker.protocol.messages import (
    Asker,
    Crawl,
    Crawled,
    Find,
    Forget,
    Forgotten,
    Found,
    Hit,
    Indexed,
    Library,
    LibraryEntry,
    LibraryPage,
    Message,
    Standing,
    Stands,
    State,
    Status,
    Submit,
    Submitted,
    Why,
)
from worker.services import Parts


def find(parts: Parts, request: Find) -> Found:
    queries = [query.strip() for query in request.queries if query.strip()]
    if not (queries or request.like or request.picture):
        raise Refusal(Code.EMPTY_QUERY)
    picture, small = _picture(request.picture)
    with parts.metrics.search("whole"):
        page = search(
            parts.library,
            parts.models.serving(request.asker.space),
            request.asker.scopes,
            texts=queries,
            like=request.like,
            unlike=request.unlike,
            picture=picture,
            video_id=_known(parts, request.asker, request.in_link) if request.in_link else None,
            limit=request.limit,
            offset=request.offset,
            timed=parts.metrics.search,
        )
    hits = tuple(_hit(each) for each in page.hits)
    return Found(hits=hits, next_offset=page.next_offset, weak=page.weak and not request.offset, picture=small)


def _picture(encoded: str | None) -> tuple[Picture | None, str | None]:
    """The picture that is searched with, and a small one to go on with."""
    if encoded is None:
        return None, None
    try:
        picture, small = images.read(b64decode(encoded, validate=True))
    except ValueError as error:
        raise Refusal(Code.NOT_A_PICTURE) from error
    return picture, b64encode(small).decode()


def _hit(hit: Any) -> Hit:
    fields = asdict(hit)
    fields["why"] = tuple(Why(**why) for why in fields["why"])
    return Hit(**fields, moment_link=moment_link(hit.link, hit.start_s))


def submit(parts: Parts, request: Submit) -> Submitted:
    asker, decided = request.asker, decisions.space_settings(parts, request.asker.space)
    if decided.submitters == "admins" and not asker.admin:
        raise Refusal(Code.SUBMITTERS_ONLY)
    link = _taken(parts, request)
    if request.at < parts.traces.taken_back_at(asker.space, link.video_id):
        # Left over from a frontend that ended before it could answer; whoever forgot the link asked later.
        raise Refusal(Code.NOT_IN_LIBRARY)
    known = parts.library.has(asker.scopes, link.video_id)
    record = parts.library.submit(
        link.video_id,
        link.url,
        link.fetch_url,
        asker.space,
        asker.person,
        datetime.now(UTC),
        request.title or "",
        room=asker.room if decided.rooms == "closed" else "",
        name=asker.name,
        message=request.message,
    )
    if record.status == "waiting" or asker.space in lacking(parts, link.video_id):
        return Submitted(link=link.url, video_id=link.video_id, job_id=send_index(parts, link.video_id))
    return Submitted(link=link.url, video_id=link.video_id, job_id=None, indexed=_indexed(record, known))


def standing(parts: Parts, request: Standing) -> Stands:
    asker, video_id = request.asker, request.video_id
    if not parts.library.has(asker.scopes, video_id):
        raise Refusal(Code.NOT_IN_LIBRARY)
    record = parts.library.video(video_id)
    if record is not None and (record.status == "waiting" or asker.space in lacking(parts, video_id)):
        send_index(parts, video_id)
        return Stands(update=None)
    return Stands(update=outcome(record, ""))


def crawl(parts: Parts, request: Crawl) -> Crawled:
    admins_only(request.asker)
    fetcher = replace(parts.fetcher(), timeout_s=parts.settings.search_timeout_s)
    with TemporaryDirectory() as folder:
        return Crawled(links=tuple(fetcher.links(request.link, Path(folder), request.most)))


def _taken(parts: Parts, request: Submit) -> Link:
    """Only the command line may name a file; everything else must pass the guard before anything is recorded."""
    if request.local_files and request.link.startswith("file://"):
        return local_file(request.link)
    link = canonical(request.link)
    parts.guard.check_url(link.fetch_url)
    return link


def _indexed(record: VideoRecord, known: bool) -> Indexed:
    """To who could not see the video before, it is new: that others have it is nothing to tell."""
    fresh: Literal["indexed", "words_only"] = "words_only" if record.status == "words_only" else "indexed"
    return Indexed(
        link=record.link,
        title=record.title,
        status="already" if known else fresh,
        code=Code(record.code) if record.code else None,
        moments=record.moments,
    )


def library(parts: Parts, request: Library) -> LibraryPage:
    asker = request.asker
    entries, total = parts.library.entries(
        asker.scopes, request.limit, request.offset, request.search, asker.person if request.mine else None
    )
    return LibraryPage(
        entries=tuple(
            LibraryEntry(
                link=entry.video.link,
                video_id=entry.video.video_id,
                title=entry.video.title,
                status=entry.video.status,
                code=Code(entry.video.code) if entry.video.code else None,
                moments=entry.video.moments,
                duration_s=entry.video.duration_s,
                submitter=entry.submission.name or entry.submission.person,
                submitted_at=entry.submission.at,
                thumbnail=entry.video.thumbnail,
            )
            for entry in entries
        ),
        total=total,
    )


def forget(parts: Parts, request: Forget) -> Forgotten:
    asker, library = request.asker, parts.library
    if request.mine:
        forgotten = library.forget_mine(asker.space, asker.person)
        parts.spaces.forget_person(asker.space, asker.person)
        parts.traces.forget(asker.space, asker.person)
    elif request.message:
        forgotten = library.forget_message(asker.space, request.message, decisions.video_ids(request.still))
    elif request.link:
        person = None if asker.admin else asker.person
        forgotten = library.forget(asker.scopes, _known(parts, asker, request.link), person)
    else:
        raise Refusal(Code.NOT_A_LINK)
    decisions.clear(parts, asker.space, forgotten, request.at)
    return Forgotten(links=forgotten.links)


def status(parts: Parts, request: Status) -> State:
    counts = parts.library.counts(request.asker.scopes)
    return State(
        preset=parts.settings.preset,
        generation=parts.library.generation(parts.settings.adapter_space(request.asker.space)) or "",
        videos=counts.videos,
        moments=counts.moments,
        waiting=counts.waiting,
    )


def _known(parts: Parts, asker: Asker, link: str) -> str:
    """The id of a video that the asker may see."""
    try:
        video_id = decisions.video_id(link)
    except NotALink as error:
        raise Refusal(Code.NOT_IN_LIBRARY) from error
    if not parts.library.has(asker.scopes, video_id):
        raise Refusal(Code.NOT_IN_LIBRARY)
    return video_id


ANSWERS: dict[str, Callable[[Parts, Any], Message]] = {
    Find.task: find,
    Submit.task: submit,
    Crawl.task: crawl,
    Library.task: library,
    Forget.task: forget,
    Standing.task: standing,
    Status.task: status,
    messages.Vote.task: decisions.vote,
    messages.ReadTerms.task: decisions.read_terms,
    messages.ReadSettings.task: decisions.read_settings,
    messages.ChangeSettings.task: decisions.change_settings,
    messages.Leave.task: decisions.leave,
    messages.PreviewRetrain.task: learning.preview_retrain,
    messages.Retrain.task: learning.retrain,
    messages.ReadModels.task: learning.read_models,
    messages.Rollback.task: learning.rollback,
}
