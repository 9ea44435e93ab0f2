"""Which videos a generation lacks, and storing the vectors that it gives to existing moments."""

from collections.abc import Mapping, Sequence, Set

from indexer.generation_id import GenerationId
from indexer.lexical import document_words
from indexer.store.generations import GenerationStore
from indexer.store.publishing import UNPUBLISHED, UPSERT_BATCH, MomentPublisher, read_scopes
from indexer.store.records import RECORDS, SCHEMA, Submission, VideoRecord, space_of_scope
from indexer.store.retention import FRAMES_DELETED
from indexer.store.videos import VideoStore
from indexer.types import Vector
from indexer.vectors.vector_store import Filter, NewPoint, Payload, StoredPoint, VectorStore


class ReembeddingStore:
    """Fills a generation with the moments of another one. Every method is idempotent."""

    def __init__(
        self, vectors: VectorStore, generations: GenerationStore, videos: VideoStore, publisher: MomentPublisher
    ) -> None:
        self._vectors = vectors
        self._generations = generations
        self._videos = videos
        self._publisher = publisher

    def videos_missing_from(self, generation: GenerationId) -> list[str]:
        """Return the ids of findable videos without moments in a generation.

        Of a space's own generation these are only videos that this space may find.
        """
        among = None
        if generation.space:
            submitted = self._read_submitted(generation.space)
            if self._has_as_many_moments(generation, {scope for _, scope in submitted}):
                return []
            among = tuple({video_id for video_id, _ in submitted})
        return [id for id in self._videos.list_findable(among) if not self._contains(generation, id)]

    def videos_without_span_frames(self, generation: GenerationId) -> list[str]:
        """Return the ids of a generation's videos that an earlier version indexed: spans cannot be refined in them."""
        keys = ("video_id", "frames", "frames_at_s")
        published = self._vectors.scroll(generation.collection_name, Filter({"open": "yes"}), keys)
        return sorted(
            {
                stored.payload["video_id"]
                for stored in published
                if stored.payload.get("frames") and "frames_at_s" not in stored.payload
            }
        )

    def read_moments(self, generation: GenerationId, video_id: str) -> list[StoredPoint]:
        """Return the published moments that a video has in a generation, without vectors."""
        return list(self._vectors.scroll(generation.collection_name, Filter({"video_id": video_id, "open": "yes"})))

    def put_payloads(self, generation: GenerationId, payloads: Mapping[str, Payload]) -> None:
        """Set payload keys of a generation's moments, by their ids. Those that were deleted meanwhile stay deleted."""
        self._vectors.set_payloads(generation.collection_name, payloads)

    def spaces_missing_video(self, video_id: str) -> list[str]:
        """Return the spaces that may find a video but do not, because it is missing from their own generation."""
        spaces = sorted({space_of_scope(scope) for scope in read_scopes(self._vectors, video_id)})
        live = [(space, self._generations.get_live(space)) for space in spaces]
        return [
            space
            for space, generation in live
            if generation and generation.space and not self._contains(generation, video_id)
        ]

    def put_reembedded(
        self, video_id: str, generation: GenerationId, moments: Sequence[tuple[StoredPoint, Mapping[str, Vector]]]
    ) -> None:
        """Store and publish a video's moments with the vectors that a generation gives them.

        If no space wants the video any more, nothing is kept.
        """
        collection = generation.collection_name
        points = [
            NewPoint(
                stored.id,
                {**stored.payload, "schema": SCHEMA, "generation": str(generation), **UNPUBLISHED},
                vectors,
                {"words": document_words(stored.payload["words"])},
            )
            for stored, vectors in moments
        ]
        for start in range(0, len(points), UPSERT_BATCH):
            self._vectors.upsert(collection, points[start : start + UPSERT_BATCH])
        if not self._publisher.publish_in(generation, video_id):
            self._vectors.delete(collection, Filter({"video_id": video_id}))

    def count_without_frames(self, generation: GenerationId) -> int:
        """Count a generation's moments whose frames retention has deleted: it has the vectors of their thumbnails."""
        videos = self._vectors.scroll(RECORDS, Filter({"kind": VideoRecord.KIND, **FRAMES_DELETED}), ())
        ids = tuple(stored.id for stored in videos)
        return self._vectors.count(generation.collection_name, Filter({"video_id": ids})) if ids else 0

    def _read_submitted(self, space: str) -> set[tuple[str, str]]:
        """Return the ids of a space's videos, each with the scopes that have it."""
        where = Filter({"kind": Submission.KIND, "space": space})
        submissions = self._vectors.scroll(RECORDS, where, ("video_id", "scope"))
        return {(each.payload["video_id"], each.payload["scope"]) for each in submissions}

    def _has_as_many_moments(self, own: GenerationId, scopes: Set[str]) -> bool:
        """Return whether a space's own generation has as many moments as the space finds in the installation's.

        Two counts replace one for each video: workers check this periodically.
        """
        live = self._generations.get_live()
        visible = Filter({"spaces": tuple(scopes), "open": "yes"})
        return live is not None and self._vectors.count(live.collection_name, visible) == self._vectors.count(
            own.collection_name, Filter({"open": "yes"})
        )

    def _contains(self, generation: GenerationId, video_id: str) -> bool:
        where = Filter({"video_id": video_id, "open": "yes"})
        return self._vectors.count(generation.collection_name, where) > 0
