"""Arguments and output in encodings other than UTF-8, such as EUC-KR and GBK."""

import codecs
import io
import os
import sys
from pathlib import Path


def replace_unknown_characters() -> None:
    """Let stdout and stderr replace characters that the terminal's encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def decode_arguments(locale_name: str | None) -> None:
    """Decode the arguments that Python could not decode, in the encoding that a locale names (`ko_KR.EUC-KR`)."""
    encoding = (locale_name or "").partition(".")[2].partition("@")[0]
    try:
        codecs.lookup(encoding)
    except LookupError:
        encoding = "utf-8"
    sys.argv[1:] = [_decode(argument, encoding) for argument in sys.argv[1:]]


def _decode(argument: str, encoding: str) -> str:
    """Return an argument without lone surrogates. The name of an existing file stays as it is."""
    has_undecoded = any("\udc80" <= character <= "\udcff" for character in argument)
    if not has_undecoded or Path(argument).exists():
        return argument
    return os.fsencode(argument).decode(encoding, "replace")
