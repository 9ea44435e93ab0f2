"""Translated sentences, and numbers and times in the format of the current language (i18n)."""

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
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_skeleton
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from bots.i18n.cli_messages import CliMsg
from bots.i18n.error_messages import ERROR_MESSAGES
from bots.i18n.messages import Msg
from worker.protocol.error_codes import ErrorCode

LANGUAGES: Final = ("en", "ko", "zh")
CATALOGS_DIR: Final = Path(__file__).parent / "locale"
_current_language: ContextVar[str] = ContextVar("current_language", default="en")
_current_time_zone: ContextVar[ZoneInfo | None] = ContextVar("current_time_zone", default=None)

_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")
"""Control characters and overrides of the text direction: with them, a title could draw over the screen."""


@contextmanager
def use_locale(locale: str | None) -> Iterator[None]:
    """Translate into the language of `locale` (`ko`, `zh-TW`, …; None: English) in the block and its new tasks."""
    token = _current_language.set(choose_language(locale))
    try:
        yield
    finally:
        _current_language.reset(token)


@contextmanager
def use_time_zone(name: str | None) -> Iterator[None]:
    """Format days in the time zone with this name in the block; None or an unknown name: the one of this machine."""
    try:
        zone = ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        zone = None
    token = _current_time_zone.set(zone)
    try:
        yield
    finally:
        _current_time_zone.reset(token)


def choose_language(locale: str | None) -> str:
    """Return the language of a locale, or English if there is no locale or no catalogue for it."""
    name = (locale or "").replace("_", "-").partition("-")[0].lower()
    return name if name in LANGUAGES else LANGUAGES[0]


def get_language() -> str:
    """Return the current language: one of `LANGUAGES`."""
    return _current_language.get()


def translate(message: ErrorCode | Msg | CliMsg, /, **values: object) -> str:
    """Return the sentence of an error code or message in the current language, filled in with `values`."""
    sentence = ERROR_MESSAGES[message] if isinstance(message, ErrorCode) else str(message)
    return _load_catalog(_current_language.get()).gettext(sentence).format(**values)


def explain_error(error: Exception) -> str:
    """Return why something failed, in the current language.

    Translated are the reason of an `OSError`, and that of an error with an English `reason` and its `values`
    (`model.errors.ModelError`). Other texts are returned as they are.
    """
    reason, values = getattr(error, "reason", None), getattr(error, "values", {})
    if not isinstance(reason, str):
        text = getattr(error, "strerror", None) or str(error)
        return _load_catalog(_current_language.get()).gettext(text) if text else type(error).__name__
    sentence = _load_catalog(_current_language.get()).gettext(reason)
    texts = {name: explain_error(each) if isinstance(each, Exception) else each for name, each in values.items()}
    return sentence.format(**texts) if texts else sentence


def format_count(number: int, one: Msg, many: Msg) -> str:
    """Return a number of things in the right plural: `1 video`, `1,204 videos`."""
    sentence = _load_catalog(_current_language.get()).ngettext(str(one), str(many), number)
    return sentence.format(count=format_decimal(number, locale=_current_language.get()))


@cache
def _load_catalog(language: str) -> gettext.NullTranslations:
    if language == LANGUAGES[0]:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with (CATALOGS_DIR / language / "LC_MESSAGES" / "reelseek.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def format_bytes(size: int) -> str:
    """Return a size as `1.5 GB` or `605 MB`."""
    unit, divisor, digits = ("GB", 1e9, 1) if size >= 1e9 else ("MB", 1e6, 0)
    return f"{format_decimal(round(size / divisor, digits), locale=_current_language.get())} {unit}"


def format_clock(seconds: float) -> str:
    """Return a time as `1:23` or `1:02:03`, rounded down to a second."""
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def format_span(start_s: float, end_s: float) -> str:
    """Return two times as `0:12–0:18`."""
    return f"{format_clock(start_s)}–{format_clock(end_s)}"


def format_date(iso: str) -> str:
    """Return the day of an ISO time as `Nov 21, 2026` in the reader's time zone, or an empty text for an empty one."""
    if not iso:
        return ""
    moment = datetime.fromisoformat(iso)
    if moment.tzinfo:
        moment = moment.astimezone(_current_time_zone.get())
    return format_skeleton("yMMMd", moment.date(), locale=Locale(_current_language.get()))


def clean_text(text: str) -> str:
    """Return untrusted text on one line, without characters that could disturb a screen."""
    return _UNPRINTABLE.sub(" ", text).strip()
