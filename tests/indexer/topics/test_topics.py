"""Topics of a library, and who sees which."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from indexer.generation_id import GenerationId
from indexer.store.stores import Stores
from indexer.topics.cache import MAX_AGE_S, TopicCache
from indexer.topics.topics import make_topics
from indexer.topics.word_vectors import WordVectors
from indexer.types import QueryVectors
from tests.support.indexer.fakes import FAKE, FakeEncoder, index_video, submit_video

WORDS = ("dog", "snow", "guitar")


@pytest.fixture
def words(tmp_path: Path) -> WordVectors:
    return WordVectors(tmp_path, WORDS)


def test_topics_count_moments_and_videos(stores: Stores) -> None:
    for number in range(9):
        index_video(stores, "discord:1", f"snow{number}", *["dog in snow"] * 2)
        index_video(stores, "discord:1", f"guitar{number}", "guitar on a stage")
    topics = make_topics(stores.moments, FAKE, ("discord:1",), WORDS, None)
    assert [(topic.moments, topic.videos, topic.names) for topic in topics] == [(18, 9, ()), (9, 9, ())]
    assert {len(topic.moment_ids) for topic in topics} == {4}


@pytest.mark.parametrize("scopes", [("discord:1",), ("discord:1", "discord:1/7"), ("slack:A",)])
def test_topics_are_made_of_what_the_scopes_may_see(stores: Stores, scopes: tuple[str, ...]) -> None:
    index_video(stores, "discord:1", "public", "dog", "dog")
    index_video(stores, "discord:2", "private", "snow", "snow")
    submit_video(stores, "discord:1", "private", private_channel="7")
    visible = {each.id for each in stores.moments.read_frames(FAKE, scopes)}
    topics = make_topics(stores.moments, FAKE, scopes, WORDS, None)
    assert {id for topic in topics for id in topic.moment_ids} <= visible
    assert sum(topic.moments for topic in topics) == len(visible)


def test_library_without_pictures_has_no_topics(stores: Stores) -> None:
    index_video(stores, "discord:1", "talk", "a", "b", pictures=False)
    assert make_topics(stores.moments, FAKE, ("discord:1",), WORDS, None) == ()


def test_topics_are_kept_until_the_library_changes(stores: Stores, words: WordVectors) -> None:
    """They are made again in the background then, and also after some time."""
    now_s = [0.0]
    cache = TopicCache(stores.moments, words, lambda: now_s[0])
    index_video(stores, "discord:1", "one", "dog", "dog")
    first = cache.get(FakeEncoder(), ("discord:1",))
    assert first is not None
    assert cache.get(FakeEncoder(), ("discord:1",)) is first
    index_video(stores, "discord:1", "two", "dog", "dog")
    assert cache.get(FakeEncoder(), ("discord:1",)) is first
    cache.close()
    cache = TopicCache(stores.moments, words, lambda: now_s[0])
    second = cache.get(FakeEncoder(), ("discord:1",))
    assert second is not None
    assert second.moments == 4
    now_s[0] += MAX_AGE_S
    assert cache.get(FakeEncoder(), ("discord:1",)) is second, "the former ones are shown meanwhile"
    cache.close()


class SlowEncoder:
    """Encodes only when a test lets it."""

    generation = str(FAKE)

    def __init__(self) -> None:
        self.gate = threading.Event()

    def encode_texts(self, texts: Sequence[str]) -> list[QueryVectors]:
        self.gate.wait()
        return FakeEncoder().encode_texts(texts)


def test_topics_that_take_long_are_made_in_the_background(stores: Stores, words: WordVectors) -> None:
    encoder, cache = SlowEncoder(), TopicCache(stores.moments, words)
    index_video(stores, "discord:1", "one", "dog", "dog")
    assert cache.get(encoder, ("discord:1",), wait_s=0) is None
    encoder.gate.set()
    assert cache.get(encoder, ("discord:1",)) is not None
    cache.close()


def test_word_vectors_are_read_from_their_file(tmp_path: Path) -> None:
    """A model of another generation has its own."""
    computed = WordVectors(tmp_path, WORDS).compute(FakeEncoder())
    assert computed is not None
    again = WordVectors(tmp_path, WORDS)
    cached = again.get_cached(str(FAKE))
    assert cached is not None
    assert cached.tolist() == computed.tolist()
    assert again.get_cached(str(GenerationId("other"))) is None
    assert WordVectors(tmp_path, ("dog",)).get_cached(str(FAKE)) is None, "the vocabulary is another one"
