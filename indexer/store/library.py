"""The record of what people shared: videos, which space wants them since when, and their moments.

Collections: `records` holds a point for each video and one for each submission (a video in a space), which has no
vectors; `moments_<generation>` holds the moments, and the alias `moments` stands for the generation that is searched.
A moment's point carries the spaces that may find it. Who submitted it is not on it: that is each space's own affair.
`moments_<generation>@<space>` holds what one space may find, embedded anew by its own adapter, and nothing else.

Several workers call this at once, and any of them may be killed in between, so the order of the steps matters:
- A video's moments are closed, and belong to no space, until all are stored. Then one step opens them to every space
  that wants them, and only after that the video is `indexed` and waits no more.
- Whoever adds or deletes a submission then writes the video's spaces onto its moments if these are open. Whoever
  writes spaces reads the submissions again afterwards, until they are what was written: the last one is right.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from indexer.errors import GenerationMismatchError, NotSubmitterError
from indexer.lexical import document_words
from indexer.store.generations import space_of
from indexer.store.migrations import upgrade
from indexer.store.moments import MOMENTS, MomentStore, collection_of
from indexer.store.payloads import CLOSED, moment_point, outcome_of, submission_of, video_of
from indexer.store.records import (
    RECORDS,
    SCHEMA,
    Counts,
    LibraryRow,
    RemovedVideo,
    Scopes,
    Submission,
    VideoRecord,
    each_scope,
    submission_id,
)
from indexer.types import Moment, Vector, Video
from indexer.vectors.vector_store import Filter, NewPoint, StoredPoint, VectorStore

KEYS = ("kind", "space", "scope", "video_id", "person", "message", "status", "leaving")
"""Of records, that filters use."""

UPSERT_BATCH = 64


class Library(MomentStore):
    """The one home of what is known about videos. Every method may be repeated without harm."""

    def __init__(self, points: VectorStore) -> None:
        super().__init__(points)
        points.ensure(RECORDS, {}, (), KEYS, tenant="space")
        upgrade(points)

    # ---- submissions and jobs ----

    def submit(
        self,
        video_id: str,
        link: str,
        fetch_url: str,
        space: str,
        user_id: str,
        at: datetime,
        title: str = "",
        *,
        private_channel: str = "",
        name: str = "",
        message: str = "",
    ) -> VideoRecord:
        """Records that `space`, or only a `private_channel` of it, wants a video.

        The record that comes back is `waiting` if the video needs a job, or has one already. A video that is indexed
        is found by `space` from now on. One that failed waits again.
        """
        submission = Submission(
            video_id, space, user_id, at.astimezone(UTC).isoformat(), private_channel, name, message
        )
        if not self.has(submission.scope, video_id):
            self._put(submission)
        record = self.video(video_id)
        if record is None or record.status == "failed":
            record = VideoRecord(video_id, link, fetch_url, title)
            self._put(record)
        else:
            self._reopen(video_id)
        return record

    def waiting(self) -> list[VideoRecord]:
        """Videos whose job is not done: what a worker that starts makes jobs of."""
        where = Filter({"kind": "video", "status": "waiting"})
        return [video_of(stored) for stored in self._points.scroll(RECORDS, where)]

    def video(self, video_id: str) -> VideoRecord | None:
        return next(iter(self._videos([video_id])), None)

    def put_moments(self, video: Video, moments: Sequence[Moment], generation: str, code: str | None = None) -> bool:
        """Stores a video's moments, in place of those it had, and makes them findable in one step.

        `code` tells why only the words could be had. False: nobody wants the video any more, or another run of its job
        has failed it, and people were told so. Then nothing of it is kept, and its blobs are to be deleted.
        """
        record = self.video(video.id)
        if record is None or record.status == "failed":
            return False
        self._change(video.id, status="waiting")
        collection, of_video = collection_of(generation), Filter({"video_id": video.id})
        self._points.set_payload(collection, of_video, CLOSED)
        for own in filter(space_of, self._collections()):
            self._points.delete(own, of_video)
        for start in range(0, len(moments), UPSERT_BATCH):
            batch = moments[start : start + UPSERT_BATCH]
            self._points.upsert(collection, [moment_point(moment, video, generation, code) for moment in batch])
        stale = {stored.id for stored in self._points.scroll(collection, of_video, ())} - {each.id for each in moments}
        if stale:
            self._points.delete(collection, Filter(ids=tuple(stale)))
        if not self._write_spaces([collection], of_video, video.id):
            self._drop(record)
            return False
        if generation != self.generation():
            raise GenerationMismatchError(
                f"{video.id} was embedded by {generation}, but {self.generation()} is searched now"
            )
        self._change(video.id, **outcome_of(video, moments, code))
        return True

    def submitters(self, space: str) -> dict[str, str]:
        """By video id who submitted it, of a space, or of all where that is empty."""
        where = Filter({"kind": "submission"} | ({"space": space} if space else {}))
        found = [submission_of(each) for each in self._points.scroll(RECORDS, where)]
        return {each.video_id: each.user_id for each in found}

    # ---- embedding anew ----

    def missing(self, generation: str) -> list[str]:
        """Ids of videos that can be found, but not in this generation. Of a space's own: those that it may find."""
        where, space = Filter({"kind": "video", "status": ("indexed", "words_only")}), space_of(generation)
        if space:
            wanted = self._wanted(space)
            if self._holds_as_many(generation, {scope for _, scope in wanted}):
                return []
            where = replace(where, ids=tuple({video_id for video_id, _ in wanted}))
        ids = [stored.id for stored in self._points.scroll(RECORDS, where, ())]
        return [id for id in ids if not self._holds(generation, id)]

    def lacking(self, video_id: str) -> list[str]:
        """Spaces that may find a video, but do not yet: they search a generation of their own, which lacks it."""
        spaces = sorted({_space_in(scope) for scope in self._scopes(video_id)})
        own = [(space, self.generation(space) or "") for space in spaces]
        return [space for space, generation in own if space_of(generation) and not self._holds(generation, video_id)]

    def _wanted(self, space: str) -> set[tuple[str, str]]:
        """A space's videos, each with the scopes that have it."""
        submissions = self._points.scroll(
            RECORDS, Filter({"kind": "submission", "space": space}), ("video_id", "scope")
        )
        return {(each.payload["video_id"], each.payload["scope"]) for each in submissions}

    def _holds_as_many(self, own: str, scopes: Set[str]) -> bool:
        """Whether a space's own generation has as many moments as the space finds in the installation's.

        Two counts that spare one for each video: workers look again and again.
        """
        live = self.generation()
        seen = Filter({"spaces": tuple(scopes), "open": "yes"})
        return live is not None and self._points.count(collection_of(live), seen) == self._points.count(
            collection_of(own), Filter({"open": "yes"})
        )

    def _holds(self, generation: str, video_id: str) -> bool:
        where = Filter({"video_id": video_id, "open": "yes"})
        return self._points.count(collection_of(generation), where) > 0

    def put_anew(
        self, video_id: str, generation: str, moments: Sequence[tuple[StoredPoint, Mapping[str, Vector]]]
    ) -> None:
        """Stores a video's moments with the vectors that another generation gives them. A forgotten one stays away."""
        collection, of_video = collection_of(generation), Filter({"video_id": video_id})
        points = [
            NewPoint(
                stored.id,
                {**stored.payload, "generation": generation, **CLOSED},
                vectors,
                {"words": document_words(stored.payload["words"])},
            )
            for stored, vectors in moments
        ]
        for start in range(0, len(points), UPSERT_BATCH):
            self._points.upsert(collection, points[start : start + UPSERT_BATCH])
        if not self._write_spaces([collection], of_video, video_id):
            self._points.delete(collection, of_video)

    def fail(self, video_id: str, code: str) -> None:
        """Ends the wait for a video; nothing half-stored remains of it."""
        record = self.video(video_id)
        if record is not None and record.status == "waiting":
            self._delete_moments(video_id)
            self._change(video_id, status="failed", code=code)

    def forget(self, scopes: Scopes, video_id: str, user_id: str | None = None) -> RemovedVideo:
        """Takes a video out of a space, which finds it no more. Once all else of it is gone, `let_go` ends it.

        With a `user_id` only what that one submitted: raises `NotSubmitterError` where others did.
        """
        submissions = self._submissions(scopes, [video_id])
        own = [each for each in submissions if user_id in (None, each.user_id)]
        if submissions and not own:
            raise NotSubmitterError(f"{user_id} did not submit {video_id}")
        return self._take_back(video_id, own)

    def forget_mine(self, space: str, user_id: str) -> RemovedVideo:
        """Takes everything that `user_id` submitted out of a space."""
        return self._forget_all({"space": space, "person": user_id})

    def forget_message(self, space: str, message: str, still: Sequence[str] = ()) -> RemovedVideo:
        """Takes what a chat message submitted out of a space, but for the videos that are `still` in it."""
        return self._forget_all({"space": space, "message": message}, still)

    def forget_space(self, space: str) -> RemovedVideo:
        """Takes everything out of a space."""
        return self._forget_all({"space": space})

    def _forget_all(self, match: Mapping[str, str], but: Sequence[str] = ()) -> RemovedVideo:
        stored = list(self._points.scroll(RECORDS, Filter({"kind": "submission", **match})))
        mine = [each for each in map(submission_of, stored) if each.video_id not in but]
        taken = [self._take_back(each.video_id, [each]) for each in mine]
        return RemovedVideo(
            tuple(link for each in taken for link in each.links),
            tuple(dict.fromkeys(id for each in taken for id in each.video_ids)),
        )

    def _take_back(self, video_id: str, submissions: Sequence[Submission]) -> RemovedVideo:
        record = self.video(video_id)
        if record is None or not submissions:
            return RemovedVideo()
        self._change(video_id, leaving="yes")
        self._points.delete(RECORDS, Filter(ids=tuple(each.id for each in submissions)))
        self.close(video_id)
        return RemovedVideo((record.link,), (video_id,))

    def leaving(self) -> list[VideoRecord]:
        """Videos that are being taken out of a space, or whose taking out was cut short."""
        where = Filter({"kind": "video", "leaving": "yes"})
        return [video_of(stored) for stored in self._points.scroll(RECORDS, where)]

    def close(self, video_id: str) -> None:
        """Closes a video's moments to the spaces that no longer want it; their votes go."""
        wanting = tuple(_space_in(scope) for scope in self._scopes(video_id))
        votes = Filter({"kind": "vote", "video_id": video_id}, without={"space": wanting} if wanting else {})
        self._points.delete(RECORDS, votes)
        self._reopen(video_id)

    def let_go(self, video_id: str) -> bool:
        """Ends the taking out of a video. True: no space wants it, so it is deleted, and its blobs are to be."""
        record = self.video(video_id)
        if record is None:
            return False
        if self._scopes(video_id):
            self._change(video_id, leaving=None)
            return False
        return self._drop(record)

    def _reopen(self, video_id: str) -> None:
        """Opens a video's moments to the spaces that want it now, if they are open at all."""
        self._write_spaces(self._collections(), Filter({"video_id": video_id, "open": "yes"}), video_id)

    def _write_spaces(self, collections: Sequence[str], where: Filter, video_id: str) -> tuple[str, ...]:
        """Opens moments to the spaces and rooms that want their video, until nobody changed that meanwhile."""
        while True:
            scopes = self._scopes(video_id)
            for collection in collections:
                own = space_of(collection)
                seen = [scope for scope in scopes if own in ("", _space_in(scope))]
                if own and not seen:
                    self._points.delete(collection, Filter({"video_id": video_id}))
                else:
                    self._points.set_payload(collection, where, {"spaces": seen, "open": "yes"})
            if self._scopes(video_id) == scopes:
                return scopes

    def _drop(self, record: VideoRecord) -> bool:
        """Deletes a video that no space wants. False: one wants it again, so that it waits for a new job."""
        self._delete_moments(record.video_id)
        self._points.delete(RECORDS, Filter(ids=(record.video_id,)))
        if self._scopes(record.video_id):
            self._put(VideoRecord(record.video_id, record.link, record.fetch_url, record.title))
            return False
        return True

    def _delete_moments(self, video_id: str) -> None:
        for collection in self._collections():
            self._points.delete(collection, Filter({"video_id": video_id}))

    def closed(self) -> set[str]:
        """Ids of videos with moments that nobody finds: of running jobs, and of killed ones."""
        return {
            stored.payload["video_id"]
            for collection in self._collections()
            for stored in self._points.scroll(collection, Filter({"open": "no"}), ("video_id",))
        }

    def not_on_record(self, video_ids: Collection[str]) -> set[str]:
        return set(video_ids) - {record.video_id for record in self._videos(sorted(video_ids))}

    def drop_stray(self, video_id: str) -> bool:
        """Deletes the moments of a video that is not on record. False: it is."""
        if self.video(video_id) is not None:
            return False
        self._delete_moments(video_id)
        return True

    def _put(self, record: VideoRecord | Submission) -> None:
        id, kind = (record.video_id, "video") if isinstance(record, VideoRecord) else (record.id, "submission")
        scope = {"scope": record.scope} if isinstance(record, Submission) else {}
        self._points.upsert(RECORDS, [NewPoint(id, {"kind": kind, "schema": SCHEMA, **asdict(record), **scope})])

    def _change(self, video_id: str, **values: Any) -> None:
        """Changes a video's record if there still is one."""
        self._points.set_payload(RECORDS, Filter(ids=(video_id,)), values)

    def _scopes(self, video_id: str) -> tuple[str, ...]:
        where = Filter({"kind": "submission", "video_id": video_id})
        return tuple(sorted(each.payload["scope"] for each in self._points.scroll(RECORDS, where, ("scope",))))

    def _videos(self, ids: Sequence[str]) -> list[VideoRecord]:
        return [video_of(stored) for stored in self._points.retrieve(RECORDS, ids)]

    # ---- what one space sees ----

    def has(self, scopes: Scopes, video_id: str) -> bool:
        return bool(self._submissions(scopes, [video_id]))

    def submissions(self, scopes: Scopes, video_ids: Sequence[str]) -> dict[str, Submission]:
        """By video id, as far as the space, or a room of it, has them; the whole space's come first."""
        return {each.video_id: each for each in reversed(self._submissions(scopes, video_ids))}

    def _submissions(self, scopes: Scopes, video_ids: Sequence[str]) -> list[Submission]:
        ids = [submission_id(video_id, scope) for scope in each_scope(scopes) for video_id in video_ids]
        return [submission_of(each) for each in self._points.retrieve(RECORDS, ids)]

    def entries(
        self, scopes: Scopes, limit: int, offset: int = 0, search: str = "", user_id: str | None = None
    ) -> tuple[list[LibraryRow], int]:
        """The space's videos, newest first, of which title or link contain `search`; and how many there are in all.

        With a `user_id` only what that one submitted.
        """
        match: dict[str, str | tuple[str, ...]] = {"kind": "submission", "scope": scopes}
        where = Filter(match | ({"person": user_id} if user_id else {}))
        stored = self._points.scroll(RECORDS, where)
        found = sorted(map(submission_of, stored), key=lambda each: (each.at, each.video_id))
        submissions = list({each.video_id: each for each in found}.values())[::-1]
        if search:
            submissions = [entry.submission for entry in self._entries(submissions) if _mentions(entry.video, search)]
        return self._entries(submissions[offset : offset + limit]), len(submissions)

    def _entries(self, submissions: Sequence[Submission]) -> list[LibraryRow]:
        videos = {video.video_id: video for video in self._videos([each.video_id for each in submissions])}
        return [LibraryRow(videos[each.video_id], each) for each in submissions if each.video_id in videos]

    def counts(self, scopes: Scopes) -> Counts:
        """A video that both the space and the room want counts once."""
        space, *private_channels = each_scope(scopes)
        in_rooms = Filter({"kind": "submission", "scope": tuple(private_channels)})
        own = (
            [submission_of(each).video_id for each in self._points.scroll(RECORDS, in_rooms)]
            if private_channels
            else []
        )
        both = self._points.retrieve(RECORDS, [submission_id(video_id, space) for video_id in own], ())
        waiting = self.submissions(scopes, [video.video_id for video in self.waiting()])
        return Counts(
            videos=self._points.count(RECORDS, Filter({"kind": "submission", "scope": space})) + len(own) - len(both),
            moments=self._points.count(MOMENTS, Filter({"spaces": scopes})) if self.generation() else 0,
            waiting=len(waiting),
        )


def _space_in(scope: str) -> str:
    return scope.partition("/")[0]


def _mentions(video: VideoRecord, search: str) -> bool:
    return search.casefold() in f"{video.title} {video.link}".casefold()
