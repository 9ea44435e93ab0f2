"""What the page draws by itself: cards and rows as HTML, and what its player can play."""

import base64
import re
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from bots.commands.replies import (
    Card,
    Confirmation,
    Help,
    LibraryItem,
    LinkOutcome,
    Removed,
    Reply,
    Results,
    SettingsView,
    TextReply,
    TrainingProgress,
    succeeded,
)
from bots.i18n.messages import Msg
from bots.i18n.translate import count, translate

WIDTH: Final = 260
"""A card is never drawn narrower, where the screen allows."""
MAX_PLAYED_BYTES: Final = 300_000_000
"""Streamlit holds a file that it plays in memory."""

PLAYED_ENDINGS: Final = (".mp4", ".m4v", ".webm", ".mov", ".ogv", ".mkv")
_MARKDOWN = re.compile(r"[!-/:-@\[-`{-~]")
YOUTUBE_HOSTS: Final = ("youtube.com", "www.youtube.com", "m.youtube.com", "youtu.be")


def playable(link: str) -> str | Path | None:
    """What `st.video` can play of a link from the library; None: only its own site does."""
    parts = urlsplit(link)
    direct = parts.path.lower().endswith(PLAYED_ENDINGS)
    if parts.scheme == "file" and direct:
        path = Path(unquote(parts.path))
        return path if path.is_file() and path.stat().st_size <= MAX_PLAYED_BYTES else None
    return link if opens(link) and (direct or parts.hostname in YOUTUBE_HOSTS) else None


def opens(link: str) -> bool:
    """Whether a browser may be sent there."""
    return urlsplit(link).scheme in {"http", "https"}


def card(found: Card, thumbnail: bytes | None) -> str:
    """A found moment."""
    return f'<div class="rs-card">{_picture(thumbnail, found.title, found.time)}{_lines(found, found.length)}</div>'


def caption(found: Card) -> str:
    """What stands under the player of a found moment."""
    return f'<div class="rs-card">{_lines(found, found.time)}</div>'


def _lines(found: Card, time: str) -> str:
    about = " · ".join(escape(part) for part in (time, found.added) if part)
    why = "".join(f"<span>{escape(reason)}</span>" for reason in found.why)
    return (
        f'<div class="rs-title" title="{escape(found.title)}">{escape(found.title)}</div>'
        f'<div class="rs-about">{about}</div><div class="rs-why">{why}</div>'
    )


def row(entry: LibraryItem, thumbnail: bytes | None) -> str:
    """A video of the library."""
    moments = count(entry.moments, Msg.MOMENTS_ONE, Msg.MOMENTS)
    about = " · ".join(escape(part) for part in (moments, entry.added) if part)
    state = "" if entry.status == "indexed" else f'<span class="rs-{entry.status}">{escape(entry.state)}</span>'
    problem = f'<div class="rs-problem">{escape(entry.problem)}</div>' if entry.problem else ""
    return (
        f'<div class="rs-card">{_picture(thumbnail, entry.title, entry.length)}'
        f'<div class="rs-title" title="{escape(entry.title)}">{escape(entry.title)}</div>'
        f'<div class="rs-about">{about}</div><div class="rs-why">{state}</div>{problem}</div>'
    )


def _picture(thumbnail: bytes | None, title: str, badge: str) -> str:
    data = base64.b64encode(thumbnail).decode() if thumbnail else ""
    style = f"--picture:url(data:image/jpeg;base64,{data})" if data else ""
    label = f"<b>{escape(badge)}</b>" if badge else ""
    return f'<div class="rs-picture" role="img" aria-label="{escape(title)}" style="{style}">{label}</div>'


def told(reply: Reply) -> str:
    """A sentence, and under it the reference that the log holds a failure by."""
    match reply:
        case TextReply() | Removed() | TrainingProgress():
            text, about = reply.text, ""
        case Confirmation():
            text, about = reply.text, f"/{reply.command} {' '.join(map(str, reply.args.values()))}"
        case LinkOutcome():
            text, about = reply.text, count(reply.moments, Msg.MOMENTS_ONE, Msg.MOMENTS) if reply.ok else reply.link
        case Results():
            text, about = translate(Msg.NO_HITS_INSIDE if reply.search.in_link else Msg.NO_HITS), ""
        case _:
            raise TypeError(f"no sentence: {reply}")
    correlation_id = getattr(reply, "correlation_id", None)
    quiet = [about, translate(Msg.REFERENCE, correlation_id=correlation_id) if correlation_id else ""]
    under = "".join(f'<div class="rs-quiet">{escape(part)}</div>' for part in quiet if part)
    bad = "" if succeeded(reply) else " rs-bad"
    # Sentences write `so` what is to be typed.
    text = re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
    return f'<div class="rs-told{bad}">{text}{under}</div>'


def guide(reply: Help) -> str:
    """The commands as a table."""
    rows = "".join(
        f"<tr><td><code>/{escape(name)}</code></td><td><code>{escape(arguments)}</code></td><td>{escape(line)}</td></tr>"
        for name, arguments, line in reply.lines
    )
    return f'<table class="rs-guide">{rows}</table>'


def options(reply: SettingsView) -> str:
    """A space's settings as a table."""
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(value or '–')}</td><td>{escape(text)}</td></tr>"
        for name, text, value, _ in reply.lines
    )
    told = f'<div class="rs-told">{escape(reply.text)}</div>' if reply.text else ""
    return f'{told}<table class="rs-guide">{rows}</table>'


def label(text: str) -> str:
    """Text as the label of a part that reads Markdown."""
    return _MARKDOWN.sub(r"\\\g<0>", text)
