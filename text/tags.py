"""Tags in queries: `tag:dog`, or `tag:"running dog"`, in any language of the vocabulary."""

import re
from typing import Final, NamedTuple

from text.vocabulary import find_word

_TAG: Final = re.compile(r'(?<!\S)tag[:：]\s?(?:"(?P<phrase>[^"]+)"|(?P<word>[^\s,，、]+))', re.IGNORECASE)


class TaggedQuery(NamedTuple):
    """A query, and the tags that it asks for."""

    words: str
    """The query without its tags, or the words of the tags if it has nothing else."""
    tags: tuple[str, ...]
    """Words of the vocabulary, in English."""
    unknown: str | None
    """The first tag that the vocabulary does not have."""


def take_tags(query: str) -> TaggedQuery:
    """Return a query and its tags apart."""
    asked = [found["phrase"] or found["word"] for found in _TAG.finditer(query)]
    words = {each: find_word(each) for each in asked}
    rest = _TAG.sub(" ", query).strip(" ,，、") if asked else query
    unknown = next((each for each, word in words.items() if word is None), None)
    return TaggedQuery(rest or " ".join(asked), tuple(dict.fromkeys(filter(None, words.values()))), unknown)
