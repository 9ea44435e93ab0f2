"""Small deterministic fakes of what the indexer needs, and a library of made-up videos."""

import hashlib
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from indexer.blobs import BlobStore
from indexer.errors import StoreUnavailableError
from indexer.generation_id import GenerationId
from indexer.ingest.reembed import reembed_missing
from indexer.ports import Encoder
from indexer.search.query import SearchQuery
from indexer.search.search import ResultPage, find_moments
from indexer.search.votes import VoteReader
from indexer.store.records import NewSubmission, RemovedVideos, Scopes, VideoRecord
from indexer.store.stores import Stores, open_stores
from indexer.types import Clip, Moment, Picture, QueryVectors, Vector, Video
from indexer.vectors.vector_store import VectorQuery, VectorStore

OpenVectorStore: TypeAlias = Callable[[], VectorStore]
"""Opens the store of a test; opened again, it contains the same points."""

VECTOR_SIZE = 8
MEANING_SIZE = 256
"""In as many dimensions, texts without a common word are as far from each other as in a real sentence encoder."""
FAKE = GenerationId("fake")
"""Generation of `FakeEncoder()`."""


def unit_vector(numbers: npt.NDArray[np.float64]) -> Vector:
    vector: Vector = (numbers / np.linalg.norm(numbers)).astype(np.float32)
    return vector


def random_vector(seed: str, size: int = VECTOR_SIZE) -> Vector:
    """Return a unit vector that depends only on the seed."""
    numbers = np.random.default_rng(list(hashlib.sha256(seed.encode()).digest())).normal(size=size)
    return unit_vector(numbers)


def embed_text(text: str, size: int = VECTOR_SIZE) -> Vector:
    """Return the mean direction of a text's words, so that texts with a common word are similar."""
    total = np.sum([random_vector(word, size) for word in re.findall(r"\w+", text.casefold()) or [""]], axis=0)
    return unit_vector(total)


def embed_meaning(text: str) -> Vector:
    return embed_text(text, MEANING_SIZE)


@dataclass(frozen=True)
class FakeEncoder:
    """Embeds a text as the sum of its words, and a picture by the hash of its mean colour; `motion` is the opposite."""

    generation: str = str(FAKE)
    frame_size: int = VECTOR_SIZE
    motion_size: int | None = VECTOR_SIZE
    meaning_size: int = MEANING_SIZE
    logit_scale: float = 8.0
    unrelated_cosine: float | None = 0.0

    def encode_texts(self, texts: Sequence[str]) -> list[QueryVectors]:
        looks = [(embed_text(text), embed_meaning(text)) for text in texts]
        return [QueryVectors(frame, meaning, -frame if self.motion_size else None) for frame, meaning in looks]

    def encode_sentences(self, texts: Sequence[str]) -> Vector:
        return np.array([embed_meaning(text) for text in texts], np.float32).reshape(-1, MEANING_SIZE)

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        colours = [picture.mean(axis=(0, 1)).round(-1).tolist() for picture in pictures]
        return np.stack([random_vector(str(colour)) for colour in colours])

    def encode_clips(self, clips: Sequence[Clip]) -> Vector:
        return np.stack([-self.encode_frames(clip.pictures).mean(axis=0) for clip in clips])


def _check_port(fake: FakeEncoder) -> Encoder:
    return fake


WRITES: Final = ("upsert", "set_payload", "set_payloads", "set_vectors", "delete_vectors", "delete")
"""Methods of a vector store that change points."""


class InterruptedVectorStore:
    """A vector store that calls a function before one of its writes, the `nth`."""

    def __init__(
        self, vector_store: VectorStore, nth: int, interrupt: Callable[[], object], writes: Sequence[str] = WRITES
    ) -> None:
        self._vector_store, self._writes_left, self._interrupt, self._writes = vector_store, nth, interrupt, writes

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._vector_store, name)
        return self._count_call(method) if name in self._writes else method

    def _count_call(self, method: Callable[..., object]) -> Callable[..., object]:
        def call(*args: Any, **kwargs: Any) -> object:
            self._writes_left -= 1
            if self._writes_left == 0:
                self._interrupt()
            return method(*args, **kwargs)

        return call


def raise_store_unavailable() -> None:
    raise StoreUnavailableError("pulled the plug")


def open_library(vector_store: VectorStore) -> Stores:
    """Open the stores with the generation of `FakeEncoder()`."""
    stores = open_stores(vector_store)
    stores.generations.create(FAKE, FakeEncoder())
    return stores


def video_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def make_video(name: str, title: str | None = None) -> Video:
    """Return the video of that name, which is also its title."""
    return Video(video_id(name), f"https://videos.example/{name}", name if title is None else title, duration_s=60.0)


def moment_id(video: Video, number: int) -> str:
    return str(uuid.uuid5(uuid.UUID(video.id), str(number)))


def moment_ids(name: str, count: int = 1) -> list[str]:
    """Return the sorted ids of the first moments of a video."""
    return sorted(moment_id(make_video(name), number) for number in range(count))


def make_moments(
    video: Video, *texts: str, pictures: bool = True, words: str | None = None, frames: tuple[str, ...] = ()
) -> list[Moment]:
    """Return a moment of 5 s for each text, which looks as the text says. Its words are the title unless given."""
    return [
        Moment(
            id=moment_id(video, number),
            video_id=video.id,
            start_s=5.0 * number,
            end_s=5.0 * number + 5.0,
            thumbnail=f"videos/{video.id}/{number}.jpg" if pictures else None,
            words=video.title if words is None else words,
            frame=embed_text(text) if pictures else None,
            motion=-embed_text(text) if pictures else None,
            frames=frames,
        )
        for number, text in enumerate(texts)
    ]


def submit_video(
    stores: Stores,
    space: str,
    name: str,
    user_id: str = "ann",
    minute: int = 0,
    private_channel: str | None = None,
    message_id: str | None = None,
) -> VideoRecord:
    """Submit a video `minute` minutes after noon of 1 January 2026 (UTC)."""
    video = make_video(name)
    return stores.submissions.submit(
        NewSubmission(
            video_id=video.id,
            link=video.link,
            fetch_url=f"{video.link}?fetch",
            space=space,
            user_id=user_id,
            at=datetime(2026, 1, 1, 12, minute, tzinfo=UTC),
            private_channel=private_channel,
            message_id=message_id,
        )
    )


def index_video(stores: Stores, space: str, name: str, *texts: str, title: str | None = None, **moments: Any) -> Video:
    """Submit a video and publish its moments."""
    video = make_video(name, title)
    submit_video(stores, space, name)
    assert stores.publisher.publish_moments(video, make_moments(video, *texts or (name,), **moments), FAKE)
    return video


def finish_removals(stores: Stores, removed: RemovedVideos) -> list[str]:
    """Finish the removal of videos. Returns the ids of those that no space has any more."""
    return [id for id in removed.video_ids if stores.removals.finish_removal(id)]


def findable_moments(stores: Stores, scopes: Scopes) -> list[str]:
    """Return the sorted ids of all moments that a search can reach."""
    query = VectorQuery("frame", embed_text("anything"), 1000)
    return sorted(scored.id for scored in stores.moments.nearest(FAKE, scopes, [query])[0])


def search_library(
    stores: Stores, scopes: Scopes, *texts: str, encoder: Encoder | None = None, **query: Any
) -> ResultPage:
    """Search with `FakeEncoder()`, or with another encoder."""
    votes, asked = VoteReader(stores.spaces), SearchQuery(scopes, texts, **query)
    return find_moments(stores.moments, stores.submissions, votes, encoder or FakeEncoder(), asked)


def reembed_library(
    stores: Stores, blobs: BlobStore, encoder: Encoder, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Fill the encoder's generation with all videos that it lacks."""
    reembed_missing(stores.generations, stores.moments, stores.reembedding, blobs, encoder, progress)
