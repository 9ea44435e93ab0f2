"""Generations: which one is searched, own generations of a space, and their records."""

import io

import pytest
from PIL import Image

from indexer.blobs import BlobStore
from indexer.errors import GenerationMismatchError
from indexer.generation_id import GenerationId
from indexer.ingest.reembed import reembed_video
from indexer.search.search import ResultPage
from indexer.store.records import GenerationRecord
from indexer.store.stores import Stores
from indexer.vectors.vector_store import Filter, VectorStore
from tests.support.indexer.fakes import (
    FAKE,
    FakeEncoder,
    OpenVectorStore,
    make_moments,
    make_video,
    open_library,
    reembed_library,
    search_library,
    submit_video,
    video_id,
)

A, B = "discord:1", "slack:2"
BASE = FakeEncoder()
OWN = GenerationId("next", A)
OWN_ENCODER = FakeEncoder(str(OWN))


def index_video(stores: Stores, blobs: BlobStore, space: str, name: str, *texts: str) -> None:
    """Index a video with one stored picture, which each of its moments shows."""
    submit_video(stores, space, name)
    video, file = make_video(name), io.BytesIO()
    Image.new("RGB", (8, 8), (len(name), 0, ord(name[0]))).save(file, "JPEG")
    blobs.put(f"videos/{video.id}/0.jpg", file.getvalue())
    moments = make_moments(video, *texts or (name,), frames=(f"videos/{video.id}/0.jpg",))
    assert stores.publisher.publish_moments(video, moments, FAKE)


def promote(stores: Stores, blobs: BlobStore, generation: GenerationId = OWN) -> None:
    """Do what a retrain of the space does with a better generation."""
    reembed_library(stores, blobs, FakeEncoder(str(generation)))
    stores.generations.switch_to(generation, A)


def reembed(stores: Stores, blobs: BlobStore, name: str) -> None:
    reembed_video(stores.moments, stores.reembedding, blobs, OWN_ENCODER, video_id(name))


def search(stores: Stores, space: str) -> ResultPage:
    """Search as a worker does, with the encoder of the space's live generation."""
    encoder = OWN_ENCODER if stores.generations.get_live(space) == OWN else BASE
    return search_library(stores, (space, f"{space}/55"), "goal dog cat", encoder=encoder, limit=50)


def titles(page: ResultPage) -> list[str]:
    return sorted(hit.title for hit in page.hits)


def own_titles(vector_store: VectorStore) -> list[str]:
    """Return the titles in the space's own collection, visible or not."""
    return sorted(each.payload["title"] for each in vector_store.scroll(OWN.collection_name, Filter()))


def test_generation_records_are_listed_newest_first(stores: Stores) -> None:
    """A record is read back as it was stored, until it is deleted."""
    first = GenerationRecord(GenerationId("one"), "starter", "2026-01-01T00:00:00+00:00")
    second = GenerationRecord(OWN, "starter", "2026-01-02T00:00:00+00:00", "adapters/two/", 0.5, 0.6, 40)
    stores.generations.put_record(first)
    stores.generations.put_record(second)
    assert stores.generations.list_records() == [second, first]
    assert stores.generations.get_record(first.generation) == first
    stores.generations.delete_record(first.generation)
    assert stores.generations.get_record(first.generation) is None


def test_own_generation_changes_nothing_for_other_spaces(
    stores: Stores, blobs: BlobStore, vector_store: VectorStore
) -> None:
    """It contains only what its space may find, and another space's results are exactly the same as before."""
    index_video(stores, blobs, A, "goal")
    index_video(stores, blobs, B, "dog")
    before = search(stores, B)
    promote(stores, blobs)
    generations = stores.generations
    assert (generations.get_live(A), generations.get_previous(A)) == (OWN, FAKE)
    assert (generations.get_live(B), generations.get_previous(B)) == (FAKE, None)
    assert (generations.get_live(), generations.get_previous()) == (FAKE, None)
    assert own_titles(vector_store) == titles(search(stores, A)) == ["goal"]
    assert search(stores, B) == before
    assert search_library(stores, B, "goal", encoder=OWN_ENCODER).hits == ()
    generations.delete_unused()
    assert generations.list_own() == [OWN]


def test_rollback_and_return_give_the_same_results(open_vector_store: OpenVectorStore, blobs: BlobStore) -> None:
    """Both switches also last when the library is opened again."""
    stores = open_library(open_vector_store())
    index_video(stores, blobs, A, "goal")
    before = search(stores, A)
    promote(stores, blobs)
    stores.generations.switch_to(FAKE, A)
    assert search(stores, A) == before
    stores = open_library(open_vector_store())
    assert (stores.generations.get_live(A), stores.generations.get_previous(A)) == (FAKE, OWN)
    stores.generations.delete_unused()
    stores.generations.switch_to(OWN, A)
    assert (stores.generations.get_live(A), stores.generations.get_previous(A)) == (OWN, FAKE)
    assert titles(search(stores, A)) == ["goal"]


def test_only_the_last_two_own_generations_are_kept(
    stores: Stores, blobs: BlobStore, vector_store: VectorStore
) -> None:
    """A search by an encoder of an older one is refused."""
    index_video(stores, blobs, A, "goal")
    promote(stores, blobs)
    newer = [GenerationId(name, A) for name in ("fourth", "third")]
    for generation in reversed(newer):
        promote(stores, blobs, generation)
    stores.generations.delete_unused()
    kept = (FAKE.collection_name, *(each.collection_name for each in newer), "records")
    assert vector_store.collections() == kept
    with pytest.raises(GenerationMismatchError):
        stores.moments.nearest(OWN, A, [])


def test_later_submission_is_missing_until_it_is_reembedded(stores: Stores, blobs: BlobStore) -> None:
    """Videos that are new to all, and those that are new only to the space."""
    index_video(stores, blobs, B, "dog")
    index_video(stores, blobs, A, "goal")
    promote(stores, blobs)
    reembedding = stores.reembedding
    assert reembedding.videos_missing_from(OWN) == []
    index_video(stores, blobs, A, "cat")
    submit_video(stores, A, "dog")
    assert sorted(reembedding.videos_missing_from(OWN)) == sorted([video_id("cat"), video_id("dog")])
    assert reembedding.spaces_missing_video(video_id("dog")) == [A]
    assert titles(search(stores, A)) == ["goal"]
    for name in ("cat", "dog"):
        reembed(stores, blobs, name)
    assert reembedding.videos_missing_from(OWN) == reembedding.spaces_missing_video(video_id("dog")) == []
    assert titles(search(stores, A)) == ["cat", "dog", "goal"]


def test_removed_video_is_deleted_from_the_own_generation(
    stores: Stores, blobs: BlobStore, vector_store: VectorStore
) -> None:
    """Other spaces keep it, and a video of a private channel stays private."""
    for name in ("goal", "dog"):
        index_video(stores, blobs, A, name)
        submit_video(stores, B, name)
    submit_video(stores, A, "cat", private_channel="55")
    index_video(stores, blobs, B, "cat")
    promote(stores, blobs)
    assert own_titles(vector_store) == ["cat", "dog", "goal"]
    stores.removals.remove_video(A, video_id("goal"))
    assert own_titles(vector_store) == titles(search(stores, A)) == ["cat", "dog"]
    assert titles(search(stores, B)) == ["cat", "dog", "goal"]
    assert titles(search_library(stores, A, "goal dog cat", encoder=OWN_ENCODER, limit=50)) == ["dog"]
    stores.removals.remove_space(A)
    assert own_titles(vector_store) == []


def test_video_removed_while_it_is_reembedded_is_not_stored(
    stores: Stores, blobs: BlobStore, vector_store: VectorStore
) -> None:
    """Another space that still has the video does not change that."""
    index_video(stores, blobs, A, "goal")
    submit_video(stores, B, "goal")
    promote(stores, blobs)
    stores.removals.remove_video(A, video_id("goal"))
    reembed(stores, blobs, "goal")
    assert own_titles(vector_store) == []


def test_reindexed_video_must_be_reembedded(stores: Stores, blobs: BlobStore, vector_store: VectorStore) -> None:
    """Its old moments are deleted from every generation."""
    index_video(stores, blobs, A, "goal", "goal", "kick")
    promote(stores, blobs)
    index_video(stores, blobs, A, "goal", "goal", "kick")
    assert (own_titles(vector_store), stores.reembedding.videos_missing_from(OWN)) == ([], [video_id("goal")])


def test_delete_of_space_deletes_its_collections_and_aliases(
    stores: Stores, blobs: BlobStore, vector_store: VectorStore
) -> None:
    """If the space comes back, it searches the installation's generation."""
    index_video(stores, blobs, A, "goal")
    promote(stores, blobs)
    stores.generations.switch_to(FAKE, A)
    promote(stores, blobs)
    generations = stores.generations
    for _ in range(2):
        generations.delete_of_space(A)
    assert vector_store.collections() == (FAKE.collection_name, "records")
    assert [vector_store.resolve(f"{alias}@discord.1") for alias in ("moments", "before")] == [None, None]
    assert (generations.get_live(A), generations.get_previous(A), generations.list_own()) == (FAKE, None, [])
    assert titles(search(stores, A)) == ["goal"]


# ---- the installation's generations ----


def test_new_generation_is_searched_only_after_the_switch(stores: Stores, blobs: BlobStore) -> None:
    """The first generation is live at once."""
    later = GenerationId("later")
    stores.generations.create(later, FakeEncoder())
    assert (stores.generations.get_live(), stores.generations.get_previous()) == (FAKE, None)
    stores.generations.switch_to(later)
    assert (stores.generations.get_live(), stores.generations.get_previous()) == (later, FAKE)


def test_only_the_last_two_generations_are_kept(stores: Stores, vector_store: VectorStore) -> None:
    """Older ones are deleted."""
    for name in ("next", "third"):
        stores.generations.create(GenerationId(name), FakeEncoder())
        stores.generations.switch_to(GenerationId(name))
    stores.generations.delete_unused()
    assert vector_store.collections() == ("moments4_next", "moments4_third", "records")
