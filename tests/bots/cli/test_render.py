"""How replies look in a terminal."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from rich.console import Console

from bots.cli.render import Terminal, checked
from bots.commands import search
from bots.commands.replies import Help, LinkOutcome, LinkProgress, Replies, Reply, TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.fake_client import SNOW, TALK, FakeClient, FakeVideo
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller


@dataclass
class Screen:
    """A terminal whose streams can be read."""

    terminal: Terminal
    answers: Callable[[], str]
    notes: Callable[[], str]


def screen(notes_are_seen: bool = False) -> Screen:
    answers, notes = io.StringIO(), io.StringIO()
    terminal = Terminal(Console(file=answers, width=100), Console(file=notes, width=100, force_terminal=notes_are_seen))
    return Screen(terminal, answers.getvalue, notes.getvalue)


async def these(*replies: Reply) -> Replies:
    for reply in replies:
        yield reply


async def test_results_say_all(client: FakeClient, caller: Caller) -> None:
    """Each card shows its title, time, length, reason, further moments and link."""
    seen = screen()
    assert await seen.terminal.show(search.find(client, caller, "dog, ships"))
    for text in ("1", SNOW.title, "0:00–0:06", "0:18", "looks like it", "1 more inside", f"{TALK.link}#t=0"):
        assert text in seen.answers()


async def test_weak_results_say_so(client: FakeClient, caller: Caller) -> None:
    """Where nothing stands out, what is shown is called the nearest, and not the answer."""
    seen = screen()
    await seen.terminal.show(search.find(client, caller, "dog"))
    assert translate(Msg.WEAK) not in seen.answers()
    client.weak = True
    await seen.terminal.show(search.find(client, caller, "dog"))
    assert translate(Msg.WEAK) in seen.answers()


async def test_markup_in_titles_is_text(caller: Caller) -> None:
    """What a stranger named a video is shown as it is."""
    seen = screen()
    await seen.terminal.show(
        search.find(FakeClient([FakeVideo("https://v.example/x", "[red]a[/] [b", ("dog",))]), caller, "dog")
    )
    assert "[red]a[/] [b" in seen.answers()


async def test_the_library_names_each_state(client: FakeClient, caller: Caller) -> None:
    """A video that is not ready stands out, and the rest of a long library is counted."""
    seen = screen()
    await seen.terminal.show(search.library(client, caller, limit=2))
    assert "ready" in seen.answers()
    assert translate(Msg.SOME_OF, shown=2, total="3 videos") in seen.answers()


async def test_failure_shows_its_reference() -> None:
    """A failed command is told apart from a done one, and can be looked up."""
    seen = screen()
    failed = TextReply(translate(ErrorCode.BUSY), ok=False, code=ErrorCode.BUSY, correlation_id="abc123")
    assert not await seen.terminal.show(these(TextReply("fine"), failed, TextReply("fine")))
    assert translate(Msg.REFERENCE, correlation_id="abc123") in seen.answers()


async def test_progress_stays_out_of_the_answers() -> None:
    """Progress is drawn where a person looks, and never where answers are piped to."""
    replies = (LinkProgress("https://v.example/x.mp4", "fetching", 0.4), LinkOutcome("x", "indexed", "Added “x”.", 3))
    seen, piped = screen(notes_are_seen=True), screen()
    assert await seen.terminal.show(these(*replies))
    assert await piped.terminal.show(these(*replies))
    assert "fetching" in seen.notes()
    assert piped.notes() == ""
    assert seen.answers() == piped.answers() == "Added “x”.  3 moments\n"


async def test_help_shows_commands() -> None:
    """Commands stand with their arguments and what they do."""
    seen = screen()
    await seen.terminal.show(these(Help((("find", "WORDS", "Find moments."),))))
    assert seen.answers().split() == ["/find", "WORDS", "Find", "moments."]


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    detail: str
    mend: str


@pytest.mark.parametrize(("ok", "mend_is_seen"), [(True, False), (False, True)])
def test_the_doctor_says_how_to_mend(ok: bool, mend_is_seen: bool) -> None:
    """Advice stands only beside what is wrong."""
    seen = screen()
    seen.terminal.answers.print(checked([Check("Redis", ok, "version 7", "Start Redis.")]))
    assert "version 7" in seen.answers()
    assert ("Start Redis." in seen.answers()) is mend_is_seen
