"""Text normalization, applied before a model encodes a text and before texts are compared."""

import unicodedata

from text.chinese import simplify_characters
from text.emoji_names import name_emoji
from text.invisible import remove_invisible
from text.languages import guess_language

MAX_CHARS = 500
"""The rest of a longer text is ignored."""

_TRIMMED = " .,!?;:…。．，！？；：、"


def normalize_text(text: str) -> str:
    """Return one spelling for captions and queries: lower case, single spaces, no punctuation at the ends.

    Full-width letters and decomposed Hangul become the usual ones (NFKC), emoji become their names, and
    traditional Chinese becomes simplified, which the sentence encoder knows better. Lone surrogates are replaced,
    because no tokenizer accepts them.
    """
    text = unicodedata.normalize("NFKC", text[:MAX_CHARS].encode("utf-8", "replace").decode())
    text = remove_invisible(name_emoji(text))[:MAX_CHARS]
    if guess_language(text) == "zh":
        text = simplify_characters(text)
    return " ".join(text.lower().split()).strip(_TRIMMED)
