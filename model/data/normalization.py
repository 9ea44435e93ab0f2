"""Text normalization, applied before a model encodes a text and before texts are compared."""

MAX_CHARS = 500
"""The rest of a longer text is ignored."""

_TRIMMED = " .,!?;:…。．，！？；：、"


def normalize_text(text: str) -> str:
    """Return one spelling for captions and queries: lower case, single spaces, no punctuation at the ends.

    Lone surrogates are replaced, because no tokenizer accepts them.
    """
    return " ".join(text[:MAX_CHARS].encode("utf-8", "replace").decode().lower().split()).strip(_TRIMMED)
