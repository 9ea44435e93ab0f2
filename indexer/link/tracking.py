"""Rules about query parameters that only track who shared a link, and about addresses that lead to another one.

`tracking.json` has the form of ClearURLs' rules (https://docs.clearurls.xyz/latest/specs/rules/), so that a rule
can be taken over in either direction. `shorteners` names the hosts of short links, whose target only the site
knows.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import unquote, urljoin

from yarl import URL

_SCHEME_AS_FOLDER: Final = re.compile(r"^(https?)/(?!/)")
"""Beginning of an address in the path of a proxy: `https/example.com/…`."""


@dataclass(frozen=True)
class Provider:
    """The rules for the addresses that match `pattern`."""

    pattern: re.Pattern[str]
    parameters: re.Pattern[str]
    redirections: tuple[re.Pattern[str], ...]


def find_redirection(url: str) -> str | None:
    """Return the address that is written inside a link of a site's "you are leaving" or sign-in page, or None."""
    for provider in _providers_of(url):
        for redirection in provider.redirections:
            if found := redirection.match(url):
                target = _SCHEME_AS_FOLDER.sub(r"\1://", unquote(found[1]))
                return urljoin(url, target)
    return None


def remove_tracking(url: URL) -> URL:
    """Remove tracking parameters and keep the order and spelling of the others.

    On some sites, `?a` and `?a=` are two pages.
    """
    is_tracking = _tracking_filter(str(url))
    parts = [part for part in url.raw_query_string.split("&") if part and not is_tracking(part.partition("=")[0])]
    bare = str(url.with_query(None))
    return URL(f"{bare}?{'&'.join(parts)}" if parts else bare, encoded=True)


def is_short_link(url: URL) -> bool:
    """Return whether a link is one of a link shortener."""
    return (url.raw_host or "").removeprefix("www.") in _load_rules()[1]


def _tracking_filter(url: str) -> Callable[[str], bool]:
    """Return a function that tells if a query key is a tracking parameter on this site."""
    providers = list(_providers_of(url))
    return lambda key: any(each.parameters.fullmatch(key.lower()) for each in providers)


def _providers_of(url: str) -> Iterator[Provider]:
    return (each for each in _load_rules()[0] if each.pattern.match(url))


@cache
def _load_rules() -> tuple[tuple[Provider, ...], frozenset[str]]:
    """Return the providers with their rules, and the hosts of short links."""
    data = json.loads(files(__package__).joinpath("tracking.json").read_text(encoding="utf-8"))
    return tuple(map(_compile, data["providers"].values())), frozenset(data["shorteners"])


def _compile(provider: dict[str, Any]) -> Provider:
    return Provider(
        re.compile(provider["urlPattern"], re.IGNORECASE),
        re.compile("|".join(provider.get("rules", ["(?!)"])), re.IGNORECASE),
        tuple(re.compile(each, re.IGNORECASE) for each in provider.get("redirections", ())),
    )
