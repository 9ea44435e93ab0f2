"""Names of topics and tags of moments, by vectors of words."""

import numpy as np
import pytest

from indexer.topics.naming import find_used_words, name_topics
from indexer.topics.tags import MAX_TAGS, tag_frames
from indexer.types import Vector
from text.vocabulary import read_vocabulary

WORDS = [word.en for word in read_vocabulary()]
SIZE = 256


@pytest.fixture(scope="module")
def word_vectors() -> Vector:
    """Return a direction for each word; in as many dimensions they hardly have anything in common."""
    vectors = np.random.default_rng(0).normal(size=(len(WORDS), SIZE))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def look_like(word_vectors: Vector, *words: str) -> Vector:
    """Return a picture's vector (1, SIZE) that is near to some words."""
    vector = word_vectors[[WORDS.index(word) for word in words]].sum(axis=0, keepdims=True)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def test_moment_is_tagged_with_what_it_certainly_shows(word_vectors: Vector) -> None:
    [tags] = tag_frames(look_like(word_vectors, "dog", "snow"), word_vectors)
    assert set(tags) == {"dog", "snow"}


def test_moment_that_shows_nothing_certain_has_no_tags(word_vectors: Vector) -> None:
    noise = np.random.default_rng(1).normal(size=(1, SIZE)).astype(np.float32)
    assert tag_frames(noise / np.linalg.norm(noise), word_vectors) == [()]


def test_moment_has_few_tags_and_none_that_captions_seldom_confirm(word_vectors: Vector) -> None:
    doubtful = next(word.en for word in read_vocabulary() if not word.is_tag)
    [tags] = tag_frames(look_like(word_vectors, "dog", "snow", "beach", "piano", doubtful), word_vectors)
    assert len(tags) == MAX_TAGS
    assert doubtful not in tags


def test_topic_is_named_by_what_it_shows(word_vectors: Vector) -> None:
    """A second name has no word of the first."""
    centroids = np.concatenate(
        [look_like(word_vectors, "guitar"), look_like(word_vectors, "surfer", "surfing", "wave")]
    )
    guitar, surfing = name_topics(centroids, word_vectors, WORDS, [(), ()])
    assert guitar == ("guitar",)
    assert "wave" in surfing
    assert len(set(surfing) & {"surfer", "surfing"}) == 1


def test_doubtful_word_names_only_what_no_other_word_fits(word_vectors: Vector) -> None:
    doubtful = next(word.en for word in read_vocabulary() if not word.is_tag)
    centroids = np.concatenate([look_like(word_vectors, doubtful, "guitar"), look_like(word_vectors, doubtful)])
    assert name_topics(centroids, word_vectors, WORDS, [(), ()]) == [("guitar",), (doubtful,)]


def test_topic_that_no_word_fits_has_no_name(word_vectors: Vector) -> None:
    noise = np.random.default_rng(1).normal(size=(1, SIZE)).astype(np.float32)
    assert name_topics(0.01 * noise, word_vectors, WORDS, [()]) == [()]


def test_word_of_titles_is_a_name_if_the_pictures_agree(word_vectors: Vector) -> None:
    """What titles say of a cluster whose pictures show something else is no name."""
    near = look_like(word_vectors, "ballet") + 0.16 * look_like(word_vectors, "guitar")
    faint = 0.18 * word_vectors[WORDS.index("cello")] + np.random.default_rng(2).normal(size=SIZE) / SIZE**0.5
    titles = [["My cello at home", "첼로 연주"], ["street", "road"], ["train", "a dog"]]
    centroids = np.stack([faint, near[0], near[0]]).astype(np.float32)
    named = name_topics(centroids, word_vectors, WORDS, titles)
    assert named[0] == ("cello",)
    assert "road" not in named[1]


def test_words_that_all_titles_have_are_not_used_for_a_topic() -> None:
    texts = [["concert of the choir", "concert"], ["a concert in the park", "concert of a dog"], ["concert"]]
    assert "concert" not in set.union(*find_used_words(texts))
