"""Replies in a terminal. Answers and progress go to separate consoles, so that answers can be piped."""

import re
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text as Line

from bots.commands import replies as r
from bots.commands.findings import Answer, TopicsPage
from bots.i18n.cli_messages import CliMsg
from bots.i18n.messages import Msg
from bots.i18n.translate import format_count, translate

if TYPE_CHECKING:
    from bots.commands.doctor import CheckLine

_CHAT_COMMAND: Final = re.compile(r"`/(?=[a-z])")


class Terminal:
    """Two consoles: `answers`, and `notes` for progress and problems. Progress is shown only in a real terminal."""

    def __init__(self, answers: Console, notes: Console) -> None:
        self.answers = answers
        self.notes = notes

    def say(self, text: Msg | CliMsg, **values: object) -> None:
        """Print one sentence as an answer."""
        self.answers.print(Line(translate(text, **values)), soft_wrap=True)

    def complain(self, sentence: str) -> None:
        """Print one sentence about a problem."""
        self.notes.print(Line(sentence, style="yellow"), soft_wrap=True)

    async def show(self, replies: r.Replies) -> bool:
        """Print all replies as they come. Returns False if one of them reports a failure."""
        ok = True
        with ProgressBars(self) as bars:
            async with aclosing(replies):
                async for reply in replies:
                    if isinstance(reply, r.TrainingProgress | r.CrawlProgress) and not reply.is_final:
                        reply = reply.as_link_progress
                    if isinstance(reply, r.LinkProgress):
                        bars.update(reply)
                    else:
                        ended = (
                            reply.as_link_progress if isinstance(reply, r.TrainingProgress | r.CrawlProgress) else reply
                        )
                        bars.remove(getattr(ended, "link", ""))
                        self.answers.print(render_reply(reply))
                        ok = ok and r.is_success(reply)
        return ok


class ProgressBars:
    """A progress bar for each link in progress. All disappear at the end of the block."""

    def __init__(self, terminal: Terminal) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.fields[stage]}", style="dim"),
            console=terminal.notes,
            transient=True,
            disable=not terminal.notes.is_terminal,
            # Bars and answers share a screen only if both go to the terminal.
            redirect_stdout=terminal.answers.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "ProgressBars":
        return self

    def __exit__(self, *_: object) -> None:
        if self._tasks:
            self._progress.stop()

    def update(self, reply: r.LinkProgress) -> None:
        """Show the progress of a link."""
        if not self._tasks:
            self._progress.start()
        if reply.link not in self._tasks:
            name = Line(unquote(reply.link.rstrip("/").rsplit("/", 1)[-1])[-32:]).markup
            self._tasks[reply.link] = self._progress.add_task(name, total=1, stage=reply.stage)
        self._progress.update(self._tasks[reply.link], completed=reply.done, stage=reply.stage)

    def remove(self, link: str) -> None:
        """Hide the bar of a link that has its outcome."""
        if link in self._tasks:
            self._progress.update(self._tasks[link], visible=False)


async def locate_pictures(replies: r.Replies, blobs_address: str) -> r.Replies:
    """Yield the replies with the whole address of each picture of training curves in place of its key."""
    async with aclosing(replies):
        async for reply in replies:
            if isinstance(reply, r.TrainingProgress) and reply.picture:
                reply = replace(reply, picture=f"{blobs_address}/{reply.picture}")
            yield reply


async def name_commands(replies: r.Replies, option: str) -> r.Replies:
    """Yield the replies with commands as a shell takes them: in sentences, and in place of a question's button."""
    async with aclosing(replies):
        async for reply in replies:
            if isinstance(reply, r.Confirmation):
                words = " ".join(map(str, reply.args.values()))
                reply = r.TextReply(f"{reply.text}\nreelseek {reply.command} {words}{option}")
            elif isinstance(reply, r.TextReply | r.TrainingProgress):
                reply = replace(reply, text=_CHAT_COMMAND.sub("`reelseek ", reply.text))
            yield reply


async def mention_weaker(replies: r.Replies) -> r.Replies:
    """Yield the replies of a search, and at the end a sentence if weaker matches would follow."""
    reply: r.Reply | None = None
    async with aclosing(replies):
        async for reply in replies:
            yield reply
    if isinstance(reply, r.Results) and reply.weaker_follow:
        yield r.TextReply(translate(CliMsg.WEAKER_LEFT_OUT))


def render_reply(reply: r.Reply) -> RenderableType:
    """Return a reply as rich prints it."""
    match reply:
        case r.TextReply() | r.LinkOutcome():
            return _render_sentence(reply)
        case r.Results():
            return _render_results(reply)
        case r.LibraryPage():
            return _render_library(reply)
        case r.Removed():
            return Line(reply.text)
        case r.TrainingProgress():
            curves = translate(CliMsg.CURVES, file=reply.picture) if reply.picture else None
            return Line("\n".join(filter(None, (reply.text, curves))))
        case r.Confirmation():
            words = " ".join(map(str, reply.args.values()))
            return Line(f"{reply.text}\n/{reply.command} {words}")
        case r.CrawlProgress():
            return Group(Line(reply.text), *map(_render_sentence, reply.failures))
        case r.FollowedPage():
            return _render_followed(reply)
        case Answer():
            return _render_answer(reply)
        case TopicsPage():
            return _render_topics(reply)
        case r.Help():
            return _render_help(reply)
        case r.SettingsView():
            return _render_settings(reply)
        case r.LinkProgress():
            return Line(f"{reply.link}  {reply.stage}")
        case r.IndexingProgress() | r.Shared():
            raise TypeError(f"not a reply for a terminal: {reply}")


def render_checks(checks: Sequence["CheckLine"]) -> RenderableType:
    """Return the findings of the doctor as a table."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        mark = Line("✓", style="green") if check.is_ok else Line("✗", style="red")
        detail = Line(check.detail)
        if not check.is_ok and check.advice:
            detail.append(f"\n{check.advice}", style="yellow")
        table.add_row(mark, Line(check.name, style="bold"), detail)
    return table


def _render_sentence(reply: r.TextReply | r.LinkOutcome) -> Line:
    line = Line(reply.text, style="" if reply.ok else "yellow")
    if isinstance(reply, r.LinkOutcome):
        about = format_count(reply.moments, Msg.MOMENTS_ONE, Msg.MOMENTS) if reply.ok else reply.link
        line.append(f"  {about}", style="dim")
    if reply.correlation_id:
        line.append(f"  {translate(Msg.REFERENCE, correlation_id=reply.correlation_id)}", style="dim")
    return line


def _render_results(results: r.Results) -> RenderableType:
    if not results.cards:
        return Line(translate(Msg.NO_HITS_INSIDE if results.search.in_link else Msg.NO_HITS))
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim")
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(overflow="fold")
    for number, card in enumerate(results.cards, results.search.offset + 1):
        about = [card.length, card.match, *card.why]
        if card.more:
            about.append(translate(Msg.MORE_INSIDE, count=card.more))
        cell = Group(
            Line(card.title, style="bold"),
            Line(" · ".join(filter(None, about)), style="dim"),
            Line(card.note, style="yellow") if card.note else Line(card.moment_link, style="blue"),
        )
        table.add_row(str(number), card.time, cell)
    shown = Group(Line(translate(Msg.WEAK), style="yellow"), table) if results.weak else table
    return Padding(shown, (0, 0, 1, 0))


def _render_library(page: r.LibraryPage) -> RenderableType:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(translate(CliMsg.COLUMN_TITLE), overflow="fold")
    table.add_column(translate(CliMsg.COLUMN_MOMENTS), justify="right", overflow="fold")
    table.add_column(translate(CliMsg.COLUMN_LENGTH), justify="right", overflow="fold")
    table.add_column(translate(CliMsg.COLUMN_STATE), overflow="fold")
    table.add_column(translate(CliMsg.COLUMN_LINK), overflow="fold", style="blue")
    for entry in page.entries:
        state = Line(entry.state, style="yellow" if entry.problem else "")
        table.add_row(Line(entry.title), str(entry.moments), entry.length, state, Line(entry.link))
    shown, total = len(page.entries), format_count(page.total, Msg.VIDEOS_ONE, Msg.VIDEOS)
    footer = total if shown == page.total else translate(Msg.SOME_OF, shown=shown, total=total)
    return Group(table, Line(footer, style="dim"))


def _render_followed(page: r.FollowedPage) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for link, about, problem in page.items:
        table.add_row(Line(link, style="blue"), Line(about), Line(problem or "", style="yellow"))
    return Group(Line(page.title), table)


def _render_answer(answer: Answer) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for number, source in enumerate(answer.sources, 1):
        table.add_row(f"[{number}]", Line(f"{source.title}, {source.time}"), Line(source.link, style="blue"))
    note = [Line(answer.note, style="dim")] if answer.note else []
    return Group(Line(answer.text), table, *note)


def _render_topics(page: TopicsPage) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim")
    for number, item in enumerate(page.items, 1):
        table.add_row(str(number), Line(item.name, style="bold"), Line(item.about, style="dim"))
    return Group(Line(page.title), table)


def _render_settings(view: r.SettingsView) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for line in view.lines:
        table.add_row(
            Line(line.name, style="cyan"), Line(line.value or "–", style="bold"), Line(line.description, style="dim")
        )
    return Group(Line(view.text), table) if view.text else table


def _render_help(reply: r.Help) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for line in reply.lines:
        table.add_row(Line(f"/{line.name}", style="cyan"), Line(line.usage, style="dim"), Line(line.help))
    return table
