"""The library embedded anew beside the old vectors."""

import io

import numpy as np
import pytest
from PIL import Image

from indexer.ingest.ingest import mean_vector
from indexer.ingest.reembed import reembed_missing
from indexer.search.search import find
from indexer.store.blobs import BlobStore
from indexer.store.generations import GenerationRecord, GenerationStore, Retraining
from indexer.store.library import Library
from indexer.vectors.vector_store import Filter, VectorStore
from tests.support.indexer_fakes import Between, FakeEncoder, a_video, some_moments, submit, video_id

A = "discord:1"
NEXT = FakeEncoder("next")


def picture(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(file, "JPEG")
    return file.getvalue()


def share(library: Library, blobs: BlobStore, name: str, colours: tuple[str, ...] = ("red", "blue")) -> None:
    """A video of one moment whose pictures have these colours."""
    submit(library, A, name)
    video = a_video(name)
    keys = [f"videos/{video.id}/{number}.jpg" for number in range(len(colours))]
    for key, colour in zip(keys, colours, strict=True):
        blobs.put(key, picture(colour))
    [moment] = some_moments(video, name, frames=tuple(keys))
    assert library.put_moments(video, [moment], "fake")


def test_a_switch_changes_who_answers_and_nothing_else(library: Library, blobs: BlobStore, points: VectorStore) -> None:
    """After it the same videos are found, by vectors that the other model made of the kept pictures."""
    for name in ("goal", "dog"):
        share(library, blobs, name)
    told: list[tuple[int, int]] = []
    reembed_missing(library, blobs, NEXT, lambda done, of: told.append((done, of)))
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert library.generation() == "fake"
    library.switch("next")
    assert len(find(library, NEXT, A, ["goal"]).hits) == 2
    [moment] = points.scroll("moments_next", Filter({"video_id": video_id("goal")}))
    [stored] = points.retrieve("moments_next", [moment.id], dense=True)
    pictures = [np.asarray(Image.open(io.BytesIO(picture(colour)))) for colour in ("red", "blue")]
    np.testing.assert_allclose(stored.dense["frame"], mean_vector(NEXT.frames(pictures)), atol=1e-5)
    assert stored.payload["generation"] == "next"


def test_who_was_stopped_goes_on(library: Library, blobs: BlobStore) -> None:
    """What is done already is not done again."""
    for name in ("goal", "dog", "cat"):
        share(library, blobs, name)

    def stop(done: int, of: int) -> None:
        if done == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        reembed_missing(library, blobs, NEXT, stop)
    assert len(library.missing("next")) == 1
    reembed_missing(library, blobs, NEXT, lambda done, of: None)
    assert library.missing("next") == []


def test_a_video_without_pictures_keeps_its_words(library: Library, blobs: BlobStore) -> None:
    """What is gone from the blob store can't be looked at again, but is found by its words."""
    share(library, blobs, "goal")
    blobs.delete_prefix(f"videos/{video_id('goal')}/")
    reembed_missing(library, blobs, NEXT, lambda done, of: None)
    library.switch("next")
    assert [hit.title for hit in find(library, NEXT, A, ["goal"]).hits] == ["goal"]


@pytest.mark.parametrize("broken", [b"", picture("red")[:400]], ids=["empty", "cut off"])
def test_a_picture_that_cannot_be_read_is_as_good_as_gone(library: Library, blobs: BlobStore, broken: bytes) -> None:
    """After a power cut a file may be there without its content: the others are looked at, and nothing fails."""
    share(library, blobs, "goal")
    share(library, blobs, "dog")
    blobs.put(f"videos/{video_id('goal')}/0.jpg", broken)
    reembed_missing(library, blobs, NEXT, lambda done, of: None)
    assert library.missing("next") == []
    [moment] = library.kept(video_id("goal"), but="fake")
    [stored] = library.moments("next", A, [moment.id], vectors=True)
    blue = np.asarray(Image.open(io.BytesIO(picture("blue"))))
    np.testing.assert_allclose(stored.dense["frame"], NEXT.frames([blue])[0], atol=1e-5)


def test_generations_are_on_record(points: VectorStore) -> None:
    """Newest first, with what they were made of."""
    Library(points)
    generations = GenerationStore(points)
    first = GenerationRecord("one", "starter", "2026-01-01T00:00:00+00:00")
    second = GenerationRecord("two", "starter", "2026-01-02T00:00:00+00:00", "adapters/two/", 0.5, 0.6, 40)
    generations.put(first)
    generations.put(second)
    assert generations.all() == [second, first]
    assert generations.get("one") == first
    generations.forget("one")
    assert generations.get("one") is None


def test_one_retrain_is_on_record_until_it_ends(points: VectorStore) -> None:
    """It can be asked to end, and only while there is one."""
    Library(points)
    generations = GenerationStore(points)
    assert not generations.cancel()
    asked = Retraining(A, "ann", "2026-01-01T00:00:00+00:00")
    generations.put_retraining(asked)
    assert generations.retraining() == asked
    assert generations.cancel()
    found = generations.retraining()
    assert found is not None
    assert found.cancelled
    generations.end_retraining()
    assert generations.retraining() is None


def test_who_cancels_at_the_last_moment_is_heard(points: VectorStore) -> None:
    """A worker that finds its model better while an admin cancels goes by what is on record afterwards."""
    Library(points)
    admin = GenerationStore(points)
    admin.put_retraining(Retraining(A, "ann", "2026-01-01T00:00:00+00:00"))
    worker = GenerationStore(Between(points, 1, lambda: admin.cancel()))
    assert not worker.found_better("next")
    found = admin.retraining()
    assert found is not None
    assert found.cancelled


def test_who_cancels_what_just_ended_brings_nothing_back(points: VectorStore) -> None:
    """Nothing is on record of a retrain that is over."""
    Library(points)
    worker = GenerationStore(points)
    worker.put_retraining(Retraining(A, "ann", "2026-01-01T00:00:00+00:00"))
    admin = GenerationStore(Between(points, 1, worker.end_retraining))
    assert not admin.cancel()
    assert worker.retraining() is None
