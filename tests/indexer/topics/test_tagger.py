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


class WideEncoder(FakeEncoder):
    """Embeds texts in so many dimensions that two of them have nothing in common."""

    def encode_texts(self, texts: Sequence[str]) -> list[QueryVectors]:
        return [QueryVectors(look_like(text), embed_meaning(text)) for text in texts]


def look_like(text: str) -> Vector:
    return random_vector(text, SIZE)


@pytest.fixture
def encoder() -> WideEncoder:
    return WideEncoder(str(WIDE), SIZE, None)


@pytest.fixture
def library(vector_store: VectorStore, encoder: WideEncoder) -> Stores:
    """Open a library with one video of a dog and one of a guitar."""
    stores = open_stores(vector_store)
    stores.generations.create(WIDE, encoder)
    for name in ("dog", "guitar"):
        video = make_video(name)
        submit_video(stores, SPACE, name)
        [moment] = make_moments(video, name)
        moment = replace(moment, frame=look_like(TEMPLATE.format(name)), motion=None)
        assert stores.publisher.publish_moments(video, [moment], WIDE)
    return stores


@pytest.fixture
def words(tmp_path: Path) -> Iterator[WordVectors]:
    words = WordVectors(tmp_path)
    yield words
    words.close()


def find_titles(stores: Stores, encoder: WideEncoder, tagger: Tagger, *tags: str) -> list[str]:
    query = SearchQuery((SPACE,), ["anything"], tags=tags, only="looks")
    page = find_moments(stores.moments, stores.submissions, VoteReader(stores.spaces), encoder, query, tagger=tagger)
    return sorted(hit.title for hit in page.hits)


def test_moments_are_tagged_and_found_by_their_tags(library: Stores, words: WordVectors, encoder: WideEncoder) -> None:
    tagger = Tagger(library.moments, words)
    words.compute(encoder)
    ids = {each.payload["video_id"]: each.id for each in library.moments.read_frames(WIDE, SPACE)}
    dog, guitar = ids[make_video("dog").id], ids[make_video("guitar").id]
    assert tagger.tag(encoder, (SPACE,), [dog, guitar]) == {dog: ("dog",), guitar: ("guitar",)}
    assert tagger.tag(encoder, ("discord:2",), [dog, guitar]) == {}, "another space sees no tags"
    assert find_titles(library, encoder, tagger, "dog") == ["dog"]
    assert find_titles(library, encoder, tagger, "dog", "guitar") == []
    assert find_titles(library, encoder, tagger) == ["dog", "guitar"]


def test_small_library_gets_tags_if_someone_wants_them(
    library: Stores, words: WordVectors, encoder: WideEncoder
) -> None:
    tagger = Tagger(library.moments, words)
    assert not tagger.is_ready(encoder)
    assert words.compute(encoder) is not None
    assert tagger.is_ready(encoder)
    assert tagger.tag(encoder, (SPACE,), []) == {}
