"""`reelseek slack`: the app of one workspace over Socket Mode, or of many over HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import structlog
from aiohttp import web
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import FileInstallationStore
from slack_sdk.oauth.state_store import FileOAuthStateStore

from bots.chat.background_tasks import tasks
from bots.chat.service import ChatService
from bots.chat.store import ChatStore, open_chat_store
from bots.commands.client import Client
from bots.connect import CommandError, connect, serve_health
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.slack.bot import SlackBot
from bots.slack.responder import SlackResponder
from bots.slack.thumbnails import Pictures
from bots.slack.users import UserDirectory
from bots.slack.workspaces import API, WorkspaceClients
from worker.ops.health import FrontendHealth
from worker.ops.metrics import Metrics
from worker.settings import Settings

SCOPES: Final = (
    "app_mentions:read",
    "channels:history",
    "channels:read",
    "chat:write",
    "chat:write.public",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "mpim:read",
    "reactions:write",
    "users:read",
)
"""Those of slack-manifest.yaml; docs/slack.md says what each is for."""
PATH: Final = "/slack/events"
PING_EVERY_S: Final = 5.0
"""A connection that answers no ping is given up after this and a half, and made anew by the next ping."""
START_WITHIN_S: Final = 4.0
STATE_LASTS_S: Final = 600

log = structlog.get_logger()


@dataclass(frozen=True)
class Serving:
    """The app at work."""

    bot: SlackBot
    address: str = ""
    """Where it listens for Slack; empty over Socket Mode."""
    socket: AsyncSocketModeHandler | None = None

    async def connected(self) -> bool:
        """Whether Slack can reach this process now; over HTTP, that it listens."""
        return self.socket is None or await self.socket.client.is_connected()


async def run(settings: Settings) -> None:
    """Serves Slack until it is cancelled. Raises `CommandError`."""
    if settings.redis_url is None:
        raise CommandError(translate(Msg.CHAT_NEEDS_REDIS), 2)
    redis_url = settings.redis_url.get_secret_value()
    with serve_health(settings) as vitals:
        async with (
            connect(settings) as client,
            open_chat_store(redis_url, settings.person_rate, settings.space_rate, settings.keep_shown_s) as kept,
            serving(settings, client, kept, vitals=vitals) as served,
            vitals.beating(served.connected),
        ):
            log.info("slack.ready", address=served.address)
            await asyncio.Event().wait()


@asynccontextmanager
async def serving(
    settings: Settings,
    client: Client,
    kept: ChatStore,
    *,
    api: str = API,
    ping_every_s: float = PING_EVERY_S,
    clock: Callable[[], float] = time.time,
    vitals: FrontendHealth | None = None,
) -> AsyncIterator[Serving]:
    """The app, hearing Slack while inside. Raises `CommandError` where it can't."""
    metrics = vitals.metrics if vitals else Metrics()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        teams = connected(settings, session, api)
        team = await admitted(settings, teams)
        front = ChatService(client, kept, metrics)
        pictures = Pictures(client, kept, await stack.enter_async_context(tasks()))
        responder = SlackResponder(teams, pictures, clock)
        await stack.enter_async_context(front.picking_up("slack", responder))
        # Entered last, so that what is unanswered is put down while all that it needs is there.
        work = await stack.enter_async_context(tasks(kept.holds))
        bot = SlackBot(front, responder, UserDirectory(teams, kept), teams, work)
        app = _app(settings, teams, bot, metrics)
        bot.listen(app)
        if team:
            work.start(bot.back(team))
        if settings.slack_signing_secret is not None:
            yield Serving(bot, await stack.enter_async_context(_listening(settings, app)))
        else:
            yield Serving(bot, socket=await stack.enter_async_context(_socket(settings, app, ping_every_s)))


def connected(settings: Settings, session: aiohttp.ClientSession, api: str) -> WorkspaceClients:
    """Raises `CommandError` where settings are missing."""
    if settings.slack_client_id and settings.slack_client_secret and settings.slack_signing_secret:
        store = FileInstallationStore(
            base_dir=str(settings.data_dir / "slack" / "installations"), client_id=settings.slack_client_id
        )
        return WorkspaceClients(session, api, store=store)
    if settings.slack_bot_token is None or (settings.slack_app_token or settings.slack_signing_secret) is None:
        raise CommandError(translate(Msg.SLACK_NEEDS_TOKENS), 2)
    return WorkspaceClients(session, api, token=settings.slack_bot_token.get_secret_value())


async def admitted(settings: Settings, teams: WorkspaceClients) -> str:
    """The workspace of the bot token; empty where there are many. Raises `CommandError` where Slack refuses a token."""
    try:
        async with asyncio.timeout(START_WITHIN_S):
            team = ""
            if teams.token:
                team = (await teams.client(teams.token).auth_test())["team_id"]
            if settings.slack_signing_secret is None and settings.slack_app_token is not None:
                app_token = settings.slack_app_token.get_secret_value()
                await teams.client(None).apps_connections_open(app_token=app_token)
    except SlackApiError as error:
        raise CommandError(translate(Msg.SLACK_REFUSED, why=error.response["error"]), 2) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CommandError(translate(Msg.SLACK_UNREACHABLE)) from error
    return team


class _App(AsyncApp):
    """Measures how long Slack waits for each acknowledgement."""

    def __init__(self, metrics: Metrics, **options: Any) -> None:
        super().__init__(**options)
        self._metrics = metrics

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        with self._metrics.acknowledging("slack"):
            return await super().async_dispatch(req)


def _app(settings: Settings, teams: WorkspaceClients, bot: SlackBot, metrics: Metrics) -> AsyncApp:
    secret = settings.slack_signing_secret
    return _App(
        metrics,
        name="reelseek",
        client=teams.client(teams.token),
        signing_secret=secret.get_secret_value() if secret else "",
        # Else the library looks every 10 ms whether a listener has acknowledged; ours do so before they work.
        process_before_response=True,
        oauth_settings=_oauth(settings, teams, bot) if teams.store else None,
    )


def _oauth(settings: Settings, teams: WorkspaceClients, bot: SlackBot) -> AsyncOAuthSettings:
    secret = settings.slack_client_secret

    async def success(args: AsyncSuccessArgs) -> BoltResponse:
        if args.installation.team_id:
            bot.tasks.start(bot.back(args.installation.team_id))
        return await args.default.success(args)

    async def failure(args: AsyncFailureArgs) -> BoltResponse:
        return await args.default.failure(args)

    oauth = AsyncOAuthSettings(
        client_id=settings.slack_client_id,
        client_secret=secret.get_secret_value() if secret else None,
        scopes=SCOPES,
        installation_store=teams.store,
        state_store=FileOAuthStateStore(
            expiration_seconds=STATE_LASTS_S, base_dir=str(settings.data_dir / "slack" / "states")
        ),
        callback_options=AsyncCallbackOptions(success=success, failure=failure),
    )
    # Else each event would first ask Slack whose token it is.
    oauth.authorize.cache_enabled = True  # type: ignore[attr-defined]  # the class that the settings make has it
    return oauth


@asynccontextmanager
async def _socket(settings: Settings, app: AsyncApp, ping_every_s: float) -> AsyncIterator[AsyncSocketModeHandler]:
    token = settings.slack_app_token
    assert token is not None  # noqa: S101  # `connected` has looked
    handler = AsyncSocketModeHandler(app, token.get_secret_value(), ping_interval=ping_every_s)
    try:
        await handler.connect_async()  # type: ignore[no-untyped-call]  # the library has no types here
        yield handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def _listening(settings: Settings, app: AsyncApp) -> AsyncIterator[str]:
    """Slack's requests are heard here; those without its signature are refused by the library."""
    runner = web.AppRunner(app.server(port=settings.slack_port, path=PATH, host=settings.slack_host).web_app)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.slack_host, settings.slack_port).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
