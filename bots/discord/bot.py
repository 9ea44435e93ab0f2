"""The bot: Discord's events become errands, each acknowledged at once."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias

import aiohttp
import discord
import structlog

from bots.chat.parsing import links_in
from bots.chat.service import Action, ChatService
from bots.chat.store import ChatRequest
from bots.commands import search
from bots.commands.registry import PUBLIC
from bots.discord import buttons, commands, identity
from bots.discord.guilds import GuildTracker
from bots.discord.responder import ANSWER, BESIDE, MESSAGE, DiscordResponder
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller, CallFailedError, GetSettings

LEARN_EVERY_S: Final = 30.0
CALM_WITHIN_S: Final = 1.0
CONNECTIONS: Final = 32
"""To Discord, at once: opening one takes longer than waiting for one."""

Args: TypeAlias = Mapping[str, Any]
SlowArgs: TypeAlias = Callable[[], Awaitable[Args]]

log = structlog.get_logger()


class Bot(discord.AutoShardedClient):
    """One serves a whole bot process. `watched` says which channels of which server are watched.

    `reads`: asks Discord for what is written there, for which it must be allowed.
    """

    def __init__(
        self,
        front: ChatService,
        watched: Mapping[int, frozenset[str]] | None = None,
        *,
        reads: bool = False,
        clock: Callable[[], float] = time.time,
        learn_every_s: float = LEARN_EVERY_S,
        **options: Any,
    ) -> None:
        super().__init__(
            intents=intents(reads),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            **options,
        )
        self.watched = dict(watched or {})
        self.unsure: set[int] = set()
        """Servers whose settings are not known yet."""
        self.again = False
        """Ended to connect anew, with other intents."""
        self.front = front
        self.clock = clock
        self.learn_every_s = learn_every_s
        self.responder = DiscordResponder(self, front.client, clock)
        self.servers = GuildTracker(front.chat_store, self._tell_of_server)
        self.tree = commands.tree(self)
        self._serving: set[asyncio.Task[Any]] = set()
        self._hurried = 0
        self._calm = asyncio.Event()
        self._calm.set()

    async def setup_hook(self) -> None:
        self.add_dynamic_items(*buttons.ALL)
        self._learning = asyncio.create_task(self._learn_rest())
        await self.tree.set_translator(commands.Translated())
        try:
            await self.tree.sync()
        except discord.HTTPException:
            # Those of the last start still work; `reelseek doctor` says what is wrong.
            log.exception("sync.failed", correlation_id=uuid.uuid4().hex[:8])

    async def close(self) -> None:
        """Gives unfinished errands back before the connection goes."""
        serving = self._serving - {asyncio.current_task()}
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await super().close()

    async def connected(self) -> bool:
        """Whether Discord can reach this process now, over every shard."""
        return self.is_ready() and not any(shard.is_closed() for shard in self.shards.values())

    async def _learn_rest(self) -> None:
        async with self._kept():
            await self.wait_until_ready()
            while True:
                for server in list(self.unsure):
                    await self.learn(server)
                await asyncio.sleep(self.learn_every_s)

    # ---- commands ----

    async def ask(self, interaction: discord.Interaction, command: str, args: Args | SlowArgs) -> None:
        """Acknowledges a command and answers it. Arguments that take time to get are got in between."""
        caller = identity.of_interaction(interaction)
        async with self._hurrying():
            decided = await self.front.settings(caller)
            private = decided.answers == "private" or command not in PUBLIC
            heard = await self.acknowledged(interaction, thinking=True, ephemeral=private)
        if heard:
            locale = decided.language or str(interaction.locale)
            place = identity.place(interaction, ANSWER)
            async with self._kept():
                try:
                    given = args if isinstance(args, Mapping) else await args()
                except CallFailedError as error:
                    await self._tell(error, command, caller, locale, place)
                except asyncio.CancelledError:
                    # There is no errand yet that the next process could answer.
                    await self._tell(CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, ""), command, caller, locale, place)
                    raise
                else:
                    await self.serve(command, given, caller, locale, place)
            if command == "settings":
                await self._settled(interaction, locale)

    async def pressed(self, interaction: discord.Interaction, token: str, action: Action, number: int) -> None:
        """A button under results: turning pages stays in place for whom they are for, all else is private."""
        caller = identity.of_interaction(interaction)
        in_place = action == "share" or (action in ("next", "previous") and _own(interaction))
        async with self._hurrying():
            heard = await self.acknowledged(interaction, thinking=not in_place, ephemeral=True)
        if heard:
            decided = await self.front.settings(caller)
            locale = decided.language or str(interaction.locale)
            args = {"token": token, "action": action, "number": number}
            way = BESIDE if in_place else ANSWER
            await self.serve("press", args, caller, locale, identity.place(interaction, way))

    async def chosen(self, interaction: discord.Interaction, command: str, args: Mapping[str, Any]) -> None:
        """A button or menu that runs a command: the answer takes its place."""
        caller = identity.of_interaction(interaction)
        async with self._hurrying():
            heard = await self.acknowledged(interaction)
        if heard:
            decided = await self.front.settings(caller)
            locale = decided.language or str(interaction.locale)
            await self.serve(command, args, caller, locale, identity.place(interaction, ANSWER))
            if command == "settings":
                await self._settled(interaction, locale)

    async def acknowledged(self, interaction: discord.Interaction, **how: Any) -> bool:
        """Whether Discord took the acknowledgement: an event that came twice, or came too late, is nobody's."""
        try:
            await interaction.response.defer(**how)
        except discord.HTTPException as refused:
            log.warning("acknowledge.refused", interaction=interaction.id, code=refused.code, error=refused.text)
            return False
        return True

    async def serve(
        self, command: str, args: Mapping[str, Any], caller: Caller, locale: str, place: Mapping[str, str]
    ) -> None:
        """Answers to the end; given back if this process ends first."""
        request = ChatRequest(identity.PLATFORM, command, args, caller, locale, place, at=self.clock())
        async with self._kept():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._calm.wait(), CALM_WITHIN_S)
            await self.front.serve(request, self.responder)

    async def _tell(
        self, error: CallFailedError, command: str, caller: Caller, locale: str, place: Mapping[str, str]
    ) -> None:
        with use_locale(locale):
            request = ChatRequest(identity.PLATFORM, command, {}, caller, locale, place, at=self.clock())
            await self.responder.show(request, search.surprised(error))

    @asynccontextmanager
    async def _hurrying(self) -> AsyncIterator[None]:
        """While anybody is inside, answers wait: where many ask at once, all are acknowledged first."""
        self._hurried += 1
        self._calm.clear()
        try:
            with self.front.metrics.acknowledging(identity.PLATFORM):
                yield
        finally:
            self._hurried -= 1
            if not self._hurried:
                self._calm.set()

    @asynccontextmanager
    async def _kept(self) -> AsyncIterator[None]:
        """Inside, `close` ends this task and waits for it. May be used inside itself."""
        task = asyncio.current_task()
        entered = {task} - self._serving if task else set()
        self._serving |= entered
        try:
            yield
        finally:
            self._serving -= entered

    # ---- servers come and go ----

    async def on_guild_join(self, guild: discord.Guild) -> None:
        async with self._kept():
            await self.servers.changed(guild.id, here=True)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        async with self._kept():
            await self.servers.changed(guild.id, here=False)

    async def _tell_of_server(self, guild_id: int, here: bool) -> None:
        await self.serve("leave", {"back": here}, identity.of_server(guild_id), "", {})

    # ---- watched channels ----

    async def learn(self, guild_id: int) -> bool:
        """Reads which channels are watched. Whether that takes an intent which this connection does not have."""
        try:
            decided = await self.front.client.call(GetSettings(caller=identity.of_server(guild_id)))
            self.watched[guild_id] = frozenset(decided.watched)
            lacks = any(self.watched.values()) and not self.intents.message_content
            allowed = lacks and may_read(await self.application_info())
        except (CallFailedError, discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.warning("watched.unknown", server=guild_id, error=error)
            self.unsure.add(guild_id)
            return False
        self.unsure.discard(guild_id)
        if allowed:
            self.again = True
            # Not by this task, which ending would cancel.
            self._ending = asyncio.create_task(self.close())
            return False
        return lacks

    async def _settled(self, interaction: discord.Interaction, locale: str) -> None:
        """After the settings were looked at or changed: watching takes a leave that only the bot's owner can give."""
        if interaction.guild_id and await self.learn(interaction.guild_id):
            with use_locale(locale):
                await interaction.followup.send(translate(Msg.DISCORD_INTENT), ephemeral=True)

    async def on_message(self, message: discord.Message) -> None:
        links = links_in(message.content)
        if links and not message.author.bot and self._watches(message.guild, message.channel):
            await self._watch(message, links, "sent")

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        message = payload.message
        # Discord tells of its own previews as edits too: those have no time of edit.
        if message.edited_at and not message.author.bot and self._watches(message.guild, message.channel):
            await self._watch(message, links_in(message.content), message.edited_at.isoformat())

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        await self._deleted(payload.guild_id, payload.channel_id, payload.message_id)

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        for message_id in payload.message_ids:
            await self._deleted(payload.guild_id, payload.channel_id, message_id)

    async def _watch(self, message: discord.Message, links: list[str], version: str) -> None:
        try:
            if not await self.front.chat_store.first(f"discord:{message.id}:{version}"):
                return
        except CallFailedError:
            # Told by the errand itself, which needs the same Redis.
            log.info("watch.unsure", message=message.id)
        caller = identity.of_message(message)
        decided = await self.front.settings(caller)
        locale = decided.language or str(message.guild.preferred_locale if message.guild else "")
        place = {"way": MESSAGE, "channel": str(message.channel.id), "message": str(message.id)}
        await self.serve("watch", {"message": str(message.id), "links": links}, caller, locale, place)

    async def _deleted(self, guild_id: int | None, channel_id: int, message_id: int) -> None:
        """What was added while the channel was watched goes with its message, watched or not, known or not."""
        if guild_id is None:
            return
        place = {"way": MESSAGE, "channel": str(channel_id), "message": str(message_id)}
        args = {"message": str(message_id), "links": []}
        await self.serve("watch", args, identity.of_server(guild_id), "en", place)

    def _watches(self, guild: discord.Guild | None, channel: Any) -> bool:
        if guild is None or channel is None:
            return False
        ids = {str(channel.id), str(getattr(channel, "parent_id", ""))}
        return not ids.isdisjoint(self.watched.get(guild.id, frozenset()))


def intents(watching: bool) -> discord.Intents:
    """The least that serves: what is written is asked for only where a channel is watched."""
    wanted = discord.Intents(guilds=True)
    wanted.guild_messages = wanted.message_content = watching
    return wanted


def may_read(application: discord.AppInfo) -> bool:
    """Whether Discord lets it ask for what is written in channels."""
    return application.flags.gateway_message_content or application.flags.gateway_message_content_limited


def _own(interaction: discord.Interaction) -> bool:
    """Whether the results under which a button was pressed are an answer to who pressed it."""
    message = interaction.message
    if message is None or message.flags.ephemeral:
        return True
    asked = message.interaction_metadata
    return asked is not None and asked.user.id == interaction.user.id
