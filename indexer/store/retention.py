"""What is let go of with time: frames that nobody may need again, and the votes of long ago."""

from datetime import datetime

from indexer.store.blobs import BlobStore
from indexer.store.moments import MOMENTS
from indexer.store.records import RECORDS
from indexer.vectors.vector_store import Filter, VectorStore

THINNED = {"thinned": "yes"}
"""Of videos of which only thumbnails are left."""


def thin(points: VectorStore, blobs: BlobStore, before: datetime) -> int:
    """Keeps of each video that nobody submitted since `before` one frame a moment: its thumbnail. How many there were.

    From that one a moment is embedded anew, so no video is lost to a later generation. Whoever is stopped in the
    middle begins with that video again.
    """
    due = _not_submitted_since(points, before)
    indexed = Filter({"kind": "video", "status": ("indexed", "words_only")}, without=THINNED)
    videos = [stored.id for stored in points.scroll(RECORDS, indexed, ()) if stored.id in due]
    for video_id in videos:
        _thin(points, blobs, video_id)
        points.set_payload(RECORDS, Filter(ids=(video_id,)), THINNED)
    return len(videos)


def forget_votes(points: VectorStore, before: datetime) -> int:
    """Takes the votes out, and with them the words they were for, that are older. How many there were."""
    votes = points.scroll(RECORDS, Filter({"kind": "vote"}), ("at",))
    old = tuple(vote.id for vote in votes if datetime.fromisoformat(vote.payload["at"]) < before)
    if old:
        points.delete(RECORDS, Filter(ids=old))
    return len(old)


def _not_submitted_since(points: VectorStore, before: datetime) -> set[str]:
    newest: dict[str, datetime] = {}
    for each in points.scroll(RECORDS, Filter({"kind": "submission"}), ("video_id", "at")):
        id, at = each.payload["video_id"], datetime.fromisoformat(each.payload["at"])
        newest[id] = max(at, newest.get(id, at))
    return {id for id, at in newest.items() if at < before}


def _thin(points: VectorStore, blobs: BlobStore, video_id: str) -> None:
    """Moments share a frame where a still stays, and of several generations the same moment may show another one."""
    moments = [
        (collection, moment)
        for collection in points.collections()
        if collection.startswith(f"{MOMENTS}_")
        for moment in points.scroll(collection, Filter({"video_id": video_id}), ("frames", "thumbnail"))
    ]
    thumbnails = {moment.payload.get("thumbnail") for _, moment in moments}
    # The blobs first: what is named in a moment and not there is passed over, what nothing names would stay.
    for key in {key for _, moment in moments for key in moment.payload.get("frames", ())} - thumbnails:
        blobs.delete(key)
    for collection, moment in moments:
        kept = [key for key in moment.payload.get("frames", ()) if key == moment.payload.get("thumbnail")]
        points.set_payload(collection, Filter(ids=(moment.id,)), {"frames": kept})
