"""Replies as Slack messages."""

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final, TypeAlias

from bots.commands.findings import Answer, TopicItem, TopicsPage
from bots.commands.replies import (
    Card,
    Confirmation,
    CrawlProgress,
    FollowedItem,
    FollowedPage,
    Help,
    HelpLine,
    IndexingProgress,
    LibraryItem,
    LibraryPage,
    LinkOutcome,
    LinkProgress,
    Removed,
    Reply,
    ReplyButton,
    Results,
    SettingLine,
    SettingsView,
    Shared,
    TextReply,
    TrainingProgress,
    format_origin,
)
from bots.commands.search import ResultAction
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.slack import blocks
from bots.slack.blocks import Block, SlackMessage

COMMAND: Final = "/reel"
PRESS: Final = "rs"
CONFIRM: Final = "confirm"
OPEN: Final = "open"
BAR_CHARS: Final = 10
MAX_LINES: Final = 40
"""Lines of a message. With everything else they stay within the blocks that Slack accepts."""

FileIds: TypeAlias = Mapping[str, str]
"""Ids of Slack's files, by the keys of the pictures in the blob store."""


def render(reply: Reply, file_ids: FileIds) -> SlackMessage:
    """Render any reply but `Shared` (`render_shared`), with those of its pictures that are uploaded."""
    match reply:
        case TextReply():
            return _render_text(_add_reference(reply.text, reply.correlation_id), reply.ok)
        case Removed():
            return _render_text(reply.text)
        case IndexingProgress():
            return _render_indexing(reply)
        case Results():
            return _render_results(reply, file_ids)
        case Answer():
            return _render_answer(reply)
        case LibraryPage():
            return _render_library(reply)
        case Help():
            title = translate(Msg.HELP)
            return SlackMessage(title, [blocks.header(title), *render_help_lines(reply.lines)])
        case Confirmation():
            return _render_confirmation(reply)
        case CrawlProgress():
            return _render_crawl(reply)
        case FollowedPage():
            items = [_render_followed(item) for item in reply.items[:MAX_LINES]]
            return SlackMessage(reply.title, [blocks.section(reply.title), *items])
        case TopicsPage():
            return _render_topics(reply, file_ids)
        case TrainingProgress():
            return _render_training(reply, file_ids)
        case SettingsView():
            return _render_settings(reply)
    raise AssertionError(f"a reply that Slack cannot show: {reply}")


def pictures_of(reply: Reply) -> dict[str, str]:
    """Return the keys of a reply's pictures, each with its alt text."""
    match reply:
        case Results():
            return {card.thumbnail: card.alt_text for card in reply.cards if card.thumbnail}
        case TopicsPage():
            return {item.thumbnail: f"{item.name}, {item.about}" for item in reply.items if item.thumbnail}
        case TrainingProgress(picture=str(key)):
            return {key: reply.text}
    return {}


def render_shared(shared: Shared, who: str) -> str:
    """Return a shared card as a text whose link Slack unfurls with the site's player. Sent with `mrkdwn` off."""
    card = shared.card
    introduction = translate(Msg.SHARED, who=who, query=shared.query) if shared.query else who
    return f"{blocks.escape(f'{introduction}: {card.title} ({card.time})')}\n<{blocks.escape(card.moment_link)}>"


def render_items(items: Sequence[LibraryItem]) -> list[Block]:
    """Return a paragraph for each video."""
    return [_render_item(item) for item in items]


def render_help_lines(lines: Sequence[HelpLine]) -> list[Block]:
    """Return a paragraph for each command, as it is typed in Slack."""
    return [
        blocks.rich(blocks.words(_format_usage(line), code=True), blocks.words(f"  {line.help}"))
        for line in lines
        if line.name != "more"  # In Slack this is a button.
    ]


def _format_usage(line: HelpLine) -> str:
    return f"{COMMAND} {line.usage}" if line.name == "find" else f"{COMMAND} {line.name} {line.usage}".strip()


def _render_text(text: str, ok: bool = True) -> SlackMessage:
    return SlackMessage(text, [blocks.section(text)], ok)


def _add_reference(text: str, correlation_id: str | None) -> str:
    return f"{text} {translate(Msg.REFERENCE, correlation_id=correlation_id)}" if correlation_id else text


# ---- search results ----


def _render_results(results: Results, file_ids: FileIds) -> SlackMessage:
    if not results.cards:
        return _render_text(translate(Msg.NO_HITS_INSIDE if results.search.in_link else Msg.NO_HITS))
    title = results.search.title
    cards = chain.from_iterable(
        _render_card(card, number, results, file_ids) for number, card in enumerate(results.cards)
    )
    weak = [blocks.context(translate(Msg.WEAK))] if results.weak else []
    return SlackMessage(title, [blocks.header(title), *weak, *cards, *_render_page_buttons(results)])


def _render_card(card: Card, number: int, results: Results, file_ids: FileIds) -> list[Block]:
    token = results.token
    file_id = file_ids.get(card.thumbnail or "")
    accessory = blocks.picture(file_id, card.alt_text) if file_id else None
    more = translate(Msg.MORE_INSIDE, count=card.more) if card.more else ""
    about = " · ".join(filter(None, [card.time, card.length, card.match, *card.why, more, card.note]))
    buttons = [
        _make_result_button(f"🔁 {translate(Msg.MORE_LIKE_THIS)}", token, "like", number),
        _make_result_button(f"↩️ {translate(Msg.LESS_LIKE_THIS)}", token, "unlike", number),
        _make_result_button(f"🔍 {translate(Msg.SEARCH_INSIDE)}", token, "inside", number),
        _make_result_button(f"👍 {translate(Msg.GOOD)}", token, "up", number),
        _make_result_button(f"👎 {translate(Msg.BAD)}", token, "down", number),
        _make_result_button(f"📣 {translate(Msg.SHARE)}", token, "share", number),
    ]
    if results.can_describe:
        buttons.append(_make_result_button(f"💬 {translate(Msg.WHAT_HAPPENS)}", token, "describe", number))
    if len(card.moment_link) <= blocks.MAX_URL_CHARS and card.note is None:
        action_id, value = f"{PRESS}:{OPEN}:{number}", f"{PRESS}:{token}:{OPEN}:{number}"
        buttons.insert(0, blocks.button(f"▶ {translate(Msg.OPEN)}", action_id, value, url=card.moment_link))
    origin = blocks.rich(blocks.words(f"{format_origin(card.submitter)}, "), blocks.day(card.submitted_at))
    return [blocks.section(f"{card.title}\n{about}", accessory), origin, blocks.actions(buttons)]


def _render_page_buttons(results: Results) -> list[Block]:
    buttons = []
    if results.search.previous:
        buttons.append(_make_result_button(f"◀ {translate(Msg.PREVIOUS)}", results.token, "previous"))
    if results.next:
        label = translate(Msg.SHOW_WEAKER if results.weaker_follow else Msg.NEXT)
        buttons.append(_make_result_button(f"{label} ▶", results.token, "next"))
    return [blocks.actions(buttons)] if buttons else []


def _make_result_button(label: str, token: str | None, action: ResultAction, number: int = 0) -> Block:
    return blocks.button(label, f"{PRESS}:{action}:{number}", f"{PRESS}:{token}:{action}:{number}")


def _render_answer(answer: Answer) -> SlackMessage:
    sources = []
    for number, source in enumerate(answer.sources, 1):
        mark = f"[{number}] " if len(answer.sources) > 1 else ""
        title = f"{mark}{source.title}, {source.time}"
        is_link = "://" in source.link and len(source.link) <= blocks.MAX_URL_CHARS
        sources.append(blocks.rich(blocks.link(source.link, title) if is_link else blocks.words(title)))
    note = [blocks.context(answer.note)] if answer.note else []
    return SlackMessage(answer.text, [blocks.section(answer.text), *sources, *note])


# ---- the library ----


def _render_library(page: LibraryPage) -> SlackMessage:
    title = translate(Msg.LIBRARY)
    shown = page.entries[:MAX_LINES]
    rest = []
    if len(shown) < page.total:
        rest = [blocks.context(translate(Msg.SOME_OF, shown=len(shown), total=page.total))]
    return SlackMessage(title, [blocks.header(title), *render_items(shown), *rest])


def _render_item(item: LibraryItem) -> Block:
    about = " · ".join(filter(None, [item.state, item.length, item.problem, format_origin(item.submitter)]))
    title = blocks.link(item.link, item.title) if "://" in item.link else blocks.words(item.title, bold=True)
    return blocks.rich(title, blocks.words(f"\n{about}, "), blocks.day(item.submitted_at))


def _render_topics(page: TopicsPage, file_ids: FileIds) -> SlackMessage:
    items = chain.from_iterable(_render_topic(item, file_ids) for item in page.items)
    return SlackMessage(page.title, [blocks.header(page.title), *items])


def _render_topic(item: TopicItem, file_ids: FileIds) -> list[Block]:
    file_id = file_ids.get(item.thumbnail or "")
    accessory = blocks.picture(file_id, f"{item.name}, {item.about}") if file_id else None
    button = ReplyButton(translate(Msg.SHOW_MOMENTS), "topics", {"topic": item.topic.moment_id})
    return [
        blocks.section(f"{item.name}\n{item.about}", accessory),
        blocks.actions([_make_command_button(button)]),
    ]


# ---- progress ----


def _render_indexing(progress: IndexingProgress) -> SlackMessage:
    lines = [_render_link(line) for line in progress.lines]
    per_block = -(-len(lines) // MAX_LINES)  # Several lines share a block if there are more lines than blocks.
    sections = [
        blocks.section("\n".join(lines[start : start + per_block])) for start in range(0, len(lines), per_block)
    ]
    return SlackMessage(lines[-1], sections)


def _render_link(line: LinkProgress | LinkOutcome) -> str:
    if isinstance(line, LinkOutcome):
        mark = "✅" if line.ok else "⚠️"
        text = f"{mark} {_add_reference(line.text, line.correlation_id)}"
        return text if line.ok else f"{text}\n{line.link}"
    return f"{_render_bar(line.done)} {line.stage}\n{line.link}"


def _render_crawl(progress: CrawlProgress) -> SlackMessage:
    text = progress.text if progress.is_final else f"{_render_bar(progress.done)} {progress.text}"
    shown = [blocks.section(line) for line in (text, *map(_render_link, progress.failures))]
    if progress.button is not None:
        shown.append(blocks.actions([_make_command_button(progress.button)]))
    return SlackMessage(progress.text, shown)


def _make_command_button(button: ReplyButton, **style: str) -> Block:
    value = json.dumps({"command": button.command, "args": dict(button.args)})
    return blocks.button(button.label, CONFIRM, value, **style)


def _render_followed(item: FollowedItem) -> Block:
    about = " · ".join(filter(None, [item.about, item.problem]))
    return blocks.rich(blocks.words(item.link, bold=True), blocks.words(f"\n{about}"))


def _render_training(progress: TrainingProgress, file_ids: FileIds) -> SlackMessage:
    text = progress.text if progress.is_final else f"{_render_bar(progress.done)} {progress.text}"
    file_id = file_ids.get(progress.picture or "")
    curves = [blocks.picture(file_id, progress.text)] if file_id else []
    return SlackMessage(progress.text, [blocks.section(text), *curves])


def _render_bar(done: float) -> str:
    full = round(BAR_CHARS * done)
    return f"{'▓' * full}{'░' * (BAR_CHARS - full)} {100 * done:.0f} %"


# ---- settings ----


def _render_confirmation(confirmation: Confirmation) -> SlackMessage:
    value = json.dumps({"command": confirmation.command, "args": dict(confirmation.args)})
    button = blocks.button(confirmation.button, CONFIRM, value, style="primary")
    return SlackMessage(confirmation.text, [blocks.section(confirmation.text), blocks.actions([button])])


def _render_settings(view: SettingsView) -> SlackMessage:
    title = view.text or f"{COMMAND} settings"
    return SlackMessage(title, [blocks.section(title), *map(_render_setting, view.lines)])


def _render_setting(line: SettingLine) -> Block:
    elements = [blocks.words(f"{line.description}: ")]
    if line.name == "watched":
        for id in line.value.split():
            elements += [blocks.channel(id), blocks.words(" ")]
        elements.append(blocks.words("\n"))
    else:
        elements.append(blocks.words(f"{line.value or '–'}\n", bold=True))
    choices = " | ".join(filter(None, line.choices)) or "#channel …"
    return blocks.rich(*elements, blocks.words(f"{COMMAND} settings {line.name} {choices}", code=True))
