"""Search queries without the markup of chat platforms."""

import html
import re
from typing import Final

from text.emoji_names import find_emoji, replace_shortcodes
from text.invisible import remove_invisible

_TAG: Final = re.compile(
    r"<(?:[@#!:]|a:|t:-?\d|id:|sound:\d|/[^<>|]+:\d+(?=>)|(?P<link>[a-z][a-z+.-]*:/*))(?P<target>[^<>|]*)(?:\|(?P<label>[^<>]*))?>"
)
"""Discord's and Slack's form of users, roles, channels, groups, own emoji, times, commands and links."""
_EVERYONE: Final = re.compile(r"(?<![\w.])@(?:everyone|here|channel)\b")
_MASKED_LINK: Final = re.compile(
    r"!?\[([^\[\]]+)\]\(\s*<?[a-z][a-z+.-]*:[^\s()]*(?:\([^\s()]*\)[^\s()]*)*(?:\s+\"[^\"]*\")?\s*\)"
)
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,31});")
_LINE_MARKS: Final = re.compile(r"^(?:[ \t]*(?:>{1,3}|(?:#{1,6}|-#|[-*+•])[ \t]))+", re.MULTILINE)
_FENCE: Final = re.compile(r"```(?:\w+\n)?|`+")
_EMPHASIS: Final = (
    re.compile(r"(?<!\\)(\|\||~~|\*\*\*|\*\*)(?=\S)(.{1,500}?)(?<=[^\s\\])\1", re.DOTALL),
    re.compile(r"(?<![\w*\\])(\*)(?=[^\s*])(.{1,500}?)(?<=[^\s*\\])\1(?!\*)", re.DOTALL),
    re.compile(r"(?<![^\W_])(?<!\\)(_{1,3}|~)(?=[^\s_~])(.{1,500}?)(?<=[^\s_~\\])\1(?![A-Za-z0-9_])", re.DOTALL),
)
"""Spoilers and struck text; one asterisk; underscores and Slack's struck text, which do not begin within a word."""
_NESTED: Final = 3
"""Markup within markup, such as a bold spoiler."""
_ESCAPE: Final = re.compile(r"\\([^\w\s])")


def clean_query(text: str) -> str:
    """Return what a query says, on one line, or an empty text if there is nothing to look for.

    Mentions and a community's own emoji say nothing; links say their label. Emoji stay.
    """
    text = " ".join(remove_invisible(replace_shortcodes(strip_markup(text))).split())
    return text if has_words(text) else ""


def has_words(text: str) -> bool:
    """Return whether a text contains a letter, a digit or an emoji, so that something can be looked for."""
    text = remove_invisible(text)
    return any(character.isalnum() for character in text) or bool(find_emoji(text))


def strip_markup(text: str) -> str:
    """Remove the markup of Discord and Slack from a text, and keep its words."""
    text = _EVERYONE.sub(" ", _TAG.sub(_read_tag, text))
    text = _ENTITY.sub(lambda found: html.unescape(found[0]), _MASKED_LINK.sub(r"\1", text))
    text = _FENCE.sub("", _LINE_MARKS.sub("", text))
    for _ in range(_NESTED):
        for mark in _EMPHASIS:
            text = mark.sub(r"\2", text)
    return _ESCAPE.sub(r"\1", text)


def _read_tag(found: re.Match[str]) -> str:
    if found["label"]:
        return found["label"]
    return f"{found['link']}{found['target']}" if found["link"] else " "
