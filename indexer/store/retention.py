"""Retention: deletes frames and votes that are older than the installation keeps them."""

from datetime import datetime
from typing import Final

from indexer.blobs import BlobStore
from indexer.generation_id import is_moment_collection
from indexer.store.records import FINDABLE, RECORDS, Submission, VideoRecord, VoteRecord
from indexer.vectors.vector_store import Filter, VectorStore

FRAMES_DELETED: Final = {"frames_deleted": "yes"}
"""Payload of videos of which only thumbnails are kept."""


def delete_old_frames(vectors: VectorStore, blobs: BlobStore, before: datetime) -> int:
    """Delete all frames but the thumbnails of videos that were last submitted before `before`.

    The thumbnail is enough to re-embed a moment, so that no later generation loses a video. Returns the number of
    videos. A call that was interrupted is repeated for its last video.
    """
    due = _last_submitted_before(vectors, before)
    where = Filter({"kind": VideoRecord.KIND, "status": FINDABLE}, without=FRAMES_DELETED)
    videos = [stored.id for stored in vectors.scroll(RECORDS, where, ()) if stored.id in due]
    for video_id in videos:
        _delete_frames(vectors, blobs, video_id)
        vectors.set_payload(RECORDS, Filter(ids=(video_id,)), FRAMES_DELETED)
    return len(videos)


def delete_old_votes(vectors: VectorStore, before: datetime) -> int:
    """Delete votes from before `before`, together with their queries. Returns their number."""
    votes = vectors.scroll(RECORDS, Filter({"kind": VoteRecord.KIND}), ("at",))
    old = tuple(vote.id for vote in votes if datetime.fromisoformat(vote.payload["at"]) < before)
    if old:
        vectors.delete(RECORDS, Filter(ids=old))
    return len(old)


def _last_submitted_before(vectors: VectorStore, before: datetime) -> set[str]:
    newest: dict[str, datetime] = {}
    for each in vectors.scroll(RECORDS, Filter({"kind": Submission.KIND}), ("video_id", "at")):
        id, at = each.payload["video_id"], datetime.fromisoformat(each.payload["at"])
        newest[id] = max(at, newest.get(id, at))
    return {id for id, at in newest.items() if at < before}


def _delete_frames(vectors: VectorStore, blobs: BlobStore, video_id: str) -> None:
    """Delete a video's frames except thumbnails, which moments and generations can share."""
    moments = [
        (collection, moment)
        for collection in filter(is_moment_collection, vectors.collections())
        for moment in vectors.scroll(collection, Filter({"video_id": video_id}), ("frames", "thumbnail"))
    ]
    thumbnails = {moment.payload.get("thumbnail") for _, moment in moments}
    # Blobs first: readers skip a key without a blob, but a blob without a key would never be deleted.
    for key in {key for _, moment in moments for key in moment.payload.get("frames", ())} - thumbnails:
        blobs.delete(key)
    for collection, moment in moments:
        kept = [key for key in moment.payload.get("frames", ()) if key == moment.payload.get("thumbnail")]
        vectors.set_payload(collection, Filter(ids=(moment.id,)), {"frames": kept})
