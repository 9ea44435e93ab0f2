"""Cards and tables as HTML, and the links that the page can play."""

import base64
import re
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from bots.commands.findings import Answer, AnswerSource, TopicItem
from bots.commands.replies import (
    Card,
    Confirmation,
    CrawlProgress,
    FollowedPage,
    Help,
    LibraryItem,
    LinkOutcome,
    Removed,
    Reply,
    Results,
    SettingsView,
    TextReply,
    TrainingProgress,
    format_origin,
    is_success,
)
from bots.i18n.messages import Msg
from bots.i18n.translate import format_count, format_date, translate
from worker.protocol.library import IndexStatus

MIN_CARD_WIDTH: Final = 260
"""In pixels. On a narrower screen, a card is as wide as the screen."""
MAX_PLAYED_BYTES: Final = 300_000_000
"""Streamlit keeps a file that it plays in memory."""

PLAYED_SUFFIXES: Final = (".mp4", ".m4v", ".webm", ".mov", ".ogv", ".mkv")
YOUTUBE_HOSTS: Final = ("youtube.com", "www.youtube.com", "m.youtube.com", "youtu.be")
SIGN_IN_HOSTS: Final = ("cdn.discordapp.com", "files.slack.com")
"""Their files open only for those who are signed in, or with a signature."""
_MARKDOWN: Final = re.compile(r"[!-/:-@\[-`{-~]")


def find_playable_source(link: str) -> str | Path | None:
    """Return what `st.video` can play of a link, or None if only the video's own site can play it."""
    parts = urlsplit(link)
    is_video_file = parts.path.lower().endswith(PLAYED_SUFFIXES)
    if parts.hostname in SIGN_IN_HOSTS:
        return None
    if parts.scheme == "file" and is_video_file:
        path = Path(unquote(parts.path))
        return path if path.is_file() and path.stat().st_size <= MAX_PLAYED_BYTES else None
    return link if is_web_link(link) and (is_video_file or parts.hostname in YOUTUBE_HOSTS) else None


def is_web_link(link: str) -> bool:
    """Return whether a browser may open the link."""
    return urlsplit(link).scheme in {"http", "https"}


def render_card(card: Card, thumbnail: bytes | None) -> str:
    """Return a found moment."""
    picture = _draw_picture(thumbnail, card.alt_text, card.time)
    return f'<div class="rs-card">{picture}{_draw_text_lines(card, card.length)}</div>'


def render_caption(card: Card) -> str:
    """Return the text below the player of a found moment."""
    return f'<div class="rs-card">{_draw_text_lines(card, card.time)}</div>'


def render_video(entry: LibraryItem, thumbnail: bytes | None) -> str:
    """Return a video of the library."""
    moments = format_count(entry.moments, Msg.MOMENTS_ONE, Msg.MOMENTS)
    about = " · ".join(escape(part) for part in (moments, _format_origin(entry)) if part)
    state = (
        "" if entry.status is IndexStatus.INDEXED else f'<span class="rs-{entry.status}">{escape(entry.state)}</span>'
    )
    problem = f'<div class="rs-problem">{escape(entry.problem)}</div>' if entry.problem else ""
    return (
        f'<div class="rs-card">{_draw_picture(thumbnail, entry.title, entry.length)}'
        f'<div class="rs-title" title="{escape(entry.title)}">{escape(entry.title)}</div>'
        f'<div class="rs-about">{about}</div><div class="rs-why">{state}</div>{problem}</div>'
    )


def render_topic(item: TopicItem, picture: bytes | None) -> str:
    """Return a topic of the library."""
    return (
        f'<div class="rs-card">{_draw_picture(picture, item.name, None)}'
        f'<div class="rs-title" title="{escape(item.name)}">{escape(item.name)}</div>'
        f'<div class="rs-about">{escape(item.about)}</div></div>'
    )


def render_sentence(reply: Reply) -> str:
    """Return the sentence of a reply, and below it the reference of a failure."""
    match reply:
        case TextReply() | Removed() | TrainingProgress():
            text, about = reply.text, None
        case CrawlProgress():
            text, about = reply.text, "\n".join(f"{each.link}: {each.text}" for each in reply.failures)
        case FollowedPage():
            text, about = reply.title, "\n".join(" · ".join(filter(None, item)) for item in reply.items)
        case Confirmation():
            text, about = reply.text, f"/{reply.command} {' '.join(map(str, reply.args.values()))}"
        case Answer():
            return _render_answer(reply)
        case LinkOutcome():
            text, about = (
                reply.text,
                format_count(reply.moments, Msg.MOMENTS_ONE, Msg.MOMENTS) if reply.ok else reply.link,
            )
        case Results():
            text, about = translate(Msg.NO_HITS_INSIDE if reply.search.in_link else Msg.NO_HITS), None
        case _:
            raise TypeError(f"not a sentence: {reply}")
    correlation_id = getattr(reply, "correlation_id", None)
    reference = translate(Msg.REFERENCE, correlation_id=correlation_id) if correlation_id else None
    below = "".join(
        f'<div class="rs-quiet">{escape(part)}</div>' for part in (*(about or "").split("\n"), reference) if part
    )
    failed = "" if is_success(reply) else " rs-bad"
    # Sentences mark what can be typed with `backticks`.
    text = re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
    return f'<div class="rs-sentence{failed}">{text}{below}</div>'


def _render_answer(reply: Answer) -> str:
    """Return an answer and its sources. A model wrote the text, so it is escaped."""
    sources = "".join(
        f'<div class="rs-quiet">[{number}] {_render_source(source)}</div>'
        for number, source in enumerate(reply.sources, 1)
    )
    note = f'<div class="rs-quiet">{escape(reply.note)}</div>' if reply.note else ""
    return f'<div class="rs-sentence">{escape(reply.text)}{sources}{note}</div>'


def _render_source(source: AnswerSource) -> str:
    title = escape(f"{source.title}, {source.time}")
    if not is_web_link(source.link):
        return title
    return f'<a href="{escape(source.link)}" target="_blank" rel="noopener noreferrer">{title}</a>'


def render_help(reply: Help) -> str:
    """Return the commands as a table."""
    rows = "".join(
        f"<tr><td><code>/{escape(line.name)}</code></td><td><code>{escape(line.usage)}</code></td>"
        f"<td>{escape(line.help)}</td></tr>"
        for line in reply.lines
    )
    return f'<table class="rs-guide">{rows}</table>'


def render_settings(reply: SettingsView) -> str:
    """Return the settings of a space as a table."""
    rows = "".join(
        f"<tr><td><code>{escape(line.name)}</code></td><td>{escape(line.value or '–')}</td>"
        f"<td>{escape(line.description)}</td></tr>"
        for line in reply.lines
    )
    sentence = f'<div class="rs-sentence">{escape(reply.text)}</div>' if reply.text else ""
    return f'{sentence}<table class="rs-guide">{rows}</table>'


def escape_markdown(text: str) -> str:
    """Return text for the labels of widgets, which Streamlit reads as Markdown."""
    return _MARKDOWN.sub(r"\\\g<0>", text)


def _draw_text_lines(card: Card, time: str | None) -> str:
    about = " · ".join(escape(part) for part in (time, _format_origin(card)) if part)
    why = "".join(f"<span>{escape(reason)}</span>" for reason in (card.match, *card.why))
    note = f'<div class="rs-quiet">{escape(card.note)}</div>' if card.note else ""
    return (
        f'<div class="rs-title" title="{escape(card.title)}">{escape(card.title)}</div>'
        f'<div class="rs-about">{about}</div><div class="rs-why">{why}</div>{note}'
    )


def _format_origin(shown: Card | LibraryItem) -> str:
    return format_origin(shown.submitter, format_date(shown.submitted_at))


def _draw_picture(thumbnail: bytes | None, title: str, badge: str | None) -> str:
    data = base64.b64encode(thumbnail).decode() if thumbnail else ""
    style = f"--picture:url(data:image/jpeg;base64,{data})" if data else ""
    label = f"<b>{escape(badge)}</b>" if badge else ""
    return f'<div class="rs-picture" role="img" aria-label="{escape(title)}" style="{style}">{label}</div>'
