"""Parts the indexer needs of others, small and deterministic."""

import hashlib
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.errors import StoreUnavailableError
from indexer.ports import Encoder
from indexer.store.library import Library
from indexer.store.moments import Near
from indexer.store.records import RemovedVideo, VideoRecord
from indexer.types import Clip, Moment, Picture, QueryVectors, Vector, Video
from indexer.vectors.vector_store import VectorStore

SIZE = 8


def unit(numbers: npt.NDArray[np.float64]) -> Vector:
    vector: Vector = (numbers / np.linalg.norm(numbers)).astype(np.float32)
    return vector


def vector_of(seed: str, size: int = SIZE) -> Vector:
    """A unit vector that depends on the seed alone."""
    numbers = np.random.default_rng(list(hashlib.sha256(seed.encode()).digest())).normal(size=size)
    return unit(numbers)


def meaning(text: str) -> Vector:
    """The mean direction of a text's words: texts with a word in common are alike."""
    total = np.sum([vector_of(word) for word in re.findall(r"\w+", text.casefold()) or [""]], axis=0)
    return unit(total)


@dataclass(frozen=True)
class FakeEncoder:
    """Words mean the sum of their words; a picture means its mean colour's hash. `motion` sees the reverse."""

    generation: str = "fake"
    frame_size: int = SIZE
    motion_size: int | None = SIZE

    def texts(self, texts: Sequence[str]) -> list[QueryVectors]:
        return [QueryVectors(meaning(text), -meaning(text) if self.motion_size else None) for text in texts]

    def frames(self, pictures: Sequence[Picture]) -> Vector:
        colours = [picture.mean(axis=(0, 1)).round(-1).tolist() for picture in pictures]
        return np.stack([vector_of(str(colour)) for colour in colours])

    def clips(self, clips: Sequence[Clip]) -> Vector:
        return np.stack([-self.frames(clip.pictures).mean(axis=0) for clip in clips])


def _is_an_encoder(fake: FakeEncoder) -> Encoder:
    return fake


class Between:
    """A store that lets something happen before one of its writes."""

    def __init__(self, points: VectorStore, nth: int, happen: Callable[[], object]) -> None:
        self._points, self._left, self._happen = points, nth, happen

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._points, name)
        return self._counted(method) if name in ("upsert", "set_payload", "delete") else method

    def _counted(self, method: Callable[..., object]) -> Callable[..., object]:
        def call(*args: Any) -> object:
            self._left -= 1
            if self._left == 0:
                self._happen()
            return method(*args)

        return call


def crash() -> None:
    raise StoreUnavailableError("pulled the plug")


def opened(points: VectorStore) -> Library:
    library = Library(points)
    library.open("fake", SIZE, SIZE)
    return library


def video_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def a_video(name: str, title: str | None = None) -> Video:
    """The video of that name, which is its title, too."""
    return Video(video_id(name), f"https://videos.example/{name}", name if title is None else title, duration_s=60.0)


def moment_id(video: Video, number: int) -> str:
    return str(uuid.uuid5(uuid.UUID(video.id), str(number)))


def some_moments(
    video: Video, *texts: str, pictures: bool = True, words: str | None = None, frames: tuple[str, ...] = ()
) -> list[Moment]:
    """A moment of 5 s for each text, which looks as the text says. Its words are the title unless `words` are given."""
    return [
        Moment(
            id=moment_id(video, number),
            video_id=video.id,
            start_s=5.0 * number,
            end_s=5.0 * number + 5.0,
            thumbnail=f"videos/{video.id}/{number}.jpg" if pictures else None,
            words=video.title if words is None else words,
            frame=meaning(text) if pictures else None,
            motion=-meaning(text) if pictures else None,
            frames=frames,
        )
        for number, text in enumerate(texts)
    ]


def submit(
    library: Library,
    space: str,
    name: str,
    user_id: str = "ann",
    minute: int = 0,
    private_channel: str = "",
    message: str = "",
) -> VideoRecord:
    video = a_video(name)
    at = datetime(2026, 1, 1, 12, minute, tzinfo=UTC)
    return library.submit(
        video.id,
        video.link,
        f"{video.link}?fetch",
        space,
        user_id,
        at,
        private_channel=private_channel,
        message=message,
    )


def share(library: Library, space: str, name: str, *texts: str, title: str | None = None, **moments: Any) -> Video:
    """Submits a video and stores its moments, as the whole way of a link does."""
    video = a_video(name, title)
    submit(library, space, name)
    assert library.put_moments(video, some_moments(video, *texts or (name,), **moments), "fake")
    return video


def gone(library: Library, forgotten: RemovedVideo) -> list[str]:
    """Ends what was begun with `Library.forget`; ids of the videos that are gone altogether."""
    return [id for id in forgotten.video_ids if library.let_go(id)]


def findable(library: Library, space: str) -> list[str]:
    """Ids of all moments that a search in this space reaches, sorted."""
    near = Near("frame", meaning("anything"), 1000)
    return sorted(scored.id for scored in library.nearest("fake", space, [near])[0])


def ids_of(name: str, count: int = 1) -> list[str]:
    return sorted(moment_id(a_video(name), number) for number in range(count))
