"""Finding links in free text.

Libraries such as linkify-it want a blank or punctuation in front of `https://`, and take full-width punctuation into
the address. In Korean, Chinese and Japanese, no space separates a link from the text around it.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from text.invisible import remove_invisible
from worker.protocol.links import has_plain_addresses

MAX_ADDRESS_CHARS: Final = 5000
"""A longer address is cut, and then refused by the worker as too long."""

_SLACK_LABEL: Final = re.compile(r"<([a-z][a-z0-9+.-]*:[^<>|\s]+)\|[^<>]*>", re.IGNORECASE)
_MARKDOWN_LABEL: Final = re.compile(r"\[[^\[\]]*\]\((?=\s*<?(?:[a-z][a-z0-9+.-]*://|[\w-]+\.[\w.-]+))", re.IGNORECASE)
_FULL_WIDTH_LINK: Final = re.compile(r"[hｈ][tｔ]{2}[pｐ][sｓ]?[:：][/／]{2}[^\s/／]*[^\s，。、！]*", re.IGNORECASE)
_FULL_WIDTH_HOST: Final = re.compile(r"[ａ-ｚＡ-Ｚ０-９－]+(?:．[ａ-ｚＡ-Ｚ０-９－]+)+／[^\s，。、！]+")
_FULL_STOPS_IN_HOST: Final = re.compile(r"(?<=[:：][/／]{2})(?:[a-z0-9-]+[。．｡])+[a-z]+(?=[/／])", re.IGNORECASE)
"""A host with the full stops of an input method for Chinese or Japanese in place of dots."""
_FULL_WIDTH_QUERY: Final = re.compile(r"？(?=\w+＝)")

_START: Final = re.compile(
    r"(?P<scheme>(?:https?|(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*)://)"
    r"|(?<![a-z0-9@._/\\%+~=&#?])(?P<host>(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?P<top_level>[a-z]{2,}))"
    r"(?![a-z0-9@_-]|\.[a-z0-9]|://)(?::\d+)?(?P<slash>/?)",
    re.IGNORECASE,
)
_WEB_SCHEME: Final = re.compile(r"https?://$", re.IGNORECASE)
_TOP_LEVEL: Final = re.compile(
    "com|net|org|edu|gov|tv|be|me|co|io|kr|jp|cn|tw|hk|sg|in|id|vn|th|ph|my|au|uk|de|fr|nl|es|it|ru|us|ca"
    "|ly|gl|gd|gg|ms|to|ai|so|ee|fm|cc|watch|app|link|page",
    re.IGNORECASE,
)
"""Top-level domains of addresses that people write without `https://` within a sentence."""

_END: Final = re.compile(r'[\s<>"`|\x00-\x1f\x7f]')
_WEB: Final = re.compile(r"https?://", re.IGNORECASE)
_NEXT_LINK: Final = re.compile(r"(?<![/=?&#:%])https?://", re.IGNORECASE)
_NOT_PLAIN: Final = re.compile(r"[^\w.~:/?#@!$&'+;=%-]", re.ASCII)
"""Ends an address on a site whose addresses have ASCII letters only."""
_AFTER_DOMAIN: Final = re.compile(r"(?<=[a-z0-9])[^\x00-\x7f]+$", re.IGNORECASE)
"""Text that follows a domain without a space: `example.com에서`."""
_AFTER_FILE: Final = re.compile(r"(?<=\.)(?:mp4|m4v|webm|mov|mkv|gif|webp|m3u8)(?=[^\x00-\x7f])", re.IGNORECASE)
_AFTER_ADDRESS: Final = re.compile(
    r"(?:(?<=[a-z0-9=&_-])|(?<=^/))(?:(?:은|는|이|가|을|를|과|와|도|의|만|에|에서|에게|으로|로|까지|부터|랑|이랑|하고|처럼|보다|라고|이라고|인데"
    r"|입니다|이에요|예요|이야|임|요|봐|봐요|봐봐|보세요)+|を.*)$",
    re.IGNORECASE,
)
"""Particles and endings that follow an address on any site without a space: `example.com/watch/1을`."""
_CLOSERS: Final = {")": "(", "]": "[", "}": "{"}
_EMOJI_NAMES: Final = re.compile(r"(?::[\w+-]+:)+$")
_TRAILING: Final = ".,;:!?'*~([{#"


def find_links(text: str) -> list[str]:
    """Return the links in a text, in their order, without repeats.

    A link without `https://` counts if its domain is a common one. Any domain and any scheme count if the text
    consists of links: within a sentence, `node.js/…` and `slack://…` are none.
    """
    text = _normalize(text)
    links = list(_scan(text, is_all_links=False))
    words = text.replace(",", " ").split()
    if len(links) < len(words):
        of_any_kind = list(_scan(text, is_all_links=True))
        links = of_any_kind if len(of_any_kind) == len(words) else links
    unique: dict[str, str] = {}
    for link in links:
        unique.setdefault(link.removeprefix("https://"), link)
    return list(unique.values())


def _normalize(text: str) -> str:
    """Return the text without invisible characters and labels of links, and with full-width links in ASCII."""
    text = remove_invisible(text)
    for escaped, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(escaped, character)
    text = _MARKDOWN_LABEL.sub("(", _SLACK_LABEL.sub(r"<\1>", text))
    text = _FULL_STOPS_IN_HOST.sub(lambda host: re.sub("[。．｡]", ".", host[0]), text)
    text = _FULL_WIDTH_HOST.sub(lambda host: unicodedata.normalize("NFKC", host[0]), text)
    return _FULL_WIDTH_LINK.sub(_to_ascii, text)


def _to_ascii(link: re.Match[str]) -> str:
    """Return a link that was typed with a full-width keyboard in ASCII, any other one as it is."""
    head = re.match(r".*?[/／]{2}[^/／]*", link[0])
    if head is None or head[0].isascii() or not any("\uff01" <= each <= "\uff5e" for each in head[0]):
        return link[0]
    return unicodedata.normalize("NFKC", _FULL_WIDTH_QUERY.sub("?", link[0]))


def _scan(text: str, is_all_links: bool) -> Iterator[str]:
    """Yield the links in a text, from its start to its end."""
    position = 0
    while start := _START.search(text, position):
        position = start.end()
        if start["scheme"]:
            web = _WEB_SCHEME.search(start["scheme"])
            if not web and not is_all_links:
                continue
            begin = start.start() + (web.start() if web else 0)
            link = _cut(text, begin, start.end())
            if len(link) == start.end() - begin:
                continue
        elif _may_be_bare_link(start, is_all_links):
            begin = start.start()
            link = _cut(text, begin, begin)
        else:
            continue
        position = max(position, begin + len(link))
        yield link


def _may_be_bare_link(start: re.Match[str], is_all_links: bool) -> bool:
    """Return whether a domain in a text begins a link: it has a path, or `www.` in front."""
    if start["host"].lower().startswith("www."):
        return True
    is_followed = start["slash"] and not _END.match(start.string[start.end() : start.end() + 1] or " ")
    return bool(is_followed) and (is_all_links or _TOP_LEVEL.fullmatch(start["top_level"]) is not None)


def _cut(text: str, begin: int, host_begin: int) -> str:
    """Return the address that begins at `begin`, up to what cannot belong to it; only its scheme if it has no host."""
    if _WEB.match(text, host_begin):
        return text[begin:host_begin]
    scheme, rest = text[begin:host_begin], text[host_begin : host_begin + MAX_ADDRESS_CHARS]
    rest = _END.split(rest, maxsplit=1)[0]
    if following := _NEXT_LINK.search(rest):
        rest = rest[: following.start()]
    rest = rest[: next((at for at, each in enumerate(rest) if _ends_address(each)), None)]
    emphasis = re.search(r"(?:\*+|~~+|_+)$", text[max(begin - 3, 0) : begin])
    if emphasis and emphasis[0][0] != "_":
        rest = rest.partition(emphasis[0])[0]
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    if outside := _AFTER_DOMAIN.search(host):
        rest = rest[: outside.start()]
    elif has_plain_addresses(host) and not (plain := _NOT_PLAIN.split(rest, maxsplit=1)[0]).endswith("/@"):
        rest = plain
    else:
        rest = _cut_at_unbalanced_bracket(rest)
        if file := _AFTER_FILE.search(rest):
            rest = rest[: file.end()]
        rest = host + _AFTER_ADDRESS.sub("", _strip_punctuation(rest[len(host) :]))
    marks = emphasis[0] if emphasis else ""
    return scheme + _strip_punctuation(_strip_punctuation(rest).removesuffix(marks))


def _ends_address(character: str) -> bool:
    """Return whether a character ends any address.

    That is punctuation and symbols outside of ASCII, such as `，` and `」`, and single letters of Hangul (`ㅋㅋ`).
    """
    if "\u3131" <= character <= "\u318e":
        return True
    return not character.isascii() and unicodedata.category(character)[0] in "PSZC"


def _cut_at_unbalanced_bracket(address: str) -> str:
    """Return an address up to the first closing bracket that it did not open."""
    open_brackets = []
    for at, character in enumerate(address):
        if character in _CLOSERS.values():
            open_brackets.append(character)
        elif character in _CLOSERS and (not open_brackets or open_brackets.pop() != _CLOSERS[character]):
            return address[:at]
    return address


def _strip_punctuation(address: str) -> str:
    """Return an address without the punctuation and the emoji by name of the sentence around it."""
    return _EMOJI_NAMES.sub("", address).rstrip(_TRAILING)
