"""Sentences, times and numbers."""

import string
import time

import pytest

from bots.i18n.cli_messages import CliMsg
from bots.i18n.error_messages import ERROR_MESSAGES
from bots.i18n.messages import Msg
from bots.i18n.translate import (
    explain_error,
    format_clock,
    format_count,
    format_date,
    format_span,
    translate,
    use_locale,
    use_time_zone,
)
from model.errors import PairsUnreadableError
from worker.protocol.error_codes import ErrorCode


@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_code_has_a_sentence_and_an_advice(code: ErrorCode) -> None:
    sentence = translate(code)
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert len(sentence.split(". ")) >= 2
    assert code.value not in sentence.split()


def test_error_codes_have_different_sentences() -> None:
    assert len(set(ERROR_MESSAGES.values())) == len(ErrorCode)


def test_refused_playlist_names_the_crawl_command() -> None:
    assert "`crawl`" in translate(ErrorCode.PLAYLIST_REFUSED)


@pytest.mark.parametrize("text", [*Msg, *CliMsg])
def test_every_placeholder_has_a_name(text: Msg | CliMsg) -> None:
    placeholders = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    assert "{x}" in translate(text, **dict.fromkeys(placeholders, "{x}")) or not placeholders


@pytest.mark.parametrize(
    ("error", "english", "korean"),
    [
        (
            PairsUnreadableError(
                "{file} cannot be read: {error}", file="a.tsv", error=PermissionError(13, "Permission denied")
            ),
            "a.tsv cannot be read: Permission denied",
            "a.tsv을(를) 읽을 수 없어요: 권한이 없어요",
        ),
        (OSError(28, "No space left on device", "b"), "No space left on device", "디스크에 남은 공간이 없어요"),
        (ValueError("another's text"), "another's text", "another's text"),
        (ValueError(), "ValueError", "ValueError"),
    ],
)
def test_reason_of_an_error_is_translated_if_the_catalog_has_it(error: Exception, english: str, korean: str) -> None:
    with use_locale("en"):
        assert explain_error(error) == english
    with use_locale("ko"):
        assert explain_error(error) == korean


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0:00"), (7.9, "0:07"), (83, "1:23"), (3599, "59:59"), (3600, "1:00:00"), (3723, "1:02:03")],
)
def test_clock_rounds_down_to_the_second(seconds: float, written: str) -> None:
    assert format_clock(seconds) == written


def test_span_is_formatted_as_two_times() -> None:
    assert format_span(12.4, 18) == "0:12–0:18"


@pytest.mark.parametrize(
    ("iso", "written"),
    [
        ("2026-11-21T09:30:00+00:00", "Nov 21, 2026"),
        ("2026-01-02T09:30:00Z", "Jan 2, 2026"),
        ("2026-01-02", "Jan 2, 2026"),
        ("", ""),
    ],
)
def test_date_of_an_empty_time_is_empty(iso: str, written: str) -> None:
    assert format_date(iso) == written


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("Asia/Seoul", "Nov 30, 2026"),
        ("America/Los_Angeles", "Nov 29, 2026"),
        ("Pacific/Kiritimati", "Nov 30, 2026"),
        ("No/Such", "Nov 29, 2026"),
        (None, "Nov 29, 2026"),
    ],
)
def test_date_is_the_day_in_the_readers_time_zone(
    zone: str | None, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    with use_time_zone(zone):
        assert format_date("2026-11-29T23:30:00+00:00") == written
        assert format_date("2026-01-02") == "Jan 2, 2026"


def test_count_uses_singular_and_separates_thousands() -> None:
    assert format_count(1, Msg.VIDEOS_ONE, Msg.VIDEOS) == "1 video"
    assert format_count(1204, Msg.VIDEOS_ONE, Msg.VIDEOS) == "1,204 videos"
