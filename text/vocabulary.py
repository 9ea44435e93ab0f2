"""Everyday words in three languages: what topics are called, and what moments are tagged with.

`vocabulary.tsv` was written for this project. A word is known by its English form. The column `tag` says which words
may be tags: a word that captions of Flickr8k's train split seldom confirmed, although it seemed certain, only names
topics that no other word fits (`benchmarks.recall.topics`).
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from text.folding import fold

VOCABULARY_FILE: Final = Path(__file__).parent / "vocabulary.tsv"
MAX_PHRASE_WORDS: Final = 4
MIN_UNSPACED_CHARS: Final = 2
"""Single characters of Korean and Chinese are parts of too many other words to be found in a text."""
MAX_UNSPACED_CHARS: Final = 6

_LATIN: Final = re.compile(r"[a-z0-9'-]+")
_UNSPACED: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]+")


@dataclass(frozen=True)
class Word:
    """A word, or a phrase of a few words, by language."""

    en: str
    ko: str
    zh: str
    is_tag: bool


@cache
def read_vocabulary() -> tuple[Word, ...]:
    """Return all words, in the order of the file."""
    with VOCABULARY_FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tuple(Word(row["en"], row["ko"], row["zh"], row["tag"] == "yes") for row in rows)


def find_word(text: str) -> str | None:
    """Return the word of the vocabulary, in English, that a text in any of the languages is, or None."""
    folded = fold(text)
    return _map_forms().get(folded) or _map_forms().get(folded.removesuffix("s"))


def find_words(text: str) -> set[str]:
    """Return the words of the vocabulary, in English, that a text contains in any of the languages."""
    known = _map_forms()
    return {word for form in _list_forms(fold(text)) if (word := known.get(form))}


@cache
def _map_forms() -> Mapping[str, str]:
    """Return the English form of each folded form."""
    forms = ((fold(form), word.en) for word in read_vocabulary() for form in (word.zh, word.ko, word.en))
    return dict(forms)


def _list_forms(text: str) -> Iterator[str]:
    words = _LATIN.findall(text)
    for start in range(len(words)):
        for end in range(start + 1, min(start + MAX_PHRASE_WORDS, len(words)) + 1):
            phrase = " ".join(words[start:end])
            yield phrase
            yield phrase.removesuffix("s")
    for run in _UNSPACED.findall(text):
        for start in range(len(run)):
            for end in range(start + MIN_UNSPACED_CHARS, min(start + MAX_UNSPACED_CHARS, len(run)) + 1):
                yield run[start:end]
