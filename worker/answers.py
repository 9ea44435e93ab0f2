"""What a worker answers to each request: one function each, from message to message."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from indexer.errors import NotALink
from indexer.library import VideoRecord
from indexer.link import Link, canonical, file_path, local_file, moment_link
from indexer.search import find as search
from worker.codes import Code
from worker.compose import Parts
from worker.jobs import send_index
from worker.messages import (
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
    State,
    Status,
    Submit,
    Submitted,
    Why,
)


class Refusal(Exception):
    """A request that can't be done, for a reason the asker can mend."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code = code


def find(parts: Parts, request: Find) -> Found:
    queries = [query.strip() for query in request.queries if query.strip()]
    if not queries and not request.like:
        raise Refusal(Code.EMPTY_QUERY)
    space = request.asker.space
    page = search(
        parts.library,
        parts.encoder(),
        space,
        texts=queries,
        like=request.like,
        unlike=request.unlike,
        video_id=_known(parts, space, request.in_link) if request.in_link else None,
        limit=request.limit,
        offset=request.offset,
    )
    return Found(hits=tuple(_hit(each) for each in page.hits), next_offset=page.next_offset)


def _hit(hit: Any) -> Hit:
    fields = asdict(hit)
    fields["why"] = tuple(Why(**why) for why in fields["why"])
    return Hit(**fields, moment_link=moment_link(hit.link, hit.start_s))


def submit(parts: Parts, request: Submit) -> Submitted:
    link = _taken(parts, request)
    asker = request.asker
    record = parts.library.submit(
        link.video_id, link.url, link.fetch_url, asker.space, asker.person, datetime.now(UTC), request.title or ""
    )
    if record.status == "waiting":
        return Submitted(link=link.url, video_id=link.video_id, job_id=send_index(parts, link.video_id))
    return Submitted(link=link.url, video_id=link.video_id, job_id=None, indexed=_already(record))


def _taken(parts: Parts, request: Submit) -> Link:
    """Only the command line may name a file; everything else must pass the guard before anything is recorded."""
    if request.local_files and request.link.startswith("file://"):
        return local_file(request.link)
    link = canonical(request.link)
    parts.guard.check_url(link.fetch_url)
    return link


def _already(record: VideoRecord) -> Indexed:
    return Indexed(
        link=record.link,
        title=record.title,
        status="already",
        code=Code(record.code) if record.code else None,
        moments=record.moments,
    )


def library(parts: Parts, request: Library) -> LibraryPage:
    entries, total = parts.library.entries(request.asker.space, request.limit, request.offset, request.search)
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
                submitter=entry.submission.person,
                submitted_at=entry.submission.at,
                thumbnail=entry.video.thumbnail,
            )
            for entry in entries
        ),
        total=total,
    )


def forget(parts: Parts, request: Forget) -> Forgotten:
    asker = request.asker
    if request.mine:
        forgotten = parts.library.forget_mine(asker.space, asker.person)
    elif request.link:
        forgotten = parts.library.forget(asker.space, _known(parts, asker.space, request.link))
    else:
        raise Refusal(Code.NOT_A_LINK)
    for prefix in forgotten.blob_prefixes:
        parts.blobs.delete_prefix(prefix)
    return Forgotten(links=forgotten.links)


def status(parts: Parts, request: Status) -> State:
    counts = parts.library.counts(request.asker.space)
    return State(
        preset=parts.settings.preset,
        generation=parts.library.generation or "",
        videos=counts.videos,
        moments=counts.moments,
        waiting=counts.waiting,
    )


def _known(parts: Parts, space: str, link: str) -> str:
    """The id of a video of this space."""
    try:
        # A file may be gone by now, and can be forgotten all the same.
        url = file_path(link).resolve().as_uri() if link.startswith("file://") else canonical(link).url
    except NotALink as error:
        raise Refusal(Code.NOT_IN_LIBRARY) from error
    video_id = Link(url, url).video_id
    if not parts.library.has(space, video_id):
        raise Refusal(Code.NOT_IN_LIBRARY)
    return video_id


ANSWERS: dict[str, Callable[[Parts, Any], Message]] = {
    Find.task: find,
    Submit.task: submit,
    Library.task: library,
    Forget.task: forget,
    Status.task: status,
}
