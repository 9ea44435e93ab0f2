"""Sentences and times as people read them."""

import string

import pytest

from bots.i18n.messages import ERROR_MESSAGES, Msg
from bots.i18n.translate import clock, count, date, span, translate
from worker.protocol.error_codes import ErrorCode


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_a_sentence(code: ErrorCode) -> None:
    """Whatever fails, there is a sentence that says so and, in a second one, what to do."""
    sentence = translate(code)
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert len(sentence.split(". ")) >= 2
    assert code.value not in sentence.split()


def test_no_two_codes_say_the_same() -> None:
    """Each failure has its own words."""
    assert len(set(ERROR_MESSAGES.values())) == len(ErrorCode)


def test_a_playlist_names_the_crawl_command() -> None:
    """Who sends a playlist is told what takes one."""
    assert "reelseek crawl" in translate(ErrorCode.PLAYLIST_REFUSED)


@pytest.mark.parametrize("text", Msg)
def test_every_blank_is_named(text: Msg) -> None:
    """A text can be filled in by name, whatever is filled in."""
    blanks = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    assert "{x}" in translate(text, **dict.fromkeys(blanks, "{x}")) or not blanks


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0:00"), (7.9, "0:07"), (83, "1:23"), (3599, "59:59"), (3600, "1:00:00"), (3723, "1:02:03")],
)
def test_clock(seconds: float, written: str) -> None:
    """Times read as on a player, cut to the whole second."""
    assert clock(seconds) == written


def test_span() -> None:
    """A stretch reads as two times."""
    assert span(12.4, 18) == "0:12–0:18"


@pytest.mark.parametrize(
    ("iso", "written"),
    [
        ("2026-11-21T09:30:00+00:00", "Nov 21, 2026"),
        ("2026-01-02T09:30:00Z", "Jan 2, 2026"),
        ("2026-01-02", "Jan 2, 2026"),
        ("", ""),
    ],
)
def test_date(iso: str, written: str) -> None:
    """Days read as people write them; an unknown one stays empty."""
    assert date(iso) == written


def test_count() -> None:
    """One is said in the singular, and thousands are parted."""
    assert count(1, Msg.VIDEOS_ONE, Msg.VIDEOS) == "1 video"
    assert count(1204, Msg.VIDEOS_ONE, Msg.VIDEOS) == "1,204 videos"
