"""Sentences, numbers and times as they are said and written in the language that is spoken."""

import gettext
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from babel import Locale
from babel.dates import format_skeleton
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from bots.i18n.messages import ERROR_MESSAGES, Msg
from worker.protocol.error_codes import ErrorCode

LANGUAGES: Final = ("en", "ko", "zh")
CATALOGUES: Final = Path(__file__).parent / "locale"
_spoken: ContextVar[str] = ContextVar("spoken", default="en")

_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")
"""Control characters and text-direction overrides: a title could draw over its surroundings with them."""


@contextmanager
def use_locale(locale: str) -> Iterator[None]:
    """All that is said inside, and by tasks begun inside, is in the nearest language to `locale` (`ko`, `zh-TW`, …)."""
    token = _spoken.set(language(locale))
    try:
        yield
    finally:
        _spoken.reset(token)


def language(locale: str) -> str:
    """The nearest language that is spoken here."""
    name = locale.replace("_", "-").partition("-")[0].lower()
    return name if name in LANGUAGES else LANGUAGES[0]


def translate(what: ErrorCode | Msg, /, **values: object) -> str:
    """The sentence for a code or a text, its blanks filled in."""
    sentence = ERROR_MESSAGES[what] if isinstance(what, ErrorCode) else str(what)
    return _catalogue(_spoken.get()).gettext(sentence).format(**values)


def count(number: int, one: Msg, many: Msg) -> str:
    """`1 video`, `1,204 videos`"""
    sentence = _catalogue(_spoken.get()).ngettext(str(one), str(many), number)
    return sentence.format(count=format_decimal(number, locale=_spoken.get()))


@cache
def _catalogue(name: str) -> gettext.NullTranslations:
    if name == LANGUAGES[0]:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with (CATALOGUES / name / "LC_MESSAGES" / "reelseek.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=name))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def clock(seconds: float) -> str:
    """`1:23`, `1:02:03`"""
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def span(start_s: float, end_s: float) -> str:
    """`0:12–0:18`"""
    return f"{clock(start_s)}–{clock(end_s)}"


def date(iso: str) -> str:
    """`Nov 21, 2026` of an ISO time; empty for an empty one."""
    return format_skeleton("yMMMd", datetime.fromisoformat(iso), locale=Locale(_spoken.get())) if iso else ""


def clean(text: str) -> str:
    """Text from elsewhere on one line, without characters that could disturb a screen."""
    return _UNSHOWABLE.sub(" ", text).strip()
