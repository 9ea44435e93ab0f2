"""Writing moments, and letting the spaces find them that want their video.

A moment's point carries the scopes that may find it. Who submitted the video is not on it, because that is private to
each space. Several workers call this at the same time, and any of them may be killed at any point, so the order of the
steps matters:

- A video's moments are unpublished, and belong to no space, until all are stored. Then one step publishes them to every
  space that wants them, and only after that the video's status changes from `waiting` to `indexed`.
- Code that adds or deletes a submission then writes the video's scopes onto its published moments. Code that writes
  scopes reads the submissions again afterwards, until they have the scopes that it wrote: so the last write is right.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from indexer.errors import GenerationMismatchError
from indexer.generation_id import GenerationId
from indexer.lexical import document_words
from indexer.senses import Sense, SenseStatus
from indexer.store.aliases import AliasStore
from indexer.store.generations import GenerationStore
from indexer.store.records import RECORDS, SCHEMA, IndexStatus, Submission, VideoRecord, space_of_scope
from indexer.store.videos import VideoStore, list_sense_values
from indexer.types import Moment, Video
from indexer.vectors.frame_codes import encode_span_frames
from indexer.vectors.vector_store import Filter, NewPoint, VectorStore

UPSERT_BATCH: Final = 64
"""Moments in one request."""

UNPUBLISHED: Final = {"spaces": [], "open": "no"}
"""Payload of moments that no search finds yet."""


class MomentPublisher:
    """Stores, publishes and deletes the moments of a video. Every method is idempotent."""

    def __init__(self, vectors: VectorStore, generations: GenerationStore, videos: VideoStore) -> None:
        self._vectors = vectors
        self._generations = generations
        self._videos = videos

    def publish_moments(
        self,
        video: Video,
        moments: Sequence[Moment],
        generation: GenerationId,
        words_only_code: str | None = None,
        senses: Mapping[Sense, SenseStatus] = MappingProxyType({}),
    ) -> bool:
        """Replace a video's moments and make them findable in one step.

        `words_only_code` is the code of the error because of which there are no pictures, and `senses` says which
        senses are still to be recognized. Returns False if no space
        wants the video any more, or if another run of its job has failed and reported so: then nothing is kept, and
        the caller must delete the video's blobs. Raises `GenerationMismatchError` if another generation is live: the
        video still waits.
        """
        record = self._videos.get(video.id)
        if record is None or record.status == IndexStatus.FAILED:
            return False
        self._videos.update(video.id, status=IndexStatus.WAITING.value)
        self._replace_moments(video, moments, generation, words_only_code)
        if not self.publish_in(generation, video.id):
            self.delete_video(record)
            return False
        live = self._generations.get_live()
        if generation != live:
            raise GenerationMismatchError(f"{video.id} was embedded by {generation}, but {live} is searched now")
        values = _list_indexed_values(video, moments, words_only_code)
        self._videos.update(video.id, **values, **list_sense_values(senses))
        return True

    def _replace_moments(
        self, video: Video, moments: Sequence[Moment], generation: GenerationId, words_only_code: str | None
    ) -> None:
        """Store a video's moments unpublished, and delete its former ones and those of spaces' own generations."""
        collection, of_video = generation.collection_name, Filter({"video_id": video.id})
        self._vectors.set_payload(collection, of_video, UNPUBLISHED)
        for own in self._generations.list_stored():
            if own.space:
                self._vectors.delete(own.collection_name, of_video)
        for start in range(0, len(moments), UPSERT_BATCH):
            batch = moments[start : start + UPSERT_BATCH]
            points = [moment_point(moment, video, generation, words_only_code) for moment in batch]
            self._vectors.upsert(collection, points)
        stale = {stored.id for stored in self._vectors.scroll(collection, of_video, ())} - {each.id for each in moments}
        if stale:
            self._vectors.delete(collection, Filter(ids=tuple(stale)))

    def publish_in(self, generation: GenerationId, video_id: str) -> bool:
        """Publish a video's stored moments of one generation. Returns False if no space wants the video."""
        return bool(self._write_spaces([generation], Filter({"video_id": video_id}), video_id))

    def update_spaces(self, video_id: str) -> None:
        """Write onto a video's published moments which spaces may find them now."""
        published = Filter({"video_id": video_id, "open": "yes"})
        self._write_spaces(self._generations.list_stored(), published, video_id)

    def record_failure(self, video_id: str, code: str) -> None:
        """Let a waiting video fail and delete what was stored of it. A video that is indexed stays as it is.

        A video that no space wants is deleted.
        """
        record = self._videos.get(video_id)
        if record is None:
            return
        if not read_scopes(self._vectors, video_id):
            self.delete_video(record)
        elif record.status == IndexStatus.WAITING:
            self.delete_moments(video_id)
            self._videos.update(video_id, status=IndexStatus.FAILED.value, code=code)

    def delete_moments(self, video_id: str) -> None:
        """Delete a video's moments of every generation."""
        for generation in self._generations.list_stored():
            self._vectors.delete(generation.collection_name, Filter({"video_id": video_id}))

    def delete_video(self, record: VideoRecord) -> bool:
        """Delete a video that no space wants, with its moments.

        Returns False if a space has submitted it again meanwhile: then it waits for a new job.
        """
        self.delete_moments(record.video_id)
        AliasStore(self._vectors).delete_of(record.video_id)
        self._videos.delete(record.video_id)
        if read_scopes(self._vectors, record.video_id):
            self._videos.put(VideoRecord(record.video_id, record.link, record.fetch_url, record.title))
            return False
        return True

    def find_unpublished_videos(self) -> set[str]:
        """Return the ids of videos with unpublished moments: of running jobs, and of killed ones."""
        return {
            stored.payload["video_id"]
            for generation in self._generations.list_stored()
            for stored in self._vectors.scroll(generation.collection_name, Filter({"open": "no"}), ("video_id",))
        }

    def _write_spaces(self, generations: Sequence[GenerationId], where: Filter, video_id: str) -> tuple[str, ...]:
        """Publish moments to the scopes that have their video, until the scopes did not change meanwhile."""
        while True:
            scopes = read_scopes(self._vectors, video_id)
            for generation in generations:
                visible = [scope for scope in scopes if generation.space in (None, space_of_scope(scope))]
                if generation.space and not visible:
                    self._vectors.delete(generation.collection_name, Filter({"video_id": video_id}))
                else:
                    self._vectors.set_payload(generation.collection_name, where, {"spaces": visible, "open": "yes"})
            if read_scopes(self._vectors, video_id) == scopes:
                return scopes


def read_scopes(vectors: VectorStore, video_id: str) -> tuple[str, ...]:
    """Return the sorted scopes (`<space>` or `<space>/<private channel>`) that have submitted a video."""
    where = Filter({"kind": Submission.KIND, "video_id": video_id})
    return tuple(sorted(each.payload["scope"] for each in vectors.scroll(RECORDS, where, ("scope",))))


def moment_point(moment: Moment, video: Video, generation: GenerationId, words_only_code: str | None) -> NewPoint:
    """Return an unpublished moment as a point to store."""
    dense = {"frame": moment.frame, "motion": moment.motion, "meaning": moment.meaning}
    return NewPoint(
        moment.id,
        {
            "schema": SCHEMA,
            "generation": str(generation),
            "video_id": video.id,
            "link": video.link,
            "title": video.title,
            "duration_s": video.duration_s,
            "published": video.published,
            "start_s": moment.start_s,
            "end_s": moment.end_s,
            "thumbnail": moment.thumbnail,
            "words": moment.words,
            "frames": list(moment.frames),
            "text_by_source": dict(moment.text_by_source),
            "words_only": words_only_code is not None,
            **(encode_span_frames(moment.span_frames) if moment.span_frames else {}),
            **UNPUBLISHED,
        },
        {name: vector for name, vector in dense.items() if vector is not None},
        {"words": document_words(moment.words)},
    )


def _list_indexed_values(video: Video, moments: Sequence[Moment], words_only_code: str | None) -> dict[str, Any]:
    """Return the payload keys that a video's record gets once its moments are published."""
    return {
        "status": (IndexStatus.WORDS_ONLY if words_only_code else IndexStatus.INDEXED).value,
        "code": words_only_code,
        "title": video.title,
        "moments": len(moments),
        "duration_s": video.duration_s,
        "published": video.published,
        "is_first_of_several": video.is_first_of_several,
        "thumbnail": moments[0].thumbnail if moments else None,
    }
