"""A space's own generation: beside the installation's, with what this space may find and nothing else."""

import io

import pytest
from PIL import Image

from indexer.errors import GenerationMismatch
from indexer.ingest.reembed import embed_anew, embed_missing
from indexer.search.search import Page, find
from indexer.store.blobs import BlobStore
from indexer.store.generations import own_name, space_of
from indexer.store.library import Library
from indexer.vectors.vector_store import Filter, VectorStore
from tests.indexer.conftest import OpenPoints
from tests.support.indexer_fakes import SIZE, FakeEncoder, a_video, some_moments, submit, video_id

A, B = "discord:1", "slack:2"
BASE = FakeEncoder()
OWN = FakeEncoder(own_name("next", A))


def share(library: Library, blobs: BlobStore, space: str, name: str, *texts: str) -> None:
    """A video with one kept picture, in each of its moments."""
    submit(library, space, name)
    video, file = a_video(name), io.BytesIO()
    Image.new("RGB", (8, 8), (len(name), 0, ord(name[0]))).save(file, "JPEG")
    blobs.put(f"videos/{video.id}/0.jpg", file.getvalue())
    moments = some_moments(video, *texts or (name,), frames=(f"videos/{video.id}/0.jpg",))
    assert library.put_moments(video, moments, "fake")


def promote(library: Library, blobs: BlobStore, encoder: FakeEncoder = OWN) -> None:
    """As a retrain of the space does."""
    embed_missing(library, blobs, encoder, lambda done, of: None)
    library.switch(encoder.generation, A)


def asked(library: Library, space: str) -> Page:
    """What a worker answers that has just looked which generation the space searches."""
    encoder = OWN if library.generation(space) == OWN.generation else BASE
    return find(library, encoder, (space, f"{space}/55"), ["goal dog cat"], limit=50)


def names(page: Page) -> list[str]:
    return sorted(hit.title for hit in page.hits)


def owned(points: VectorStore) -> list[str]:
    """Titles of what the space's own collection holds, whoever may find it."""
    return sorted(each.payload["title"] for each in points.scroll(f"moments_{OWN.generation}", Filter()))


def test_the_name_tells_whose_it_is() -> None:
    """A generation's name is one that both stores take, and leads back to its space."""
    assert OWN.generation == "next@discord.1"
    assert (space_of(OWN.generation), space_of("next")) == (A, "")


def test_a_space_has_its_own_and_the_others_notice_nothing(
    library: Library, blobs: BlobStore, points: VectorStore
) -> None:
    """It holds only what the space may find; another space's answers are the same to the last bit."""
    share(library, blobs, A, "goal")
    share(library, blobs, B, "dog")
    before = asked(library, B)
    promote(library, blobs)
    assert (library.generation(A), library.before(A)) == (OWN.generation, "fake")
    assert (library.generation(B), library.before(B)) == ("fake", None)
    assert (library.generation(), library.before()) == ("fake", None)
    assert owned(points) == names(asked(library, A)) == ["goal"]
    assert asked(library, B) == before
    assert find(library, OWN, B, ["goal"]).hits == ()
    library.drop_old()
    assert library.own_generations() == [OWN.generation]


def test_going_back_and_forth(open_points: OpenPoints, blobs: BlobStore) -> None:
    """Back to the installation's answers to the last bit, and to its own again, also after a restart."""
    library = Library(open_points())
    library.open("fake", SIZE, SIZE)
    share(library, blobs, A, "goal")
    before = asked(library, A)
    promote(library, blobs)
    library.switch("fake", A)
    assert asked(library, A) == before
    library = Library(open_points())
    assert (library.generation(A), library.before(A)) == ("fake", OWN.generation)
    library.drop_old()
    library.switch(OWN.generation, A)
    assert (library.generation(A), library.before(A)) == (OWN.generation, "fake")
    assert names(asked(library, A)) == ["goal"]


def test_a_later_one_takes_the_place_of_the_earlier(library: Library, blobs: BlobStore, points: VectorStore) -> None:
    """Two of a space's own are kept; one that is neither searched nor the one before is asked in vain."""
    share(library, blobs, A, "goal")
    promote(library, blobs)
    for name in ("third", "fourth"):
        promote(library, blobs, FakeEncoder(own_name(name, A)))
    library.drop_old()
    assert points.collections() == ("moments_fake", "moments_fourth@discord.1", "moments_third@discord.1", "records")
    with pytest.raises(GenerationMismatch):
        library.nearest(OWN.generation, A, [])


def test_what_comes_later_is_missing_until_it_is_embedded(library: Library, blobs: BlobStore) -> None:
    """New to all, or new to the space only: on record as missing, whoever was killed, and then found."""
    share(library, blobs, B, "dog")
    share(library, blobs, A, "goal")
    promote(library, blobs)
    assert library.missing(OWN.generation) == []
    share(library, blobs, A, "cat")
    submit(library, A, "dog")
    assert sorted(library.missing(OWN.generation)) == sorted([video_id("cat"), video_id("dog")])
    assert library.lacking(video_id("dog")) == [A]
    assert names(asked(library, A)) == ["goal"]
    for id in library.missing(OWN.generation):
        embed_anew(library, blobs, OWN, id)
    assert library.missing(OWN.generation) == library.lacking(video_id("dog")) == []
    assert names(asked(library, A)) == ["cat", "dog", "goal"]


def test_what_the_space_forgets_goes_out_of_it(library: Library, blobs: BlobStore, points: VectorStore) -> None:
    """Also where another space keeps the video; a room's video stays the room's."""
    for name in ("goal", "dog"):
        share(library, blobs, A, name)
        submit(library, B, name)
    submit(library, A, "cat", private_channel="55")
    share(library, blobs, B, "cat")
    promote(library, blobs)
    assert owned(points) == ["cat", "dog", "goal"]
    library.forget(A, video_id("goal"))
    assert owned(points) == names(asked(library, A)) == ["cat", "dog"]
    assert names(asked(library, B)) == ["cat", "dog", "goal"]
    assert names(find(library, OWN, A, ["goal dog cat"], limit=50)) == ["dog"]
    library.forget_space(A)
    assert owned(points) == []


def test_forgotten_while_it_is_embedded(library: Library, blobs: BlobStore, points: VectorStore) -> None:
    """A video that the space took back meanwhile stays away from its own generation."""
    share(library, blobs, A, "goal")
    submit(library, B, "goal")
    promote(library, blobs)
    library.forget(A, video_id("goal"))
    embed_anew(library, blobs, OWN, video_id("goal"))
    assert owned(points) == []


def test_a_video_that_is_indexed_again_is_embedded_again(
    library: Library, blobs: BlobStore, points: VectorStore
) -> None:
    """Its old moments are gone from every generation."""
    share(library, blobs, A, "goal", "goal", "kick")
    promote(library, blobs)
    share(library, blobs, A, "goal", "goal", "kick")
    assert (owned(points), library.missing(OWN.generation)) == ([], [video_id("goal")])


def test_when_a_space_leaves_nothing_of_its_own_is_left(
    library: Library, blobs: BlobStore, points: VectorStore
) -> None:
    """Neither collections nor aliases; the installation's is searched if it comes back."""
    share(library, blobs, A, "goal")
    promote(library, blobs)
    library.switch("fake", A)
    promote(library, blobs)
    for _ in range(2):
        library.drop_own(A)
    assert points.collections() == ("moments_fake", "records")
    assert [points.resolve(f"{alias}@discord.1") for alias in ("moments", "before")] == [None, None]
    assert (library.generation(A), library.before(A), library.own_generations()) == ("fake", None, [])
    assert names(asked(library, A)) == [a_video("goal").title]
