"""Replies in a terminal."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from rich.console import Console

from bots.cli.render import Terminal, name_commands, render_checks
from bots.commands import library, search
from bots.commands.doctor import CheckLine
from bots.commands.replies import Help, HelpLine, LinkOutcome, LinkProgress, LinkStatus, TextReply, TrainingProgress
from bots.i18n.cli_messages import CliMsg
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import SNOW, TALK, FakeVideo
from tests.support.bots.replies import replies_of
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode


@dataclass
class Streams:
    """A terminal whose output can be read."""

    terminal: Terminal
    answers: Callable[[], str]
    notes: Callable[[], str]


def open_streams(is_terminal: bool = False) -> Streams:
    answers, notes = io.StringIO(), io.StringIO()
    terminal = Terminal(Console(file=answers, width=100), Console(file=notes, width=100, force_terminal=is_terminal))
    return Streams(terminal, answers.getvalue, notes.getvalue)


async def test_sentence_names_commands_as_a_shell_takes_them() -> None:
    streams = open_streams()
    replies = replies_of(TrainingProgress(translate(Msg.SWITCHED, name="x"), 1.0, is_final=True), TextReply("`/find`"))
    await streams.terminal.show(name_commands(replies, ""))
    assert "`reelseek model rollback`" in streams.answers()
    assert "`reelseek find`" in streams.answers()


async def test_results_show_title_time_length_reason_and_link(client: FakeClient, caller: Caller) -> None:
    streams = open_streams()
    assert await streams.terminal.show(search.find(client, caller, "dog, ships"))
    for text in ("1", SNOW.title, "0:00–0:06", "0:18", "looks like it", "1 more inside", f"{TALK.link}#t=0"):
        assert text in streams.answers()


async def test_weak_results_are_announced_as_closest_moments(client: FakeClient, caller: Caller) -> None:
    streams = open_streams()
    await streams.terminal.show(search.find(client, caller, "dog"))
    assert translate(Msg.WEAK) not in streams.answers()
    client.weak = True
    await streams.terminal.show(search.find(client, caller, "dog"))
    assert translate(Msg.WEAK) in streams.answers()


async def test_markup_in_a_title_is_shown_as_text(caller: Caller) -> None:
    streams = open_streams()
    video = FakeVideo("https://v.example/x", "[red]a[/] [b", ("dog",))
    await streams.terminal.show(search.find(FakeClient([video]), caller, "dog"))
    assert "[red]a[/] [b" in streams.answers()


async def test_library_shows_states_and_the_total(client: FakeClient, caller: Caller) -> None:
    streams = open_streams()
    await streams.terminal.show(library.list_library(client, caller, limit=2))
    assert "ready" in streams.answers()
    assert translate(Msg.SOME_OF, shown=2, total="3 videos") in streams.answers()


@pytest.mark.parametrize("language", ["en", "ko", "zh"])
async def test_library_has_translated_headings(client: FakeClient, caller: Caller, language: str) -> None:
    streams = open_streams()
    with use_locale(language):
        await streams.terminal.show(library.list_library(client, caller))
        headings = streams.answers().splitlines()[0].split()
        columns = (
            CliMsg.COLUMN_TITLE,
            CliMsg.COLUMN_MOMENTS,
            CliMsg.COLUMN_LENGTH,
            CliMsg.COLUMN_STATE,
            CliMsg.COLUMN_LINK,
        )
        assert headings == [translate(column) for column in columns]


async def test_failure_shows_its_correlation_id_and_is_no_success() -> None:
    streams = open_streams()
    failed = TextReply(translate(ErrorCode.BUSY), ok=False, code=ErrorCode.BUSY, correlation_id="abc123")
    assert not await streams.terminal.show(replies_of(TextReply("fine"), failed, TextReply("fine")))
    assert translate(Msg.REFERENCE, correlation_id="abc123") in streams.answers()


async def test_progress_is_shown_in_a_terminal_and_never_in_piped_answers() -> None:
    replies = (
        LinkProgress("https://v.example/x.mp4", "downloading", 0.4),
        LinkOutcome("x", LinkStatus.INDEXED, "Added “x”.", 3),
    )
    shown, piped = open_streams(is_terminal=True), open_streams()
    assert await shown.terminal.show(replies_of(*replies))
    assert await piped.terminal.show(replies_of(*replies))
    assert "downloading" in shown.notes()
    assert piped.notes() == ""
    assert shown.answers() == piped.answers() == "Added “x”.  3 moments\n"


async def test_help_shows_name_usage_and_description() -> None:
    streams = open_streams()
    await streams.terminal.show(replies_of(Help((HelpLine("find", "WORDS", "Find moments."),))))
    assert streams.answers().split() == ["/find", "WORDS", "Find", "moments."]


@pytest.mark.parametrize("is_ok", [True, False])
def test_doctor_shows_advice_only_for_failed_checks(is_ok: bool) -> None:
    streams = open_streams()
    check = CheckLine("Redis", is_ok, "version 7", None if is_ok else "Start Redis.")
    streams.terminal.answers.print(render_checks([check]))
    assert "version 7" in streams.answers()
    assert ("Start Redis." in streams.answers()) is not is_ok
