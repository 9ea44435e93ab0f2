"""What `reelseek index` would make of a text: its links, without fetching or storing anything."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from bots.chat.links import find_links
from bots.cli.json_output import print_object
from bots.cli.render import Terminal
from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import format_clock, translate
from indexer.errors import LinkRefusedError
from indexer.link.canonical import canonicalize, link_to_local_file, link_to_second
from indexer.sandbox.guard import SsrfGuard
from worker.protocol.error_codes import error_code_of
from worker.settings import Settings


@dataclass(frozen=True)
class LinkReport:
    """One link, the address that identifies its video, a link to a second of it, and why it is refused, if it is."""

    link: str
    canonical: str | None
    jump: str | None
    refused: str | None


def describe_links(texts: Sequence[str], at_s: float, settings: Settings) -> list[LinkReport]:
    """Describe the links in texts. A text may be the `file://` address of a local file. Host names are not resolved."""
    guard = SsrfGuard(settings.allow_networks, settings.fetch_proxy, resolve=_resolve_own_name)
    return [_describe(link, at_s, guard) for link in _find_in_all(texts)]


def print_links(reports: Sequence[LinkReport], at_s: float, terminal: Terminal, as_json: bool) -> None:
    """Print what `describe_links` found: one JSON object for each link, or sentences."""
    for report in reports:
        if as_json:
            print_object(asdict(report))
        elif report.refused:
            terminal.say(CliMsg.LINK_IS_REFUSED, link=report.link, reason=report.refused)
        else:
            terminal.say(CliMsg.LINK_IS_VIDEO, link=report.link, canonical=report.canonical)
            terminal.say(CliMsg.LINK_OPENS_AT, time=format_clock(at_s), jump=report.jump)
    if not reports and not as_json:
        terminal.complain(translate(CliMsg.NO_LINK_IN_TEXT))


def _resolve_own_name(host: str) -> list[str]:
    return ["127.0.0.1"] if f".{host}".endswith(".localhost") else []


def _find_in_all(texts: Sequence[str]) -> Iterable[str]:
    links = (link for text in texts for link in ([text] if text.startswith("file://") else find_links(text)))
    return dict.fromkeys(links)


def _describe(link: str, at_s: float, guard: SsrfGuard) -> LinkReport:
    canonical = None
    try:
        if link.startswith("file://"):
            canonical = link_to_local_file(link).url
        else:
            found = canonicalize(link)
            canonical = found.url
            guard.check_url(found.fetch_url)
    except LinkRefusedError as error:
        return LinkReport(link, canonical, None, translate(error_code_of(error)))
    return LinkReport(link, canonical, link_to_second(canonical, at_s), None)
