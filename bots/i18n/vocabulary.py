"""Words that name topics and tag moments, in the reader's language."""

from collections.abc import Iterable, Mapping
from functools import cache

from bots.i18n.translate import get_language
from text.vocabulary import Word, read_vocabulary


def translate_words(words: Iterable[str]) -> str:
    """Return words of the vocabulary, given in English, as a list in the current language."""
    known = _map_words()
    return " · ".join(getattr(known[word], get_language()) if word in known else word for word in words)


@cache
def _map_words() -> Mapping[str, Word]:
    return {word.en: word for word in read_vocabulary()}
