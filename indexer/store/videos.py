"""The records of videos."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from indexer.senses import Sense, SenseStatus
from indexer.store.records import FINDABLE, RECORDS, IndexStatus, VideoRecord, from_payload, to_payload
from indexer.vectors.vector_store import Filter, NewPoint, VectorStore

ENRICHMENT_DUE: Final = {"enrichment_due": "yes"}
"""Payload of videos whose enrich job is not done."""


class VideoStore:
    """Reads and writes the records of videos. Every method is idempotent."""

    def __init__(self, vectors: VectorStore) -> None:
        self._vectors = vectors

    def get(self, video_id: str) -> VideoRecord | None:
        """Return a video's record, or None if the video is unknown."""
        return next(iter(self.get_many([video_id])), None)

    def get_many(self, video_ids: Sequence[str]) -> list[VideoRecord]:
        """Return the records of those videos that are known, in the same order."""
        return [from_payload(VideoRecord, each.payload) for each in self._vectors.retrieve(RECORDS, video_ids)]

    def list_all(self) -> list[VideoRecord]:
        """Return all videos."""
        return self._find({})

    def list_waiting(self) -> list[VideoRecord]:
        """Return the videos whose index job is not done: a starting worker enqueues their jobs."""
        return self._find({"status": IndexStatus.WAITING.value})

    def list_pending_removals(self) -> list[VideoRecord]:
        """Return the videos whose removal from a space has begun and is not finished."""
        return self._find({"removal_pending": "yes"})

    def list_due_enrichments(self) -> list[VideoRecord]:
        """Return the indexed videos whose enrich job is not done."""
        due = self._find(ENRICHMENT_DUE)
        return [record for record in due if record.status in FINDABLE]

    def list_with_failed(self, sense: Sense) -> list[str]:
        """Return the ids of the videos in which a sense could not be recognized."""
        where = Filter({"kind": VideoRecord.KIND, sense.value: SenseStatus.FAILED.value})
        return [stored.id for stored in self._vectors.scroll(RECORDS, where, ())]

    def list_findable(self, among: tuple[str, ...] | None) -> list[str]:
        """Return the ids of indexed videos, or of those `among` these ids."""
        where = Filter({"kind": VideoRecord.KIND, "status": FINDABLE}, ids=among)
        return [stored.id for stored in self._vectors.scroll(RECORDS, where, ())]

    def find_unknown(self, video_ids: Collection[str]) -> set[str]:
        """Return those of the ids that have no record."""
        return set(video_ids) - {record.video_id for record in self.get_many(sorted(video_ids))}

    def put(self, record: VideoRecord) -> None:
        """Store a record in place of the one there was."""
        self._vectors.upsert(RECORDS, [NewPoint(record.video_id, to_payload(record))])

    def update(self, video_id: str, **values: Any) -> None:
        """Set these payload keys if the video has a record. None removes a key."""
        self._vectors.set_payload(RECORDS, Filter(ids=(video_id,)), values)

    def request_senses(self, video_id: str, senses: Iterable[Sense]) -> None:
        """Record that an enrich job has to recognize these senses, if the video has a record."""
        self.update(video_id, **list_sense_values(dict.fromkeys(senses, SenseStatus.PENDING)))

    def record_sense(self, video_id: str, sense: Sense, status: SenseStatus, code: str | None = None) -> None:
        """Record how the recognition of one sense ended. `code` is the code of the error if it failed."""
        self.update(video_id, **{sense: status.value, f"{sense}_code": code, "starts": None})

    def count_start(self, video_id: str) -> int:
        """Record that the recognition of a sense starts. Returns how many starts have no end on record."""
        record = self.get(video_id)
        starts = record.starts + 1 if record else 1
        self.update(video_id, starts=starts)
        return starts

    def forget_starts(self, video_id: str) -> None:
        """Record that the recognition of a sense ended, and that it will be started again."""
        self.update(video_id, starts=None)

    def finish_enrichment(self, video_id: str) -> None:
        """Record that nothing is left to do for the enrich job of a video."""
        self.update(video_id, **dict.fromkeys(ENRICHMENT_DUE))

    def delete(self, video_id: str) -> None:
        """Delete a video's record, if there is one."""
        self._vectors.delete(RECORDS, Filter(ids=(video_id,)))

    def _find(self, match: dict[str, str]) -> list[VideoRecord]:
        where = Filter({"kind": VideoRecord.KIND, **match})
        return [from_payload(VideoRecord, stored.payload) for stored in self._vectors.scroll(RECORDS, where)]


def list_sense_values(senses: Mapping[Sense, SenseStatus]) -> dict[str, str | None]:
    """Return the payload keys that a video's record gets when the statuses of its senses are set."""
    values: dict[str, str | None] = {}
    for sense, status in senses.items():
        values |= {sense.value: status.value, f"{sense}_code": None, "starts": None}
    return values | (ENRICHMENT_DUE if SenseStatus.PENDING in senses.values() else {})
