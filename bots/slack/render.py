"""Replies as Slack messages."""

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final

from bots.chat.service import Action
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
    Search,
    SettingsView,
    Shared,
    TextReply,
    TrainingProgress,
)
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.slack import blocks
from bots.slack.blocks import Block, SlackMessage

COMMAND: Final = "/reel"
PRESS: Final = "rs"
CONFIRM: Final = "confirm"
OPEN: Final = "open"
BAR_PARTS: Final = 10
MOST_LINES: Final = 40
"""Lines of a message; with what stands around them they stay within the blocks that Slack takes."""

Pictures = Mapping[str, str]
"""Files that Slack has, by our keys of the pictures."""


def drawn(reply: Reply, pictures: Pictures) -> SlackMessage:
    """Any reply but `Shared`, which `share` draws."""
    match reply:
        case TextReply():
            return _said(_sentence(reply.text, reply.correlation_id), reply.ok)
        case Removed():
            return _said(reply.text)
        case IndexingProgress():
            return _work(reply)
        case Results():
            return _results(reply, pictures)
        case LibraryPage():
            return _shelf(reply)
        case Help():
            return _guide(reply)
        case Confirmation():
            return _confirm(reply)
        case TrainingProgress():
            return _lesson(reply, pictures)
        case SettingsView():
            return _options(reply)
    raise AssertionError(f"a reply that Slack can't draw: {reply}")


def keys(reply: Reply) -> dict[str, str]:
    """The pictures of a reply, each with what to say to those who can't see it."""
    match reply:
        case Results():
            return {card.thumbnail: _alt(card) for card in reply.cards if card.thumbnail}
        case TrainingProgress(picture=str(key)):
            return {key: reply.text}
    return {}


def share(shared: Shared, who: str) -> str:
    """A plain text whose link Slack unfurls, so that the platform's own player opens at the moment.

    It is sent with `mrkdwn` off.
    """
    card = shared.card
    about = translate(Msg.SHARED, who=who, query=shared.query) if shared.query else who
    return f"{blocks.escaped(f'{about}: {card.title} ({card.time})')}\n<{blocks.escaped(card.moment_link)}>"


def entries(shelf: Sequence[LibraryItem]) -> list[Block]:
    """Videos of the library, a paragraph each."""
    return [_entry(entry) for entry in shelf]


def guide(lines: Sequence[tuple[str, str, str]]) -> list[Block]:
    """Commands as they are typed here."""
    typed = [
        (f"{COMMAND} {arguments}" if name == "find" else f"{COMMAND} {name} {arguments}".strip(), text)
        for name, arguments, text in lines
        if name != "more"  # a button
    ]
    return [blocks.rich(blocks.words(line, code=True), blocks.words(f"  {text}")) for line, text in typed]


def _said(text: str, ok: bool = True) -> SlackMessage:
    return SlackMessage(text, [blocks.section(text)], ok)


def _sentence(text: str, correlation_id: str | None) -> str:
    return f"{text} {translate(Msg.REFERENCE, incident=correlation_id)}" if correlation_id else text


# ---- found moments ----


def _results(results: Results, pictures: Pictures) -> SlackMessage:
    if not results.cards:
        return _said(translate(Msg.NO_HITS_INSIDE if results.search.in_link else Msg.NO_HITS))
    title = _title(results.search)
    cards = chain.from_iterable(
        _card(card, number, results.token, pictures) for number, card in enumerate(results.cards)
    )
    weak = [blocks.context(translate(Msg.WEAK))] if results.weak else []
    return SlackMessage(title, [blocks.header(title), *weak, *cards, *_turning(results)])


def _title(search: Search) -> str:
    if search.queries:
        return translate(Msg.FOUND, query=", ".join(search.queries))
    return translate(Msg.FOUND_LIKE if search.picture else Msg.FOUND_SIMILAR)


def _card(card: Card, number: int, token: str, pictures: Pictures) -> list[Block]:
    file_id = pictures.get(card.thumbnail or "")
    accessory = blocks.picture(file_id, _alt(card)) if file_id else None
    more = translate(Msg.MORE_INSIDE, count=card.more) if card.more else ""
    about = " · ".join(filter(None, [card.time, card.length, *card.why, card.added, more]))
    buttons = [
        _press(f"🔁 {translate(Msg.MORE_LIKE_THIS)}", token, "like", number),
        _press(f"🔍 {translate(Msg.SEARCH_INSIDE)}", token, "inside", number),
        _press(f"👍 {translate(Msg.GOOD)}", token, "up", number),
        _press(f"👎 {translate(Msg.BAD)}", token, "down", number),
        _press(f"📣 {translate(Msg.SHARE)}", token, "share", number),
    ]
    if len(card.moment_link) <= blocks.MAX_URL:
        ids = f"{PRESS}:{OPEN}:{number}", f"{PRESS}:{token}:{OPEN}:{number}"
        buttons.insert(0, blocks.button(f"▶ {translate(Msg.OPEN)}", *ids, url=card.moment_link))
    return [blocks.section(f"{card.title}\n{about}", accessory), blocks.actions(buttons)]


def _alt(card: Card) -> str:
    return f"{card.title}, {card.time}"


def _turning(results: Results) -> list[Block]:
    buttons = []
    if results.search.before:
        buttons.append(_press(f"◀ {translate(Msg.PREVIOUS)}", results.token, "previous"))
    if results.next:
        buttons.append(_press(f"{translate(Msg.NEXT)} ▶", results.token, "next"))
    return [blocks.actions(buttons)] if buttons else []


def _press(label: str, token: str, action: Action, number: int = 0) -> Block:
    return blocks.button(label, f"{PRESS}:{action}:{number}", f"{PRESS}:{token}:{action}:{number}")


# ---- the library ----


def _shelf(shelf: LibraryPage) -> SlackMessage:
    title = translate(Msg.LIBRARY)
    shown = shelf.entries[:MOST_LINES]
    rest = (
        [blocks.context(translate(Msg.SOME_OF, shown=len(shown), total=shelf.total))]
        if len(shown) < shelf.total
        else []
    )
    return SlackMessage(title, [blocks.header(title), *entries(shown), *rest])


def _entry(entry: LibraryItem) -> Block:
    about = " · ".join(filter(None, [entry.state, entry.length, entry.added, entry.problem]))
    title = blocks.link(entry.link, entry.title) if "://" in entry.link else blocks.words(entry.title, bold=True)
    return blocks.rich(title, blocks.words(f"\n{about}"))


# ---- work ----


def _work(work: IndexingProgress) -> SlackMessage:
    lines = [_line(line) for line in work.lines]
    each = -(-len(lines) // MOST_LINES)  # lines of a block, so that there are not too many
    return SlackMessage(
        lines[-1], [blocks.section("\n".join(lines[at : at + each])) for at in range(0, len(lines), each)]
    )


def _line(line: LinkProgress | LinkOutcome) -> str:
    if isinstance(line, LinkOutcome):
        mark = "✅" if line.ok else "⚠️"
        said = f"{mark} {_sentence(line.text, line.correlation_id)}"
        return said if line.ok else f"{said}\n{line.link}"
    return f"{_bar(line.done)} {line.stage}\n{line.link}"


def _lesson(lesson: TrainingProgress, pictures: Pictures) -> SlackMessage:
    text = lesson.text if lesson.over else f"{_bar(lesson.done)} {lesson.text}"
    file_id = pictures.get(lesson.picture or "")
    curves = [blocks.picture(file_id, lesson.text)] if file_id else []
    return SlackMessage(lesson.text, [blocks.section(text), *curves])


def _bar(done: float) -> str:
    full = round(BAR_PARTS * done)
    return f"{'▓' * full}{'░' * (BAR_PARTS - full)} {100 * done:.0f} %"


# ---- what admins decide, help ----


def _confirm(confirm: Confirmation) -> SlackMessage:
    value = json.dumps({"command": confirm.command, "args": dict(confirm.args)})
    button = blocks.button(confirm.button, CONFIRM, value, style="primary")
    return SlackMessage(confirm.text, [blocks.section(confirm.text), blocks.actions([button])])


def _options(options: SettingsView) -> SlackMessage:
    title = options.text or COMMAND + " settings"
    return SlackMessage(title, [blocks.section(title), *(_option(*line) for line in options.lines)])


def _option(name: str, meaning: str, value: str, choices: Sequence[str]) -> Block:
    runs = [blocks.words(f"{meaning}: ")]
    if name == "watched":
        for id in value.split():
            runs += [blocks.channel(id), blocks.words(" ")]
    runs.append(blocks.words(f"{value or '–'}\n", bold=True) if name != "watched" else blocks.words("\n"))
    allowed = " | ".join(filter(None, choices)) or "#channel …"
    return blocks.rich(*runs, blocks.words(f"{COMMAND} settings {name} {allowed}", code=True))


def _guide(reply: Help) -> SlackMessage:
    title = translate(Msg.HELP)
    return SlackMessage(title, [blocks.header(title), *guide(reply.lines)])
