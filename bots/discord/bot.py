"""The Discord client: connects, and turns Discord's events into chat requests."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
import discord
import structlog

from bots.chat.background_tasks import BackgroundTasks, run_periodically
from bots.chat.requests import ChatRequest
from bots.chat.service import ChatService
from bots.discord import buttons, commands, identity
from bots.discord.guilds import GuildTracker
from bots.discord.identity import PLATFORM
from bots.discord.interactions import InteractionHandler
from bots.discord.message_links import find_message_links
from bots.discord.responder import DiscordResponder, ReplyMode
from bots.discord.watched_channels import WatchedChannels, make_intents, may_read_messages
from worker.environment import find_environment_proxy
from worker.ops.logs import current_correlation_id
from worker.protocol.base import Caller, CallFailedError

RETRY_INTERVAL_S: Final = 30.0
MAX_CONNECTIONS: Final = 32
"""Connections to Discord at once. Waiting for one is faster than opening one more."""

log = structlog.get_logger()


class Bot(discord.AutoShardedClient):
    """One connection to Discord. With `reads_messages` it asks for the message content intent."""

    def __init__(
        self,
        chat: ChatService,
        watched: WatchedChannels | None = None,
        *,
        reads_messages: bool = False,
        clock: Callable[[], float] = time.time,
        retry_interval_s: float = RETRY_INTERVAL_S,
        **options: Any,
    ) -> None:
        super().__init__(
            intents=make_intents(reads_messages),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
            proxy=find_environment_proxy(discord.http.Route.BASE),
            **options,
        )
        self.chat = chat
        self.watched = watched or WatchedChannels(chat.client)
        self.needs_reconnect = False
        """Whether the bot closed in order to connect again with other intents."""
        self.responder = DiscordResponder(self, chat.client, clock)
        self.guild_tracker = GuildTracker(chat.stores.notes, self._record_membership)
        self._clock = clock
        self._retry_interval_s = retry_interval_s
        self._tasks = BackgroundTasks()
        self.interactions = InteractionHandler(chat, self.responder, self._tasks, clock, self.load_watched_channels)
        self.tree = commands.build_tree(self, self.interactions)

    async def setup_hook(self) -> None:
        self.add_dynamic_items(*buttons.COMPONENTS)
        self._tasks.start(run_periodically(self._retry_unloaded_guilds, self._retry_interval_s))
        await self.tree.set_translator(commands.CatalogTranslator())
        try:
            await self.tree.sync()
        except discord.HTTPException:
            # The commands of the last start still work, and `reelseek doctor` reports what is missing.
            log.exception("commands.sync_failed", correlation_id=current_correlation_id())

    async def close(self) -> None:
        """Stop all answers, so that other processes can take them over, and then disconnect."""
        await self._tasks.stop()
        await super().close()

    async def is_connected(self) -> bool:
        """Return whether Discord can reach this process over every shard."""
        return self.is_ready() and not any(shard.is_closed() for shard in self.shards.values())

    # ---- guilds that add or remove the bot ----

    async def on_guild_join(self, guild: discord.Guild) -> None:
        with self._tasks.track_current():
            await self.guild_tracker.record_change(guild.id, is_member=True)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        with self._tasks.track_current():
            await self.guild_tracker.record_change(guild.id, is_member=False)

    async def _record_membership(self, guild_id: int, is_member: bool) -> None:
        caller = identity.guild_as_caller(guild_id)
        request = ChatRequest(PLATFORM, "leave", {"is_back": is_member}, caller, "en", {}, asked_at=self._clock())
        await self.chat.serve(request, self.responder)

    # ---- watched channels ----

    async def load_watched_channels(self, guild_id: int) -> bool:
        """Read which channels a guild watches. Returns True if Discord does not grant the intent that this takes.

        If the intent is granted but this connection lacks it, the bot closes (`needs_reconnect`).
        """
        try:
            await self.watched.load(guild_id)
            lacks_intent = not self.watched.is_empty and not self.intents.message_content
            is_granted = lacks_intent and may_read_messages(await self.application_info())
        except (CallFailedError, discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.warning("watched_channels.not_loaded", guild=guild_id, error=error)
            self.watched.unloaded_guilds.add(guild_id)
            return False
        self.watched.unloaded_guilds.discard(guild_id)
        if is_granted:
            self.needs_reconnect = True
            # In a task of its own, because closing cancels the tasks of events.
            self._closing = asyncio.create_task(self.close())
            return False
        return lacks_intent

    async def _retry_unloaded_guilds(self) -> None:
        await self.wait_until_ready()
        for guild_id in list(self.watched.unloaded_guilds):
            await self.load_watched_channels(guild_id)

    async def on_message(self, message: discord.Message) -> None:
        if message.author.bot or not self.watched.is_watched(message.guild, message.channel):
            return
        if links := find_message_links(message):
            await self._sync_message(message, links, version="sent")

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        message = payload.message
        # Discord also reports its own link previews as edits. Those have no time of edit.
        if message.edited_at and not message.author.bot and self.watched.is_watched(message.guild, message.channel):
            await self._sync_message(message, find_message_links(message), version=message.edited_at.isoformat())

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        await self._remove_message(payload.guild_id, payload.channel_id, payload.message_id)

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        for message_id in payload.message_ids:
            await self._remove_message(payload.guild_id, payload.channel_id, message_id)

    async def _sync_message(self, message: discord.Message, links: list[str], version: str) -> None:
        """Index the links of a new or edited message, and remove those that it no longer has."""
        try:
            if not await self.chat.stores.seen_events.mark_seen(f"{PLATFORM}:{message.id}:{version}"):
                return
        except CallFailedError:
            # The request needs Redis as well, and will report that it cannot be reached.
            log.info("event.not_deduplicated", message=message.id)
        caller = identity.caller_from_message(message)
        settings = await self.chat.settings(caller)
        locale = settings.language or (str(message.guild.preferred_locale) if message.guild else None)
        args = {"message_id": str(message.id), "links": await self.responder.signer.sign_links(links)}
        await self._serve_under_message(args, message.channel.id, caller, locale)

    async def _remove_message(self, guild_id: int | None, channel_id: int, message_id: int) -> None:
        """Remove what a deleted message added, even if its channel is unknown or not watched any more."""
        if guild_id is not None:
            args = {"message_id": str(message_id), "links": []}
            await self._serve_under_message(args, channel_id, identity.guild_as_caller(guild_id), "en")

    async def _serve_under_message(
        self, args: Mapping[str, Any], channel_id: int, caller: Caller, locale: str | None
    ) -> None:
        place = {"mode": ReplyMode.UNDER_MESSAGE, "channel": str(channel_id), "message": args["message_id"]}
        request = ChatRequest(PLATFORM, "watch", args, caller, locale, place, asked_at=self._clock())
        with self._tasks.track_current():
            await self.chat.serve(request, self.responder)
