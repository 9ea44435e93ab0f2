"""Addresses of uploaded files: Discord signs them for a day, so they are signed again when they are needed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import aiohttp
import discord
import structlog

from bots.commands.replies import Card, LibraryItem, LibraryPage, Reply, Results, Shared
from bots.discord.render import MAX_LINK_CHARS
from worker.protocol.links import is_signed_until, link_to_message, strip_signature

MAX_REFRESHED_AT_ONCE: Final = 50
"""Discord's limit of addresses per request."""
MAX_CACHED: Final = 10_000
MAX_FRAGMENT_CHARS: Final = 8
MIN_REMAINING_S: Final = 3600.0
"""An address that expires sooner is signed again: its video may wait in the queue, or its card be read later."""

log = structlog.get_logger()


class AttachmentSigner:
    """Renews the signatures of attachments' addresses. One instance serves a whole bot process."""

    def __init__(self, client: discord.Client, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._signed: dict[str, str] = {}
        """Addresses with a signature, by their address without one."""

    async def sign_links(self, links: Sequence[str]) -> list[str]:
        """Return links that are about to be fetched, with a valid signature each if Discord gives one."""
        signed = await self._sign(link for link in links if not self._is_valid(link))
        return [signed.get(strip_signature(link) or "", link) for link in links]

    async def sign_reply(self, reply: Reply, space: str) -> Reply:
        """Return a reply whose links to attachments can be opened: newly signed, or else those of their messages."""
        match reply:
            case Results():
                signed = await self._sign(card.link for card in reply.cards)
                return replace(reply, cards=tuple(_open_card(card, signed) for card in reply.cards))
            case LibraryPage():
                signed = await self._sign(item.link for item in reply.entries)
                return replace(reply, entries=tuple(_open_item(item, signed, space) for item in reply.entries))
            case Shared():
                signed = await self._sign([reply.card.link])
                return replace(reply, card=_open_card(reply.card, signed))
        return reply

    async def _sign(self, links: Iterable[str]) -> dict[str, str]:
        """Return the signed addresses of those links that lead to attachments, by their address without signature."""
        wanted = list(dict.fromkeys(filter(None, map(strip_signature, links))))
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
                self._signed[strip_signature(each["original"]) or each["original"]] = each["refreshed"]

    def _is_valid(self, address: str) -> bool:
        return is_signed_until(address, self._clock() + MIN_REMAINING_S)


def _open_card(card: Card, signed: Mapping[str, str]) -> Card:
    """Return a card that opens its file at the second. Without a signature it leads to the message, as it is."""
    second = int(card.start_s if card.opens_at_s is None else card.opens_at_s)
    fragment = f"#t={second}" if second else ""
    link = _find_signed(card.link, signed)
    return replace(card, moment_link=f"{link}{fragment}", note=None) if link else card


def _open_item(item: LibraryItem, signed: Mapping[str, str], space: str) -> LibraryItem:
    link = _find_signed(item.link, signed) or link_to_message(item.link, space, item.message_id)
    return replace(item, link=link) if link else item


def _find_signed(link: str, signed: Mapping[str, str]) -> str | None:
    """Return the signed address of an attachment, if there is one that fits into a message."""
    address = signed.get(strip_signature(link) or "", "").rstrip("&")
    return address if 0 < len(address) <= MAX_LINK_CHARS - MAX_FRAGMENT_CHARS else None
