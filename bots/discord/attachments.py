"""Addresses of uploaded files: Discord signs them for a day, so they are signed again when they are needed."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs, urlsplit

import aiohttp
import discord
import structlog

from bots.commands.replies import Card, LibraryItem, LibraryPage, Reply, Results, Shared
from bots.discord.render import MAX_LINK_CHARS

MAX_REFRESHED_AT_ONCE: Final = 50
"""Discord's limit of addresses per request."""
MAX_CACHED: Final = 10_000
MIN_REMAINING_S: Final = 3600.0
"""An address that expires sooner is signed again: its video may wait in the queue, or its card be read later."""

_ATTACHMENT: Final = re.compile(
    r"https://(?:cdn\.discordapp\.com|media\.discordapp\.net|cdn\.discord\.com)/attachments/(\d+)/(\d+)/[^?#]+"
)

log = structlog.get_logger()


class AttachmentSigner:
    """Signs addresses of attachments anew. One instance serves a whole bot process."""

    def __init__(self, client: discord.Client, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock
        self._signed: dict[str, str] = {}
        """Addresses with a signature, by their address without one."""

    async def sign_links(self, links: Sequence[str]) -> list[str]:
        """Return links that are about to be fetched, with a valid signature each if Discord gives one."""
        stale = [link for link in links if _ATTACHMENT.match(link) and not self._is_valid(link)]
        signed = await self._sign(stale)
        return [signed.get(_strip_signature(link), link) for link in links]

    async def sign_reply(self, reply: Reply, guild_id: int) -> Reply:
        """Return a reply whose links to attachments can be opened: signed anew, or else those of their messages."""
        match reply:
            case Results():
                signed = await self._sign(card.link for card in reply.cards)
                return replace(reply, cards=tuple(_open_card(card, signed, guild_id) for card in reply.cards))
            case LibraryPage():
                signed = await self._sign(item.link for item in reply.entries)
                return replace(reply, entries=tuple(_open_item(item, signed, guild_id) for item in reply.entries))
            case Shared():
                signed = await self._sign([reply.card.link])
                return replace(reply, card=_open_card(reply.card, signed, guild_id))
        return reply

    async def _sign(self, links: Iterable[str]) -> dict[str, str]:
        """Return the signed addresses of those links that lead to attachments, by their address without signature."""
        wanted = list(dict.fromkeys(_strip_signature(link) for link in links if _ATTACHMENT.match(link)))
        missing = [address for address in wanted if not self._is_valid(self._signed.get(address, ""))]
        for start in range(0, len(missing), MAX_REFRESHED_AT_ONCE):
            await self._request(missing[start : start + MAX_REFRESHED_AT_ONCE])
        return {address: signed for address in wanted if self._is_valid(signed := self._signed.get(address, ""))}

    async def _request(self, addresses: Sequence[str]) -> None:
        # discord.py has no method for this endpoint.
        route = discord.http.Route("POST", "/attachments/refresh-urls")
        try:
            answer = await self._client.http.request(route, json={"attachment_urls": list(addresses)})
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.warning("attachments.not_signed", count=len(addresses), error=error)
            return
        if len(self._signed) > MAX_CACHED:
            self._signed.clear()
        for each in answer["refreshed_urls"]:
            if each.get("refreshed"):
                self._signed[_strip_signature(each["original"])] = each["refreshed"]

    def _is_valid(self, address: str) -> bool:
        with suppress(ValueError, LookupError):
            expires_at = int(parse_qs(urlsplit(address).query)["ex"][0], 16)
            return expires_at - self._clock() > MIN_REMAINING_S
        return False


def _open_card(card: Card, signed: Mapping[str, str], guild_id: int) -> Card:
    fragment = urlsplit(card.moment_link).fragment
    link = _find_open_link(card.link, card.message_id, signed, guild_id, f"#{fragment}" if fragment else "")
    return replace(card, moment_link=link) if link else card


def _open_item(item: LibraryItem, signed: Mapping[str, str], guild_id: int) -> LibraryItem:
    link = _find_open_link(item.link, item.message_id, signed, guild_id)
    return replace(item, link=link) if link else item


def _find_open_link(
    link: str, message_id: str | None, signed: Mapping[str, str], guild_id: int, fragment: str = ""
) -> str | None:
    """Return where a link to an attachment leads: to its signed address, or else to its message. None for others."""
    found = _ATTACHMENT.match(link)
    if not found:
        return None
    address = signed.get(found[0], "").rstrip("&") + fragment
    if found[0] in signed and len(address) <= MAX_LINK_CHARS:
        return address
    # The id of an attachment leads to its message, too: Discord shows what was posted around that time.
    channel_id, attachment_id = found.groups()
    return f"https://discord.com/channels/{guild_id}/{channel_id}/{message_id or attachment_id}"


def _strip_signature(link: str) -> str:
    found = _ATTACHMENT.match(link)
    return found[0] if found else link
