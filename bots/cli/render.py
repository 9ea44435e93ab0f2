"""Draws replies in a terminal: answers on one console, progress on another, so that answers can be piped."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING
from urllib.parse import unquote

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text as Line

from bots.commands import replies as r
from bots.i18n.messages import Msg
from bots.i18n.translate import count, translate

if TYPE_CHECKING:
    from worker.ops.doctor import DoctorCheck


class Terminal:
    """`notes` gets progress; where it is no terminal, none is drawn."""

    def __init__(self, answers: Console, notes: Console) -> None:
        self.answers = answers
        self.notes = notes

    def say(self, text: Msg, **values: object) -> None:
        """One sentence among the answers."""
        self.answers.print(Line(translate(text, **values)), soft_wrap=True)

    def complain(self, sentence: str) -> None:
        """One sentence of what went wrong."""
        self.notes.print(Line(sentence, style="yellow"), soft_wrap=True)

    async def show(self, replies: r.Replies) -> bool:
        """Draws all replies as they come. False: one of them told of a failure."""
        ok = True
        with Bars(self) as bars:
            async with aclosing(replies):
                async for reply in replies:
                    if isinstance(reply, r.TrainingProgress) and not reply.over:
                        reply = reply.progress
                    if isinstance(reply, r.LinkProgress):
                        bars.update(reply)
                    else:
                        bars.end(getattr(reply, "link", "retrain"))
                        self.answers.print(drawn(reply))
                        ok = ok and r.succeeded(reply)
        return ok


class Bars:
    """One progress bar for each link in work, gone when all is done."""

    def __init__(self, terminal: Terminal) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.fields[stage]}", style="dim"),
            console=terminal.notes,
            transient=True,
            disable=not terminal.notes.is_terminal,
            # Bars and answers share one screen only where both go to it.
            redirect_stdout=terminal.answers.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        return self

    def __exit__(self, *_: object) -> None:
        if self._tasks:
            self._progress.stop()

    def update(self, reply: r.LinkProgress) -> None:
        if not self._tasks:
            self._progress.start()
        if reply.link not in self._tasks:
            name = Line(unquote(reply.link.rstrip("/").rsplit("/", 1)[-1])[-32:]).markup
            self._tasks[reply.link] = self._progress.add_task(name, total=1, stage=reply.stage)
        self._progress.update(self._tasks[reply.link], completed=reply.done, stage=reply.stage)

    def end(self, link: str) -> None:
        """Takes away the bar of a link that has its outcome."""
        if link in self._tasks:
            self._progress.update(self._tasks[link], visible=False)


def drawn(reply: r.Reply) -> RenderableType:
    """One reply as rich draws it."""
    match reply:
        case r.TextReply() | r.LinkOutcome():
            return _told(reply)
        case r.Results():
            return _results(reply)
        case r.LibraryPage():
            return _shelf(reply)
        case r.Removed() | r.TrainingProgress():
            return Line(reply.text)
        case r.Confirmation():
            words = " ".join(map(str, reply.args.values()))
            return Line(f"{reply.text}\n/{reply.command} {words}")
        case r.Help():
            return _guide(reply)
        case r.SettingsView():
            return _options(reply)
        case r.LinkProgress():
            return Line(f"{reply.link}  {reply.stage}")
        case r.IndexingProgress() | r.Shared():
            raise TypeError(f"a terminal is never told this: {reply}")


def checked(checks: Sequence["DoctorCheck"]) -> RenderableType:
    """What the doctor found."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        mark = Line("✓", style="green") if check.ok else Line("✗", style="red")
        found = Line(check.detail)
        if not check.ok:
            found.append(f"\n{check.mend}", style="yellow")
        table.add_row(mark, Line(check.name, style="bold"), found)
    return table


def _told(reply: r.TextReply | r.LinkOutcome) -> Line:
    line = Line(reply.text, style="" if reply.ok else "yellow")
    if isinstance(reply, r.LinkOutcome):
        line.append(
            f"  {count(reply.moments, Msg.MOMENTS_ONE, Msg.MOMENTS)}" if reply.ok else f"  {reply.link}", style="dim"
        )
    if reply.correlation_id:
        line.append(f"  {translate(Msg.REFERENCE, incident=reply.correlation_id)}", style="dim")
    return line


def _results(results: r.Results) -> RenderableType:
    if not results.cards:
        return Line(translate(Msg.NO_HITS_INSIDE if results.search.in_link else Msg.NO_HITS))
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim")
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(overflow="fold")
    for number, card in enumerate(results.cards, results.search.offset + 1):
        about = [card.length, *card.why]
        if card.more:
            about.append(translate(Msg.MORE_INSIDE, count=card.more))
        cell = Group(
            Line(card.title, style="bold"),
            Line(" · ".join(part for part in about if part), style="dim"),
            Line(card.moment_link, style="blue"),
        )
        table.add_row(str(number), card.time, cell)
    shown = Group(Line(translate(Msg.WEAK), style="yellow"), table) if results.weak else table
    return Padding(shown, (0, 0, 1, 0))


def _shelf(shelf: r.LibraryPage) -> RenderableType:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("Title", "Moments", "Length", "State"):
        table.add_column(name, justify="right" if name in {"Moments", "Length"} else "left", overflow="fold")
    table.add_column("Link", overflow="fold", style="blue")
    for entry in shelf.entries:
        state = Line(entry.state, style="yellow" if entry.problem else "")
        table.add_row(Line(entry.title), str(entry.moments), entry.length, state, Line(entry.link))
    total = count(shelf.total, Msg.VIDEOS_ONE, Msg.VIDEOS)
    shown = len(shelf.entries)
    return Group(
        table, Line(total if shown == shelf.total else translate(Msg.SOME_OF, shown=shown, total=total), style="dim")
    )


def _options(options: r.SettingsView) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for name, text, value, _ in options.lines:
        table.add_row(Line(name, style="cyan"), Line(value or "–", style="bold"), Line(text, style="dim"))
    return Group(Line(options.text), table) if options.text else table


def _guide(guide: r.Help) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for name, arguments, help_ in guide.lines:
        table.add_row(Line(f"/{name}", style="cyan"), Line(arguments, style="dim"), Line(help_))
    return table
