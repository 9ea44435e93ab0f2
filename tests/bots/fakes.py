"""A library in memory that answers as the workers do. `contract.py` holds it against the real clients."""

import asyncio
import io
import threading
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

from PIL import Image

from worker import messages
from worker.codes import Code
from worker.messages import CallFailed, Message, Request, Update

A = TypeVar("A", bound=Message)


@dataclass(frozen=True)
class FakeVideo:
    """A video whose moments are found by their words."""

    link: str
    title: str
    moments: tuple[str, ...]
    """What happens in each stretch of 6 seconds."""
    space: str = "local:me"
    submitter: str = "ada"
    thumbnail: bytes | None = None
    failed: Code | None = None
    words_only: bool = False
    waiting: bool = False
    """Submitted, and not looked at yet."""

    @property
    def id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.link))

    def moment_id(self, number: int) -> str:
        return f"{self.id}-{number}"


SNOW = FakeVideo("https://video.example/snow", "Dogs in snow", ("a dog runs in snow", "a dog rests", "a cat sleeps"))
GOAL = FakeVideo("https://video.example/goal", "The goal", ("a man kicks a ball", "the crowd and a dog cheer"))
TALK = FakeVideo("https://video.example/talk", "A talk", ("she speaks of ships",), words_only=True)


@dataclass
class FakeClient:
    """Videos go in by `Submit` and are found by shared words. `sites` says how the sites behave."""

    videos: list[FakeVideo] = field(default_factory=list)
    sites: Mapping[str, FakeVideo | Code] = field(default_factory=dict)
    broken: Exception | None = None
    """Raised by every call."""
    gate: threading.Event | None = None
    """Jobs stand still after their first progress until it is set, by whichever thread."""
    lose_thumbnails: bool = False
    asked: list[Request[Message]] = field(default_factory=list)
    _jobs: dict[str, tuple[str, messages.Submit]] = field(default_factory=dict)

    async def call(self, request: Request[A]) -> A:
        self.asked.append(cast(Request[Message], request))
        if self.broken:
            raise self.broken
        match request:
            case messages.Find():
                answer: Message = self._find(request)
            case messages.Submit():
                answer = self._submit(request)
            case messages.Library():
                answer = self._library(request)
            case messages.Forget():
                answer = self._forget(request)
            case messages.Status():
                moments = sum(len(video.moments) for video in self.videos)
                answer = messages.State(
                    preset="starter", generation="fake", videos=len(self.videos), moments=moments, waiting=0
                )
            case _:
                raise AssertionError(f"no answer for {request}")
        return cast(A, answer)

    async def follow(self, job_id: str) -> AsyncIterator[Update]:
        link, submit = self._jobs[job_id]
        yield messages.Progress(stage="fetch", done=0.5)
        if self.gate:
            await asyncio.to_thread(self.gate.wait)
        site = self.sites.get(link, FakeVideo(link, submit.title or link.rsplit("/", 1)[-1], ("something",)))
        if isinstance(site, Code):
            yield messages.Failed(code=site, incident="fa11ed00")
            return
        yield messages.Progress(stage="embed", done=0.5)
        video = replace(site, space=submit.asker.space, submitter=submit.asker.person, title=submit.title or site.title)
        self.videos.insert(0, video)
        yield messages.Indexed(
            link=link,
            title=video.title,
            status="words_only" if video.words_only else "indexed",
            code=Code.BLOCKED if video.words_only else None,
            moments=len(video.moments),
        )

    async def thumbnail(self, key: str) -> bytes:
        for video in self.videos:
            if key == f"thumbnails/{video.id}.jpg" and not self.lose_thumbnails:
                return video.thumbnail or picture((90, 120, 150))
        raise KeyError(key)

    def _find(self, find: messages.Find) -> messages.Found:
        shelf = [video for video in self.videos if video.space == find.asker.space]
        if find.in_link is not None:
            shelf = [video for video in shelf if video.link == find.in_link]
            if not shelf:
                raise CallFailed(Code.NOT_IN_LIBRARY, "no7here0")
        wanted = {word for text in (*find.queries, *find.like) for word in self._words(text)}
        unwanted = {word for text in find.unlike for word in self._words(text)}
        hits = []
        for video in shelf:
            scores = [
                len(wanted & set(text.lower().split())) - len(unwanted & set(text.lower().split()))
                for text in video.moments
            ]
            matching = [number for number, score in enumerate(scores) if score > 0]
            best = sorted(matching, key=lambda number: -scores[number])
            shown = best if find.in_link is not None else best[:1]
            hits += [_hit(video, number, scores[number] / len(wanted), len(best) - len(shown)) for number in shown]
        hits.sort(key=lambda hit: -hit.score)
        end = find.offset + find.limit
        return messages.Found(hits=tuple(hits[find.offset : end]), next_offset=end if len(hits) > end else None)

    def _words(self, text: str) -> list[str]:
        if not text.startswith("moment:"):
            return text.lower().split()
        moments = {
            f"moment:{video.moment_id(number)}": words
            for video in self.videos
            for number, words in enumerate(video.moments)
        }
        return moments.get(text, "").split()

    def _submit(self, submit: messages.Submit) -> messages.Submitted:
        link = submit.link
        if submit.local_files and link.startswith("file://"):
            pass
        elif "://" not in link:
            raise CallFailed(Code.NOT_A_LINK, "n0tal1nk")
        elif not link.startswith(("http://", "https://")):
            raise CallFailed(Code.SCHEME_REFUSED, "5cheme00")
        video_id = str(uuid.uuid5(uuid.NAMESPACE_URL, link))
        for video in self.videos:
            if video.link == link and video.space == submit.asker.space and not video.waiting:
                indexed = messages.Indexed(link=link, title=video.title, status="already", moments=len(video.moments))
                return messages.Submitted(link=link, video_id=video_id, job_id=None, indexed=indexed)
        self._jobs[video_id] = (link, submit)
        return messages.Submitted(link=link, video_id=video_id, job_id=video_id)

    def _library(self, request: messages.Library) -> messages.LibraryPage:
        words = request.search.lower().split()
        entries = [
            _entry(video)
            for video in self.videos
            if video.space == request.asker.space and all(word in video.title.lower() for word in words)
        ]
        page = entries[request.offset : request.offset + request.limit]
        return messages.LibraryPage(entries=tuple(page), total=len(entries))

    def _forget(self, request: messages.Forget) -> messages.Forgotten:
        gone = [
            video.link
            for video in self.videos
            if video.space == request.asker.space
            and (video.link == request.link or (request.mine and video.submitter == request.asker.person))
        ]
        if not gone and not request.mine:
            raise CallFailed(Code.NOT_IN_LIBRARY, "no7here0")
        self.videos = [
            video for video in self.videos if not (video.link in gone and video.space == request.asker.space)
        ]
        return messages.Forgotten(links=tuple(gone))


def picture(colour: tuple[int, int, int]) -> bytes:
    """A plain JPEG."""
    file = io.BytesIO()
    Image.new("RGB", (320, 180), colour).save(file, "JPEG")
    return file.getvalue()


def _hit(video: FakeVideo, number: int, score: float, more: int) -> messages.Hit:
    kind = "words" if video.words_only else "looks"
    return messages.Hit(
        link=video.link,
        moment_link=f"{video.link}#t={6 * number}",
        title=video.title,
        start_s=6 * number,
        end_s=6 * number + 6,
        score=max(0.0, min(1.0, score)),
        why=(messages.Why(kind=kind, snippet=video.moments[number] if video.words_only else ""),),
        thumbnail=f"thumbnails/{video.id}.jpg",
        more=more,
        moment_id=video.moment_id(number),
        video_id=video.id,
        duration_s=6 * len(video.moments),
        submitter=video.submitter,
        submitted_at="2026-11-20T09:30:00+00:00",
        words_only=video.words_only,
    )


def _entry(video: FakeVideo) -> messages.LibraryEntry:
    status = "words_only" if video.words_only else "waiting" if video.waiting else "indexed"
    return messages.LibraryEntry(
        link=video.link,
        video_id=video.id,
        title=video.title,
        status="failed" if video.failed else status,
        code=video.failed or (Code.BLOCKED if video.words_only else None),
        moments=len(video.moments),
        duration_s=6 * len(video.moments),
        submitter=video.submitter,
        submitted_at="2026-11-20T09:30:00+00:00",
        thumbnail=f"thumbnails/{video.id}.jpg",
    )
