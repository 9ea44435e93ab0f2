"""`reelseek discord`: runs the bot, and prints its invite link."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
import discord
import structlog

from bots.chat.service import ChatService
from bots.chat.stores import ChatStores, open_chat_stores
from bots.commands.client import Client
from bots.connect import CONFIGURATION_ERROR, CommandError, connect, serve_health
from bots.discord.bot import Bot
from bots.discord.identity import PLATFORM
from bots.discord.watched_channels import WatchedChannels, may_read_messages
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from worker.environment import find_environment_proxy
from worker.ops.health import FrontendHealth
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
START_TIMEOUT_S: Final = 4.0

log = structlog.get_logger()


@dataclass(frozen=True)
class Application:
    """What Discord reports about a token's application."""

    id: int
    may_read_messages: bool
    """Whether Discord grants it the message content intent."""
    guild_ids: frozenset[int]


async def run(settings: Settings, clock: Callable[[], float] = time.time) -> None:
    """Serve Discord until the task is cancelled. Raises `CommandError` if the bot cannot start."""
    token = require_token(settings)
    if settings.redis_url is None:
        raise CommandError(translate(Msg.CHAT_NEEDS_REDIS), CONFIGURATION_ERROR)
    redis_url = settings.redis_url.get_secret_value()
    with serve_health(settings) as health:
        application = await fetch_application(token)
        async with (
            connect(settings) as client,
            open_chat_stores(redis_url, settings.person_rate, settings.space_rate, settings.results_ttl_s) as stores,
        ):
            while await run_connection(token, application, client, stores, clock, health):
                application = await fetch_application(token)


async def run_connection(
    token: str,
    application: Application,
    client: Client,
    stores: ChatStores,
    clock: Callable[[], float] = time.time,
    health: FrontendHealth | None = None,
) -> bool:
    """Run one gateway connection. Returns True if the bot must reconnect with other intents. Raises `CommandError`."""
    health = health or FrontendHealth()
    chat = ChatService(client, stores, health.metrics)
    watched = WatchedChannels(client)
    await watched.load_all(application.guild_ids, START_TIMEOUT_S)
    reads_messages = application.may_read_messages and not watched.is_empty
    if not watched.is_empty and not application.may_read_messages:
        log.warning("message_content_intent.missing", fix=translate(Msg.DISCORD_INTENT))
    async with Bot(chat, watched, reads_messages=reads_messages, clock=clock) as bot:
        await bot.login(token)
        async with chat.recover_requests(PLATFORM, bot.responder), health.watch_connection(bot.is_connected):
            recording = asyncio.create_task(bot.guild_tracker.record_changes(application.guild_ids))
            try:
                await bot.connect()
            except discord.PrivilegedIntentsRequired as error:
                raise CommandError(translate(Msg.DISCORD_INTENT), CONFIGURATION_ERROR) from error
            finally:
                recording.cancel()
                await bot.close()
    return bot.needs_reconnect


async def fetch_application(token: str) -> Application:
    """Ask Discord about a token's application. Raises `CommandError`."""
    async with log_in(token) as client:
        application = await client.application_info()
        guild_ids = frozenset([guild.id async for guild in client.fetch_guilds(limit=None, with_counts=False)])
        return Application(application.id, may_read_messages(application), guild_ids)


@asynccontextmanager
async def log_in(token: str) -> AsyncIterator[discord.Client]:
    """Log in a client for a few API calls, without a gateway connection. Raises `CommandError`."""
    # Reelseek has no voice features; without this discord.py warns that their libraries are missing.
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
    client = discord.Client(intents=discord.Intents.none(), proxy=find_environment_proxy(discord.http.Route.BASE))
    async with client:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await client.login(token)
        except discord.LoginFailure as error:
            raise CommandError(translate(Msg.DISCORD_REFUSED), CONFIGURATION_ERROR) from error
        except (aiohttp.ClientError, discord.HTTPException, OSError, TimeoutError) as error:
            raise CommandError(translate(Msg.DISCORD_UNREACHABLE)) from error
        yield client


def make_invite_link(application_id: int) -> str:
    """Return the link by which an admin adds the bot to a server, with the fewest permissions that suffice."""
    return discord.utils.oauth_url(application_id, permissions=PERMISSIONS, scopes=SCOPES)


async def fetch_invite_link(settings: Settings) -> str:
    """Return the invite link of the application whose token is set. Raises `CommandError`."""
    return make_invite_link((await fetch_application(require_token(settings))).id)


def require_token(settings: Settings) -> str:
    """Return the bot token. Raises `CommandError` if none is set."""
    if settings.discord_token is None or not settings.discord_token.get_secret_value().strip():
        raise CommandError(translate(Msg.DISCORD_NEEDS_TOKEN), CONFIGURATION_ERROR)
    return settings.discord_token.get_secret_value()
