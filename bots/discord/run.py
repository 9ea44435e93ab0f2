"""`reelseek discord`: the bot from its token to its end, and its invite link."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
import discord
import structlog

from bots.chat.service import ChatService
from bots.chat.store import ChatStore, open_chat_store
from bots.commands.client import Client
from bots.connect import CommandError, connect, serve_health
from bots.discord import identity
from bots.discord.bot import Bot, may_read
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from worker.ops.health import FrontendHealth
from worker.protocol.messages import CallFailedError, GetSettings
from worker.settings import Settings

PERMISSIONS: Final = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
    add_reactions=True,
)
"""docs/discord.md says what each is for."""
SCOPES: Final = ("bot", "applications.commands")
START_WITHIN_S: Final = 4.0
NO_GOOD: Final = 2
"""The status of a process whose settings want mending."""
AT_ONCE: Final = 8
"""Servers whose settings are read at the same time."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Application:
    """What Discord says of a token's application."""

    id: int
    reads: bool
    """May ask for what is written in channels."""
    servers: tuple[int, ...]


async def run(settings: Settings, clock: Callable[[], float] = time.time) -> None:
    """Serves Discord until it is cancelled. Raises `CommandError`."""
    token = token_of(settings)
    if settings.redis_url is None:
        raise CommandError(translate(Msg.CHAT_NEEDS_REDIS), NO_GOOD)
    redis_url = settings.redis_url.get_secret_value()
    with serve_health(settings) as vitals:
        application = await look(token)
        async with (
            connect(settings) as client,
            open_chat_store(redis_url, settings.person_rate, settings.space_rate, settings.keep_shown_s) as kept,
        ):
            while await serve_once(token, application, client, kept, clock, vitals):
                application = await look(token)


async def serve_once(
    token: str,
    application: Application,
    client: Client,
    kept: ChatStore,
    clock: Callable[[], float] = time.time,
    vitals: FrontendHealth | None = None,
) -> bool:
    """One connection with one set of intents. Whether another is wanted. Raises `CommandError`."""
    vitals = vitals or FrontendHealth()
    front = ChatService(client, kept, vitals.metrics)
    serve_health, unsure = await _watched(front, application.servers)
    if any(serve_health.values()) and not application.reads:
        log.warning("intent.missing", mend=translate(Msg.DISCORD_INTENT))
    async with Bot(front, serve_health, reads=application.reads and any(serve_health.values()), clock=clock) as bot:
        bot.unsure = unsure
        await bot.login(token)
        async with front.picking_up(identity.PLATFORM, bot.responder), vitals.beating(bot.connected):
            counting = asyncio.create_task(bot.servers.compare(set(application.servers)))
            try:
                await bot.connect()
            except discord.PrivilegedIntentsRequired as error:
                raise CommandError(translate(Msg.DISCORD_INTENT), NO_GOOD) from error
            finally:
                counting.cancel()
                await bot.close()
    return bot.again


async def look(token: str) -> Application:
    """What Discord says of a token. Raises `CommandError`."""
    async with logged_in(token) as client:
        reads = may_read(await client.application_info())
        servers = [server.id async for server in client.fetch_guilds(limit=None, with_counts=False)]
        assert client.application_id is not None  # noqa: S101  # known from the log-in on
        return Application(client.application_id, reads, tuple(servers))


@asynccontextmanager
async def logged_in(token: str) -> AsyncIterator[discord.Client]:
    """A client that hears nothing, for a few questions. Raises `CommandError`."""
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # nothing here speaks
    client = discord.Client(intents=discord.Intents.none())
    async with client:
        try:
            async with asyncio.timeout(START_WITHIN_S):
                await client.login(token)
        except discord.LoginFailure as error:
            raise CommandError(translate(Msg.DISCORD_REFUSED), NO_GOOD) from error
        except (aiohttp.ClientError, discord.HTTPException, OSError, TimeoutError) as error:
            raise CommandError(translate(Msg.DISCORD_UNREACHABLE)) from error
        yield client


def invite_link(application_id: int) -> str:
    """Where an admin adds the bot to a server, with the least that serves."""
    return discord.utils.oauth_url(application_id, permissions=PERMISSIONS, scopes=SCOPES)


async def invite(settings: Settings) -> str:
    """The invite link of the application whose token is set. Raises `CommandError`."""
    return invite_link((await look(token_of(settings))).id)


def token_of(settings: Settings) -> str:
    """The bot's own. Raises `CommandError` where none is set."""
    if settings.discord_token is None or not settings.discord_token.get_secret_value().strip():
        raise CommandError(translate(Msg.DISCORD_NEEDS_TOKEN), NO_GOOD)
    return settings.discord_token.get_secret_value()


async def _watched(front: ChatService, servers: Sequence[int]) -> tuple[dict[int, frozenset[str]], set[int]]:
    """The watched channels of each server, and the servers whose settings could not be read now."""
    gate, serve_health, unsure = asyncio.Semaphore(AT_ONCE), {}, set()

    async def ask(server: int) -> None:
        async with gate:
            try:
                found = await front.client.call(GetSettings(caller=identity.of_server(server)))
                serve_health[server] = frozenset(found.watched)
            except CallFailedError:
                unsure.add(server)

    try:
        async with asyncio.timeout(START_WITHIN_S):
            await asyncio.gather(*map(ask, servers))
    except TimeoutError:
        unsure |= set(servers) - set(serve_health)
    return serve_health, unsure
