"""Replies as Discord's messages, within what Discord takes."""

import io
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import discord
from discord import ui

from bots.commands.replies import (
    Card,
    Confirmation,
    Help,
    IndexingProgress,
    LibraryItem,
    LibraryPage,
    LinkOutcome,
    LinkProgress,
    Removed,
    Reply,
    Results,
    SettingsView,
    Shared,
    TextReply,
    TrainingProgress,
)
from bots.discord.buttons import Channels, CommandButton, ResultButton, SettingSelect
from bots.i18n.messages import Msg
from bots.i18n.translate import count, translate

Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]
"""A picture by its key in the blob store. Raises `KeyError`."""
View: TypeAlias = ui.LayoutView

MAX_CARDS: Final = 4
"""A message holds 40 components; a card takes nine of them."""
MAX_TEXT_CHARS: Final = 4000
"""In all texts of one message together."""
MAX_CONTENT_CHARS: Final = 2000
SHORT_CHARS: Final = 120
MAX_LINK_CHARS: Final = 300
"""A longer link would crowd out the other cards; sharing shows it still, where a message takes it."""
BAR_PARTS: Final = 12

_MARKS: Final = re.compile(r"([\\*_~`|>\[\]()#+\-.!<@:/=])")


@dataclass(frozen=True)
class Drawing:
    """One message: its components and the files that they show."""

    view: View
    files: tuple[discord.File, ...] = ()


def plain(text: str, chars: int = SHORT_CHARS) -> str:
    """Somebody else's text, shortened, that looks as it was written: no markup, no mention, no link."""
    short = text if len(text) <= chars else f"{text[: chars - 1]}…"
    return discord.utils.escape_mentions(_MARKS.sub(r"\\\1", short))


async def draw(reply: Reply, fetch: Fetch) -> Drawing:
    """A reply as one message of components."""
    match reply:
        case Results():
            return await _results(reply, fetch)
        case TrainingProgress():
            return await _lesson(reply, fetch)
        case Confirmation():
            button = CommandButton.of(reply.command, reply.args, reply.button)
            return Drawing(_view(ui.TextDisplay(reply.text), ui.ActionRow(button)))
        case SettingsView():
            return Drawing(_options(reply))
        case _:
            return Drawing(_view(ui.TextDisplay(text(reply))))


def text(reply: Reply) -> str:
    """A reply that is nothing but text."""
    match reply:
        case TextReply():
            return sentence(reply)
        case Removed():
            return reply.text
        case IndexingProgress():
            return _fitting([_line(line) for line in reply.lines], "\n")
        case LinkProgress() | LinkOutcome():
            return _line(reply)
        case LibraryPage():
            return _shelf(reply)
        case Help():
            return _fitting([f"**/{name}** {plain(args)}\n{help}" for name, args, help in reply.lines], "\n")
    raise TypeError(f"{type(reply).__name__} is more than a text")


def sentence(reply: TextReply | LinkOutcome) -> str:
    mark = "" if reply.ok else "⚠️ "
    reference = f"\n-# {translate(Msg.REFERENCE, incident=reply.correlation_id)}" if reply.correlation_id else ""
    return f"{mark}{reply.text}{reference}"


def shared(reply: Shared) -> str:
    """Plain content: only that gets the platform's own player, from the link on its own line.

    A link longer than a message is left out, as it is of cards.
    """
    card = reply.card
    who = translate(Msg.SHARED, who=f"<@{reply.by}>", query=plain(reply.query))
    about = f"{who}\n**{plain(card.title)}** · {card.time} · {plain(card.added)}"
    whole = f"{about}\n{card.moment_link}"
    return whole if len(whole) <= MAX_CONTENT_CHARS else about


# ---- cards ----


async def _results(reply: Results, fetch: Fetch) -> Drawing:
    if not reply.cards:
        return Drawing(_view(ui.TextDisplay(translate(Msg.NO_HITS_INSIDE if reply.search.in_link else Msg.NO_HITS))))
    cards = reply.cards[:MAX_CARDS]
    pictures = [await _picture(card.thumbnail, f"{number}.jpg", card.title, fetch) for number, card in enumerate(cards)]
    parts: list[ui.Item[Any]] = [ui.TextDisplay(_header(reply))]
    for number, (card, picture) in enumerate(zip(cards, pictures, strict=True)):
        parts += [_card(card, picture), _row(reply.token, number)]
    if pager := _pager(reply):
        parts.append(ui.ActionRow(*pager))
    return Drawing(_view(*parts), tuple(picture for picture in pictures if picture))


def _header(reply: Results) -> str:
    search = reply.search
    title = translate(Msg.FOUND_LIKE if search.picture else Msg.FOUND_SIMILAR)
    if search.queries:
        title = translate(Msg.FOUND, query=plain(", ".join(search.queries)))
    return f"### {title}\n{translate(Msg.WEAK)}" if reply.weak else f"### {title}"


def _card(card: Card, picture: discord.File | None) -> ui.Item[Any]:
    jump = f"[▶ {card.time}](<{card.moment_link}>)" if len(card.moment_link) <= MAX_LINK_CHARS else card.time
    facts = [jump, card.length, plain(card.added, 60), translate(Msg.MORE_INSIDE, count=card.more) if card.more else ""]
    why = plain(" · ".join(card.why))
    written: ui.TextDisplay[Any] = ui.TextDisplay(
        f"**{plain(card.title, 100)}**\n{' · '.join(filter(None, facts))}\n-# {why}"
    )
    if picture is None:
        return written
    alt = f"{card.title}, {card.time}"[:1024]
    return ui.Section(written, accessory=ui.Thumbnail(picture, description=alt))


def _row(token: str, number: int) -> ui.ActionRow[Any]:
    return ui.ActionRow(
        ResultButton.of(token, "up", number, emoji="👍", label=translate(Msg.GOOD)),
        ResultButton.of(token, "down", number, emoji="👎", label=translate(Msg.BAD)),
        ResultButton.of(token, "like", number, label=translate(Msg.MORE_LIKE_THIS)),
        ResultButton.of(token, "inside", number, label=translate(Msg.SEARCH_INSIDE)),
        ResultButton.of(token, "share", number, label=translate(Msg.SHARE), style=discord.ButtonStyle.primary),
    )


def _pager(reply: Results) -> list[ResultButton]:
    pager = []
    if reply.search.before:
        pager.append(ResultButton.of(reply.token, "previous", emoji="◀️", label=translate(Msg.PREVIOUS)))
    if reply.next:
        pager.append(ResultButton.of(reply.token, "next", emoji="▶️", label=translate(Msg.NEXT)))
    return pager


# ---- the others ----


async def _lesson(reply: TrainingProgress, fetch: Fetch) -> Drawing:
    written = reply.text if reply.over else f"{reply.text}\n{bar(reply.done)}"
    name = f"curves.{(reply.picture or '').rpartition('.')[2]}"
    picture = await _picture(reply.picture, name, reply.text, fetch)
    if picture is None:
        return Drawing(_view(ui.TextDisplay(written)))
    gallery: ui.MediaGallery[Any] = ui.MediaGallery(discord.MediaGalleryItem(picture, description=reply.text[:1024]))
    return Drawing(_view(ui.TextDisplay(written), gallery), (picture,))


def _options(reply: SettingsView) -> View:
    parts: list[ui.Item[Any]] = [ui.TextDisplay(reply.text)] if reply.text else []
    for name, meaning, value, choices in reply.lines:
        parts.append(ui.TextDisplay(f"**{name}** · {meaning}"))
        parts.append(
            ui.ActionRow(SettingSelect.of(name, choices, value) if choices else Channels.of(name, tuple(value.split())))
        )
    return _view(*parts)


def _shelf(reply: LibraryPage) -> str:
    total = count(reply.total, Msg.VIDEOS_ONE, Msg.VIDEOS)
    return _fitting([f"### {total}", *map(_entry, reply.entries)], "\n")


def _entry(entry: LibraryItem) -> str:
    facts = [entry.state, entry.length, plain(entry.added), entry.problem or ""]
    title = plain(entry.title, 100)
    shown = f"[{title}](<{entry.link}>)" if len(entry.link) <= MAX_LINK_CHARS else title
    return f"{shown}\n-# {' · '.join(filter(None, facts))}"


def _line(line: LinkProgress | LinkOutcome) -> str:
    if isinstance(line, LinkProgress):
        return f"{bar(line.done)} {line.stage} · {plain(line.link, 80)}"
    if not line.ok:
        return f"{sentence(line)}\n-# {plain(line.link, 80)}"
    return f"✅ {plain(line.text, 400)}"


def bar(done: float) -> str:
    full = round(max(0.0, min(1.0, done)) * BAR_PARTS)
    return "▰" * full + "▱" * (BAR_PARTS - full)


def _fitting(lines: Sequence[str], glue: str, chars: int = MAX_TEXT_CHARS) -> str:
    """As many lines as one message takes, and that there are more."""
    kept: list[str] = []
    for line in lines:
        if sum(map(len, kept)) + len(kept) * len(glue) + len(line) > chars - 2:
            return glue.join([*kept, "…"])
        kept.append(line)
    return glue.join(kept)


def _view(*parts: ui.Item[Any]) -> View:
    view = ui.LayoutView(timeout=None)
    for part in parts:
        view.add_item(part)
    return view


async def _picture(key: str | None, name: str, alt: str, fetch: Fetch) -> discord.File | None:
    if key is None:
        return None
    try:
        return discord.File(io.BytesIO(await fetch(key)), name, description=alt[:1024])
    except KeyError:
        return None
