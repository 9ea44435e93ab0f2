"""Tags of stored moments, and searches for them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.generation_id import GenerationId
from indexer.search.query import SearchQuery
from indexer.search.search import find_moments
from indexer.search.votes import VoteReader
from indexer.store.stores import Stores, open_stores
from indexer.topics.tagger import Tagger
from indexer.topics.word_vectors import TEMPLATE, WordVectors
from indexer.types import QueryVectors, Vector
from indexer.vectors.vector_store import VectorStore
from tests.support.indexer.fakes import (
    FakeEncoder,
    embed_meaning,
    make_moments,
    make_video,
    random_vector,
    submit_video,
)

WIDE = GenerationId("wide")
SIZE = 256
SPACE = "discord:1"
MEANING = embed_meaning("anything")


class WideEncoder(FakeEncoder):
    """Embeds texts in so many dimensions that two of them have nothing in common."""

    def encode_texts(self, texts: Sequence[str]) -> list[QueryVectors]:
        return [QueryVectors(look_like(text), MEANING) for text in texts]


def look_like(text: str) -> Vector:
    return random_vector(text, SIZE)


@pytest.fixture
def encoder() -> WideEncoder:
    return WideEncoder(str(WIDE), SIZE, None)


@pytest.fixture
def library(vector_store: VectorStore, encoder: WideEncoder) -> Stores:
    """Open a library with a video of a dog, one of a guitar, and one of a guitar and then a dog."""
    stores = open_stores(vector_store)
    stores.generations.create(WIDE, encoder)
    for title, shown in (("dog", ["dog"]), ("guitar", ["guitar"]), ("both", ["guitar", "dog"])):
        publish_video(stores, title, shown)
    return stores


def publish_video(stores: Stores, title: str, shown: Sequence[str]) -> None:
    """Publish a video whose moments show one word each."""
    video = make_video(title)
    submit_video(stores, SPACE, title)
    moments = [
        replace(moment, frame=look_like(TEMPLATE.format(word)), motion=None)
        for moment, word in zip(make_moments(video, *shown), shown, strict=True)
    ]
    assert stores.publisher.publish_moments(video, moments, WIDE)


@pytest.fixture
def words(tmp_path: Path) -> Iterator[WordVectors]:
    words = WordVectors(tmp_path)
    yield words
    words.close()


@pytest.fixture
def tagger(library: Stores, words: WordVectors) -> Iterator[Tagger]:
    tagger = Tagger(library.moments, library.enrichment, words)
    yield tagger
    tagger.close()


def find_titles(stores: Stores, encoder: WideEncoder, *tags: str) -> list[str]:
    query = SearchQuery((SPACE,), ["anything"], tags=tags, only="looks")
    page = find_moments(stores.moments, stores.submissions, VoteReader(stores.spaces), encoder, query)
    return sorted(hit.title for hit in page.hits)


def test_moments_are_tagged_for_those_who_may_see_them(
    library: Stores, words: WordVectors, tagger: Tagger, encoder: WideEncoder
) -> None:
    words.compute(encoder)
    ids = {each.payload["video_id"]: each.id for each in library.moments.read_frames(WIDE, SPACE)}
    dog, guitar = ids[make_video("dog").id], ids[make_video("guitar").id]
    assert tagger.tag(encoder, (SPACE,), [dog, guitar]) == {dog: ("dog",), guitar: ("guitar",)}
    assert tagger.tag(encoder, ("discord:2",), [dog, guitar]) == {}, "another space sees no tags"
    assert tagger.tag(encoder, (SPACE,), []) == {}


def test_search_finds_every_moment_with_the_stored_tags(
    library: Stores, words: WordVectors, tagger: Tagger, encoder: WideEncoder
) -> None:
    """Also those that are not the best moment of their video. New moments are tagged before the next search."""
    words.compute(encoder)
    assert tagger.store_tags(encoder)
    assert find_titles(library, encoder, "dog") == ["both", "dog"]
    assert find_titles(library, encoder, "guitar") == ["both", "guitar"]
    assert find_titles(library, encoder, "dog", "guitar") == []
    assert find_titles(library, encoder) == ["both", "dog", "guitar"]
    publish_video(library, "puppies", ["dog"] * 220)
    assert tagger.store_tags(encoder)
    assert find_titles(library, encoder, "dog") == ["both", "dog", "puppies"]
    everything = SearchQuery((SPACE,), ["anything"], tags=("dog",), video_id=make_video("puppies").id, limit=240)
    page = find_moments(library.moments, library.submissions, VoteReader(library.spaces), encoder, everything)
    assert len(page.hits) == 220


def test_small_library_gets_tags_if_someone_wants_them(
    words: WordVectors, tagger: Tagger, encoder: WideEncoder
) -> None:
    assert not tagger.is_ready(encoder)
    assert not tagger.store_tags(encoder)
    assert words.compute(encoder) is not None
    assert tagger.is_ready(encoder)
    assert tagger.store_tags(encoder)
