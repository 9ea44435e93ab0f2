"""Replies as Discord messages, within Discord's limits."""

import io
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import discord
from discord import ui

from bots.commands.findings import Answer, AnswerSource, TopicItem, TopicsPage
from bots.commands.replies import (
    Card,
    Confirmation,
    CrawlProgress,
    FollowedItem,
    FollowedPage,
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
    format_origin,
)
from bots.discord.buttons import ChannelSelect, CommandButton, ResultButton, SettingSelect
from bots.i18n.messages import Msg
from bots.i18n.translate import format_count, translate

LoadPicture: TypeAlias = Callable[[str], Awaitable[bytes]]
"""Returns a picture by its key in the blob store. Raises `KeyError`."""

MAX_CARDS: Final = 3
"""A message can have 40 components; a card takes twelve of them."""
MAX_TEXT_CHARS: Final = 4000
"""The limit for all texts of one message together."""
MAX_ANSWER_CHARS: Final = 1500
MAX_FILES: Final = 10
"""Pictures that a message can carry."""
BUTTONS_PER_ROW: Final = 5
MAX_LABEL_CHARS: Final = 80
MAX_CONTENT_CHARS: Final = 2000
MAX_FIELD_CHARS: Final = 120
"""The usual length of a text that a user or a website wrote."""
MAX_LINK_CHARS: Final = 300
"""A longer link would leave no room for other cards. Sharing still shows it, if it fits into a message."""
BAR_CHARS: Final = 12

_MARKUP: Final = re.compile(r"([\\*_~`|>\[\]()#+\-.!<@:/=])")


@dataclass(frozen=True)
class RenderedMessage:
    """The components of one message, and the files that they show."""

    view: ui.LayoutView
    files: tuple[discord.File, ...] = ()


def escape(text: str, max_chars: int = MAX_FIELD_CHARS) -> str:
    """Shorten and escape a text that a user or a website wrote, so that it can neither format, link nor mention."""
    short = text if len(text) <= max_chars else f"{text[: max_chars - 1]}…"
    return discord.utils.escape_mentions(_MARKUP.sub(r"\\\1", short))


async def render(reply: Reply, load_picture: LoadPicture) -> RenderedMessage:
    """Render any reply but `Shared` as one message of components."""
    match reply:
        case Results():
            return await _render_results(reply, load_picture)
        case TrainingProgress():
            return await _render_training(reply, load_picture)
        case Confirmation():
            button = CommandButton.make(reply.command, reply.args, reply.button)
            return RenderedMessage(_make_view(ui.TextDisplay(reply.text), ui.ActionRow(button)))
        case CrawlProgress():
            return RenderedMessage(_render_crawl(reply))
        case SettingsView():
            return RenderedMessage(_render_settings(reply))
        case TopicsPage():
            return await _render_topics(reply, load_picture)
        case _:
            return RenderedMessage(_make_view(ui.TextDisplay(render_text(reply))))


def render_text(reply: Reply) -> str:
    """Render a reply that has neither buttons nor pictures. Raises `TypeError` for the others."""
    match reply:
        case TextReply():
            return render_sentence(reply)
        case Removed():
            return reply.text
        case IndexingProgress():
            return _join_within_limit([_render_link(line) for line in reply.lines])
        case LinkProgress() | LinkOutcome():
            return _render_link(reply)
        case Answer():
            return _render_answer(reply)
        case LibraryPage():
            return _render_library(reply)
        case FollowedPage():
            return _join_within_limit([reply.title, *map(_render_followed, reply.items)])
        case Help():
            return _join_within_limit([f"**/{name}** {escape(usage)}\n{help}" for name, usage, help in reply.lines])
    raise TypeError(f"{type(reply).__name__} has more than text")


def render_sentence(reply: TextReply | LinkOutcome) -> str:
    """Render a sentence, with a warning sign and the correlation id if it reports a failure."""
    mark = "" if reply.ok else "⚠️ "
    reference = f"\n-# {translate(Msg.REFERENCE, correlation_id=reply.correlation_id)}" if reply.correlation_id else ""
    return f"{mark}{reply.text}{reference}"


def render_shared(reply: Shared) -> str:
    """Render a shared card as plain content with the link on a line of its own, so that Discord embeds its player.

    A link that does not fit into a message is left out, as it is in cards.
    """
    card = reply.card
    introduction = translate(Msg.SHARED, who=f"<@{reply.by}>", query=escape(reply.query))
    about = f"{introduction}\n**{escape(card.title)}** · {card.time} · {_render_origin(card)}"
    complete = f"{about}\n{card.moment_link}"
    return complete if len(complete) <= MAX_CONTENT_CHARS else about


# ---- cards ----


async def _render_results(reply: Results, load_picture: LoadPicture) -> RenderedMessage:
    if not reply.cards:
        return RenderedMessage(
            _make_view(ui.TextDisplay(translate(Msg.NO_HITS_INSIDE if reply.search.in_link else Msg.NO_HITS)))
        )
    cards = reply.cards[:MAX_CARDS]
    pictures = [
        await _load_file(card.thumbnail, f"{number}.jpg", card.alt_text, load_picture)
        for number, card in enumerate(cards)
    ]
    components: list[ui.Item[Any]] = [ui.TextDisplay(_render_header(reply))]
    for number, (card, picture) in enumerate(zip(cards, pictures, strict=True)):
        components += [_render_card(card, picture), *_render_card_buttons(reply, number)]
    if buttons := _render_page_buttons(reply):
        components.append(ui.ActionRow(*buttons))
    return RenderedMessage(_make_view(*components), tuple(picture for picture in pictures if picture))


def _render_header(reply: Results) -> str:
    queries = ", ".join(reply.search.queries)
    title = translate(Msg.FOUND, query=escape(queries)) if queries else reply.search.title
    return f"### {title}\n{translate(Msg.WEAK)}" if reply.weak else f"### {title}"


def _render_card(card: Card, picture: discord.File | None) -> ui.Item[Any]:
    jump = f"[▶ {card.time}](<{card.moment_link}>)" if len(card.moment_link) <= MAX_LINK_CHARS else card.time
    facts = [
        jump,
        card.length,
        _render_origin(card),
        translate(Msg.MORE_INSIDE, count=card.more) if card.more else "",
    ]
    why = escape(" · ".join((card.match, *card.why)))
    text: ui.TextDisplay[Any] = ui.TextDisplay(
        f"**{escape(card.title, 100)}**\n{' · '.join(filter(None, facts))}\n-# {why}"
    )
    if picture is None:
        return text
    return ui.Section(text, accessory=ui.Thumbnail(picture, description=card.alt_text[:1024]))


def _render_origin(shown: Card | LibraryItem) -> str:
    """Return who added a video and when. Discord shows each reader the day in their own time zone and language."""
    day = f"<t:{int(datetime.fromisoformat(shown.submitted_at).timestamp())}:D>" if shown.submitted_at else ""
    return format_origin(escape(shown.submitter, 60), day)


def _render_card_buttons(reply: Results, number: int) -> tuple[ui.ActionRow[Any], ui.ActionRow[Any]]:
    """Return two rows, because one takes five buttons."""
    token = reply.token
    judge: ui.ActionRow[Any] = ui.ActionRow(
        ResultButton.make(token, "up", number, emoji="👍", label=translate(Msg.GOOD)),
        ResultButton.make(token, "down", number, emoji="👎", label=translate(Msg.BAD)),
        ResultButton.make(token, "share", number, label=translate(Msg.SHARE), style=discord.ButtonStyle.primary),
    )
    search_on: ui.ActionRow[Any] = ui.ActionRow(
        ResultButton.make(token, "like", number, label=translate(Msg.MORE_LIKE_THIS)),
        ResultButton.make(token, "unlike", number, label=translate(Msg.LESS_LIKE_THIS)),
        ResultButton.make(token, "inside", number, label=translate(Msg.SEARCH_INSIDE)),
    )
    if reply.can_describe:
        search_on.add_item(ResultButton.make(token, "describe", number, label=translate(Msg.WHAT_HAPPENS)))
    return judge, search_on


def _render_page_buttons(reply: Results) -> list[ResultButton]:
    buttons = []
    if reply.search.previous:
        buttons.append(ResultButton.make(reply.token, "previous", emoji="◀️", label=translate(Msg.PREVIOUS)))
    if reply.next:
        label = translate(Msg.SHOW_WEAKER if reply.weaker_follow else Msg.NEXT)
        buttons.append(ResultButton.make(reply.token, "next", emoji="▶️", label=label))
    return buttons


# ---- topics ----


async def _render_topics(reply: TopicsPage, load_picture: LoadPicture) -> RenderedMessage:
    """Render topics in rows: up to five pictures side by side, and below each row its buttons."""
    components: list[ui.Item[Any]] = [ui.TextDisplay(f"### {reply.title}")]
    files: list[discord.File] = []
    for start in range(0, len(reply.items), BUTTONS_PER_ROW):
        row = reply.items[start : start + BUTTONS_PER_ROW]
        shown = row if start < MAX_FILES else ()
        loaded = [
            await _load_file(item.thumbnail, f"{start + number}.jpg", _describe_topic(item), load_picture)
            for number, item in enumerate(shown)
        ]
        if pictures := [picture for picture in loaded if picture]:
            gallery = [discord.MediaGalleryItem(picture, description=picture.description) for picture in pictures]
            components.append(ui.MediaGallery(*gallery))
            files += pictures
        components.append(ui.ActionRow(*map(_make_topic_button, row)))
    return RenderedMessage(_make_view(*components), tuple(files))


def _make_topic_button(item: TopicItem) -> CommandButton:
    label = f"{item.name} ({item.topic.moments})"[:MAX_LABEL_CHARS]
    return CommandButton.make("topics", {"topic": item.topic.moment_id}, label)


def _describe_topic(item: TopicItem) -> str:
    return f"{item.name}, {item.about}"


# ---- other replies ----


async def _render_training(reply: TrainingProgress, load_picture: LoadPicture) -> RenderedMessage:
    text = reply.text if reply.is_final else f"{reply.text}\n{render_bar(reply.done)}"
    name = f"curves.{(reply.picture or '').rpartition('.')[2]}"
    picture = await _load_file(reply.picture, name, reply.text, load_picture)
    if picture is None:
        return RenderedMessage(_make_view(ui.TextDisplay(text)))
    gallery: ui.MediaGallery[Any] = ui.MediaGallery(discord.MediaGalleryItem(picture, description=reply.text[:1024]))
    return RenderedMessage(_make_view(ui.TextDisplay(text), gallery), (picture,))


def _render_crawl(reply: CrawlProgress) -> ui.LayoutView:
    bar = [] if reply.is_final else [render_bar(reply.done)]
    text: ui.TextDisplay[Any] = ui.TextDisplay(
        _join_within_limit([reply.text, *bar, *map(_render_link, reply.failures)])
    )
    if reply.button is None:
        return _make_view(text)
    button = CommandButton.make(reply.button.command, reply.button.args, reply.button.label)
    return _make_view(text, ui.ActionRow(button))


def _render_followed(item: FollowedItem) -> str:
    return f"{escape(item.link)}\n-# {' · '.join(filter(None, [escape(item.about), item.problem]))}"


def _render_settings(reply: SettingsView) -> ui.LayoutView:
    components: list[ui.Item[Any]] = [ui.TextDisplay(reply.text)] if reply.text else []
    for name, description, value, choices in reply.lines:
        components.append(ui.TextDisplay(f"**{name}** · {description}"))
        components.append(
            ui.ActionRow(
                SettingSelect.make(name, choices, value) if choices else ChannelSelect.make(name, tuple(value.split()))
            )
        )
    return _make_view(*components)


def _render_answer(reply: Answer) -> str:
    """Render an answer. A model wrote its text, so it is escaped."""
    sources = [
        f"-# [{number}] {_render_source(source)}" if len(reply.sources) > 1 else f"-# {_render_source(source)}"
        for number, source in enumerate(reply.sources, 1)
    ]
    note = [f"-# {reply.note}"] if reply.note else []
    return _join_within_limit([escape(reply.text, MAX_ANSWER_CHARS), *sources, *note])


def _render_source(source: AnswerSource) -> str:
    title = escape(f"{source.title}, {source.time}", 100)
    return f"[{title}](<{source.link}>)" if len(source.link) <= MAX_LINK_CHARS else title


def _render_library(reply: LibraryPage) -> str:
    total = format_count(reply.total, Msg.VIDEOS_ONE, Msg.VIDEOS)
    return _join_within_limit([f"### {total}", *map(_render_item, reply.entries)])


def _render_item(item: LibraryItem) -> str:
    facts = [item.state, item.length, _render_origin(item), item.problem]
    title = escape(item.title, 100)
    name = f"[{title}](<{item.link}>)" if len(item.link) <= MAX_LINK_CHARS else title
    return f"{name}\n-# {' · '.join(filter(None, facts))}"


def _render_link(line: LinkProgress | LinkOutcome) -> str:
    if isinstance(line, LinkProgress):
        return f"{render_bar(line.done)} {line.stage} · {escape(line.link, 80)}"
    if not line.ok:
        return f"{render_sentence(line)}\n-# {escape(line.link, 80)}"
    return f"✅ {escape(line.text, 400)}"


def render_bar(done: float) -> str:
    """Render a progress bar; `done` is a share from 0 to 1."""
    full = round(max(0.0, min(1.0, done)) * BAR_CHARS)
    return "▰" * full + "▱" * (BAR_CHARS - full)


def _join_within_limit(lines: Sequence[str]) -> str:
    """Join as many lines as fit into one message. An ellipsis replaces the others."""
    kept: list[str] = []
    for line in lines:
        if sum(map(len, kept)) + len(kept) + len(line) > MAX_TEXT_CHARS - 2:
            return "\n".join([*kept, "…"])
        kept.append(line)
    return "\n".join(kept)


def _make_view(*components: ui.Item[Any]) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    for component in components:
        view.add_item(component)
    return view


async def _load_file(key: str | None, name: str, alt: str, load_picture: LoadPicture) -> discord.File | None:
    """Load a picture as a file to upload. Returns None without a picture."""
    if key is None:
        return None
    try:
        return discord.File(io.BytesIO(await load_picture(key)), name, description=alt[:1024])
    except KeyError:
        return None
