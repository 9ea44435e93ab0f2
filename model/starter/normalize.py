"""How a text is spelled before a model reads it, or another text is compared with it."""

MAX_CHARS = 500
"""Of a longer text only the beginning is read."""

_ENDS = " .,!?;:…。．，！？；：、"


def normalised(text: str) -> str:
    """One spelling for captions and queries: lower case, no full stop, no half characters (no tokenizer takes them)."""
    return " ".join(text[:MAX_CHARS].encode("utf-8", "replace").decode().lower().split()).strip(_ENDS)
