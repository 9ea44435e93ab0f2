"""The vocabulary, and finding its words."""

from collections import Counter

import pytest

from text.vocabulary import find_word, find_words, read_vocabulary


def test_vocabulary_has_each_word_once_in_every_language() -> None:
    words = read_vocabulary()
    assert len(words) >= 3_000
    assert all(form == form.strip() and form for word in words for form in (word.en, word.ko, word.zh))
    assert [word for word, count in Counter(word.en for word in words).items() if count > 1] == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Croissants", "croissant"),
        ("해마", "seahorse"),
        ("雪豹", "snow leopard"),
        ("bridge", "bridge"),
        ("다리", "bridge"),
        ("flurble", None),
    ],
)
def test_word_is_found_in_every_language(text: str, word: str | None) -> None:
    assert find_word(text) == word


def test_words_of_a_text_are_found() -> None:
    assert find_words("A robot vacuum and the seahorse, 비빔밥") >= {"robot vacuum", "seahorse", "bibimbap"}
