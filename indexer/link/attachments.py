"""Addresses of files that people uploaded to Discord: they open with a signature only, which expires after a day."""

import re
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qs, urlsplit

_ATTACHMENT: Final = re.compile(
    r"https://(?:cdn\.discordapp\.com|media\.discordapp\.net|cdn\.discord\.com)/(?:ephemeral-)?attachments"
    r"/(\d+)/(\d+)/[^?#]+"
)


def strip_signature(link: str) -> str | None:
    """Return the address of an attachment without its signature, or None if the link is not one of an attachment."""
    found = _ATTACHMENT.match(link)
    return found[0] if found else None


def is_signed_until(link: str, at: float) -> bool:
    """Return whether a link has a signature that expires after `at` (Unix time)."""
    with suppress(ValueError, LookupError):
        return int(parse_qs(urlsplit(link).query)["ex"][0], 16) > at
    return False


def link_to_message(link: str, space: str, message_id: str | None) -> str | None:
    """Return a link to the message that has an attachment, or None for other links and outside of Discord.

    Without a `message_id`, the id of the attachment leads there: Discord shows what was posted around that time.
    """
    found = _ATTACHMENT.match(link)
    platform, _, guild_id = space.partition(":")
    if found is None or platform != "discord":
        return None
    channel_id, attachment_id = found.groups()
    return f"https://discord.com/channels/{guild_id}/{channel_id}/{message_id or attachment_id}"
