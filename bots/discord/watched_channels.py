"""The channels whose links are indexed automatically."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

import discord

from bots.commands.client import Client
from bots.discord.identity import guild_as_caller
from worker.protocol.base import CallFailedError
from worker.protocol.spaces import GetSettings

CONCURRENT_LOADS: Final = 8


class WatchedChannels:
    """The watched channels of each guild, as its settings say."""

    def __init__(self, client: Client, channels: Mapping[int, frozenset[str]] | None = None) -> None:
        self._client = client
        self._channels = dict(channels or {})
        self.unloaded_guilds: set[int] = set()
        """Guilds whose settings could not be read yet."""

    @property
    def is_empty(self) -> bool:
        """Whether no guild watches a channel."""
        return not any(self._channels.values())

    async def load(self, guild_id: int) -> None:
        """Read which channels a guild watches. Raises `CallFailedError`."""
        settings = await self._client.call(GetSettings(caller=guild_as_caller(guild_id)))
        self._channels[guild_id] = frozenset(settings.watched)

    async def load_all(self, guild_ids: Iterable[int], timeout_s: float) -> None:
        """Read the settings of many guilds. Those that fail or take too long are left in `unloaded_guilds`."""
        self.unloaded_guilds = set(guild_ids)
        semaphore = asyncio.Semaphore(CONCURRENT_LOADS)

        async def load_one(guild_id: int) -> None:
            async with semaphore:
                await self.load(guild_id)
                self.unloaded_guilds.discard(guild_id)

        tasks = [asyncio.create_task(load_one(guild_id)) for guild_id in guild_ids]
        try:
            async with asyncio.timeout(timeout_s):
                for failure in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(failure, Exception) and not isinstance(failure, CallFailedError):
                        raise failure
        except TimeoutError:
            pass

    def is_watched(self, guild: discord.Guild | None, channel: Any) -> bool:
        """Return whether a guild watches a channel, or the channel of a thread."""
        if guild is None or channel is None:
            return False
        ids = {str(channel.id), str(getattr(channel, "parent_id", ""))}
        return not ids.isdisjoint(self._channels.get(guild.id, frozenset()))


def make_intents(reads_messages: bool) -> discord.Intents:
    """Return the fewest intents that suffice. Messages are read only if a channel is watched."""
    intents = discord.Intents(guilds=True)
    intents.guild_messages = intents.message_content = reads_messages
    return intents


def may_read_messages(application: discord.AppInfo) -> bool:
    """Return whether Discord grants the application the message content intent."""
    return application.flags.gateway_message_content or application.flags.gateway_message_content_limited
