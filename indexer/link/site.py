"""The links of a site: which addresses are the same video, and how a link opens it at a second."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from yarl import URL

AddressReader: TypeAlias = Callable[[URL], str | None]
"""Returns the canonical address of the video that a link of the site leads to, or None if it leads to no video."""

Form: TypeAlias = str | tuple[str, str]
"""A regular expression for a whole path, with the group `id`; or one for a path, and a query parameter with the id."""

_SUBDOMAINS: Final = re.compile(r"^(?:www|m|mobile|old|new|touch|mbasic|web)\.")


@dataclass(frozen=True)
class Site:
    """One site. A link belongs to it if its host is one of `hosts`, or a subdomain of one.

    Hosts that begin with one of `mirrors` belong to it, too: people run mirrors of the site under such names.
    `jump` is what opens a video at a second: a query parameter (`t={s}`) or a fragment (`#t={s}`). Without it, links of
    the site cannot do so.
    """

    name: str
    hosts: tuple[str, ...]
    read_address: AddressReader | None
    """None: any address of the site may be a video, and is identified as one of an unknown site."""
    jump: str | None = None
    fetched_form: tuple[str, str] | None = None
    """What to replace in the canonical address so that yt-dlp knows it."""
    is_signed: bool = False
    """Whether a video can only be fetched with the signature of the link that was sent."""
    has_file_names: bool = False
    """Whether addresses have names that people gave, in any script; otherwise they have ASCII letters only."""
    mirrors: tuple[str, ...] = ()

    def owns(self, host: str) -> bool:
        """Return whether links with this host belong to the site."""
        return any(host == each or host.endswith(f".{each}") for each in self.hosts) or host.startswith(self.mirrors)

    def find_address(self, url: URL) -> str | None:
        """Return the canonical address of the video that a link leads to, or None if that is not known."""
        return self.read_address(url) if self.read_address else None

    def address_to_fetch(self, canonical_url: str) -> str:
        """Return the form of a canonical address that yt-dlp fetches."""
        return canonical_url.replace(*self.fetched_form, 1) if self.fetched_form else canonical_url


def append_second(url: str, jump: str, second: int) -> str:
    """Append a second to a link, as a fragment if `jump` begins with `#`, otherwise as a query parameter."""
    h, m, sec = second // 3600, second // 60 % 60, second % 60
    end = jump.format(s=second, h=h, m=m, sec=sec)
    if end.startswith("#"):
        return f"{url}{end}"
    return f"{url}{'&' if '?' in url else '?'}{end}"


def bare_host(url: URL) -> str:
    """Return the host of a link without a prefix such as `www.` or `m.`, and without a final dot."""
    return _SUBDOMAINS.sub("", (url.raw_host or "").lower().rstrip("."))


def address_by_forms(template: str, *forms: Form) -> AddressReader:
    """Return a reader that fills `template` with the id (and other groups) of the first form that a link has."""
    compiled = [(re.compile(form if isinstance(form, str) else form[0], re.ASCII), form) for form in forms]

    def read_address(url: URL) -> str | None:
        path = url.path.rstrip("/") or "/"
        for pattern, form in compiled:
            found = pattern.fullmatch(path)
            if not found:
                continue
            values = {key: value or "" for key, value in found.groupdict().items()}
            if not isinstance(form, str):
                values["id"] = url.query.get(form[1], "")
            if re.fullmatch(r"[\w:-]+", values.get("id", ""), re.ASCII):
                return template.format(**values)
        return None

    return read_address
