"""Videos of the fake client, and what the workers' answers contain of them."""

import io
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from text.vocabulary import find_words
from worker.protocol.base import CallFailedError
from worker.protocol.describe import Describe, Description
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import IndexStatus, LibraryEntry, LibraryStatus, Sense
from worker.protocol.links import link_to_message
from worker.protocol.models import Generation
from worker.protocol.search import Hit, MatchKind, MatchReason
from worker.protocol.topics import Topic, TopicListing
from worker.protocol.updates import Indexed, IndexOutcome

ENRICH = "enrich-"
"""Prefix of the ids of enrich jobs."""


@dataclass(frozen=True)
class FakeVideo:
    """A video whose moments are found by their words. Each moment is 6 seconds long."""

    link: str
    title: str
    moments: tuple[str, ...]
    """What happens in each moment."""
    space: str = "local:me"
    submitter: str = "ada"
    thumbnail: bytes | None = None
    failed: ErrorCode | None = None
    words_only: bool = False
    private_channel: str | None = None
    name: str | None = None
    message_id: str | None = None
    waiting: bool = False
    """Submitted, but not indexed yet."""
    pending_senses: tuple[Sense, ...] = ()
    """What is still to be recognized in it."""
    failed_senses: Mapping[Sense, ErrorCode] = field(default_factory=dict)
    """What cannot be recognized in it."""
    is_first_of_several: bool = False
    reasons: tuple[MatchReason, ...] = ()
    """Why each of its moments is found."""

    @property
    def id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.link))

    def moment_id(self, number: int) -> str:
        return f"{self.id}-{number}"


SNOW = FakeVideo("https://video.example/snow", "Dogs in snow", ("a dog runs in snow", "a dog rests", "a cat sleeps"))
GOAL = FakeVideo("https://video.example/goal", "The goal", ("a man kicks a ball", "the crowd and a dog cheer"))
TALK = FakeVideo("https://video.example/talk", "A talk", ("she speaks of ships",), words_only=True)


def generation(name: str, live: bool) -> Generation:
    """Return a generation without an adapter."""
    return Generation(name=name, preset="starter", adapter=None, made_at="2026-11-20T09:30:00+00:00", live=live)


def picture(colour: tuple[int, int, int]) -> bytes:
    """Return a JPEG of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (320, 180), colour).save(file, "JPEG")
    return file.getvalue()


def read_words(videos: Sequence[FakeVideo], texts: Iterable[str]) -> set[str]:
    """Return the words of texts. `moment:ID` and `topic:ID` stand for the words of a moment of one of the videos."""
    moments = {video.moment_id(number): words for video in videos for number, words in enumerate(video.moments)}
    words: set[str] = set()
    for text in texts:
        is_moment = text.startswith(("moment:", "topic:"))
        words.update((moments.get(text.partition(":")[2], "") if is_moment else text.lower()).split())
    return words


def list_hits(library: Sequence[FakeVideo], wanted: set[str], unwanted: set[str], is_in_video: bool) -> list[Hit]:
    """Return the best moment of each video that matches, or with `is_in_video` all of them that match."""
    hits: list[Hit] = []
    for video in library:
        moments = [set(text.lower().split()) for text in video.moments]
        scores = [len(wanted & words) - len(unwanted & words) for words in moments]
        best = sorted((number for number, score in enumerate(scores) if score > 0), key=lambda at: -scores[at])
        shown = best if is_in_video else best[:1]
        hits += [build_hit(video, number, scores[number] / len(wanted), len(best) - len(shown)) for number in shown]
    return hits


def build_hit(video: FakeVideo, number: int, score: float, more: int) -> Hit:
    """Return a moment of a video as a search returns it."""
    kind = MatchKind.TITLE if video.words_only else MatchKind.LOOKS
    return Hit(
        link=video.link,
        moment_link=link_to_message(video.link, video.space, video.message_id) or f"{video.link}#t={6 * number}",
        title=video.title,
        start_s=6 * number,
        end_s=6 * number + 6,
        opens_at_s=6 * number,
        score=max(0.0, min(1.0, score)),
        why=video.reasons or (MatchReason(kind=kind, snippet=video.moments[number] if video.words_only else None),),
        thumbnail=f"thumbnails/{video.id}.jpg",
        more=more,
        moment_id=video.moment_id(number),
        video_id=video.id,
        duration_s=6 * len(video.moments),
        submitter=video.name or video.submitter,
        submitted_at="2026-11-20T09:30:00+00:00",
        message_id=video.message_id,
        words_only=video.words_only,
    )


def build_status(videos: Sequence[FakeVideo], is_listening_stalled: bool) -> LibraryStatus:
    """Return the counts of a library."""
    failed = Counter(sense for each in map(build_entry, videos) for sense in each.failed_senses)
    return LibraryStatus(
        preset="starter",
        generation="fake",
        videos=len(videos),
        moments=sum(len(video.moments) for video in videos),
        waiting=0,
        listening=sum(bool(video.pending_senses) for video in videos),
        is_listening_stalled=is_listening_stalled,
        failed_senses=dict(failed),
    )


def build_topic(video: FakeVideo) -> Topic:
    """Return the topic that a video is: with one word of it."""
    words = find_words(" ".join(video.moments))
    return Topic(
        names=tuple(sorted(words)[:1]),
        moment_id=video.moment_id(0),
        thumbnail=f"thumbnails/{video.id}.jpg",
        moments=len(video.moments),
        videos=1,
    )


def list_topics(videos: Sequence[FakeVideo]) -> TopicListing:
    """Return each video as a topic, the longest first."""
    return TopicListing(topics=tuple(sorted(map(build_topic, videos), key=lambda topic: -topic.moments)))


def build_entry(video: FakeVideo) -> LibraryEntry:
    """Return a video as the library lists it."""
    return LibraryEntry(
        link=video.link,
        video_id=video.id,
        title=video.title,
        status=_status(video),
        code=video.failed or (ErrorCode.BLOCKED if video.words_only else None),
        moments=len(video.moments),
        duration_s=6 * len(video.moments),
        submitter=video.name or video.submitter,
        submitted_at="2026-11-20T09:30:00+00:00",
        message_id=video.message_id,
        thumbnail=f"thumbnails/{video.id}.jpg",
        pending_senses=video.pending_senses,
        failed_senses={} if video.pending_senses else dict(video.failed_senses),
    )


def build_indexed(video: FakeVideo) -> Indexed:
    """Return how a video's jobs end, or that the second one is still running."""
    return Indexed(
        link=video.link,
        title=video.title,
        status=IndexOutcome.WORDS_ONLY if video.words_only else IndexOutcome.INDEXED,
        code=ErrorCode.BLOCKED if video.words_only else None,
        moments=len(video.moments),
        is_first_of_several=video.is_first_of_several,
        enrich_job=f"{ENRICH}{video.id}" if video.pending_senses else None,
        failed_senses=build_entry(video).failed_senses,
    )


def _status(video: FakeVideo) -> IndexStatus:
    if video.failed:
        return IndexStatus.FAILED
    if video.words_only:
        return IndexStatus.WORDS_ONLY
    return IndexStatus.WAITING if video.waiting else IndexStatus.INDEXED


def describe(videos: Sequence[FakeVideo], request: Describe, text: str | None, tags: tuple[str, ...]) -> Description:
    """Return what is known of the video or moment that a request names. Raises `CallFailedError` without one."""
    for video in videos:
        ids = [video.moment_id(number) for number in range(len(video.moments))]
        if request.moment_id in ids or request.link == video.link:
            known = {"title": video.title, "link": video.link, "start_s": 0, "end_s": 6, "heard": ("Applause",)}
            return Description.model_validate({**known, "text": text, "tags": tags, "said": "well done"})
    raise CallFailedError(ErrorCode.NOT_IN_LIBRARY, "no7here0")
