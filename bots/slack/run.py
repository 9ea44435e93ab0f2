"""`reelseek slack`: runs the app of one workspace over Socket Mode, or of many workspaces over HTTP."""

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

from bots.chat.background_tasks import running_tasks
from bots.chat.service import ChatService
from bots.chat.stores import ChatStores, open_chat_stores
from bots.commands.client import Client
from bots.connect import CONFIGURATION_ERROR, CommandError, connect, serve_health
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.slack.bot import SlackBot
from bots.slack.requests import PLATFORM, RequestRunner
from bots.slack.responder import SlackResponder
from bots.slack.thumbnails import ThumbnailUploader
from bots.slack.users import UserDirectory
from bots.slack.workspaces import API_URL, WorkspaceClients
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
"""The scopes of slack-manifest.yaml; docs/slack.md says what each is for."""
PATH: Final = "/slack/events"
PING_INTERVAL_S: Final = 5.0
"""A connection that answers no ping for one and a half intervals is closed, and opened again by the next ping."""
START_TIMEOUT_S: Final = 4.0
OAUTH_STATE_TTL_S: Final = 600

log = structlog.get_logger()


@dataclass(frozen=True)
class RunningApp:
    """The app while it receives events."""

    requests: RequestRunner
    address: str | None = None
    """Where it listens for Slack; None over Socket Mode."""
    socket: AsyncSocketModeHandler | None = None

    async def is_connected(self) -> bool:
        """Return whether Slack can reach this process; over HTTP, that it listens."""
        return self.socket is None or await self.socket.client.is_connected()


async def run(settings: Settings) -> None:
    """Serve Slack until the task is cancelled. Raises `CommandError` if the app cannot start."""
    if settings.redis_url is None:
        raise CommandError(translate(Msg.CHAT_NEEDS_REDIS), CONFIGURATION_ERROR)
    redis_url = settings.redis_url.get_secret_value()
    with serve_health(settings) as health:
        async with (
            connect(settings) as client,
            open_chat_stores(redis_url, settings.person_rate, settings.space_rate, settings.results_ttl_s) as stores,
            running_app(settings, client, stores, health=health) as app,
            health.watch_connection(app.is_connected),
        ):
            log.info("slack.ready", address=app.address)
            await asyncio.Event().wait()


@asynccontextmanager
async def running_app(
    settings: Settings,
    client: Client,
    stores: ChatStores,
    *,
    api_url: str = API_URL,
    ping_interval_s: float = PING_INTERVAL_S,
    clock: Callable[[], float] = time.time,
    health: FrontendHealth | None = None,
) -> AsyncIterator[RunningApp]:
    """Receive Slack's events for the block. Raises `CommandError` if the app cannot start."""
    metrics = health.metrics if health else Metrics()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        workspaces = make_workspace_clients(settings, session, api_url)
        team = await verify_tokens(settings, workspaces)
        chat = ChatService(client, stores, metrics)
        uploads = await stack.enter_async_context(running_tasks())
        responder = SlackResponder(workspaces, ThumbnailUploader(client, stores.notes, uploads), clock)
        await stack.enter_async_context(chat.recover_requests(PLATFORM, responder))
        # Entered after everything that the requests need, so that it is still there when they are stopped.
        tasks = await stack.enter_async_context(running_tasks(stores.requests.wait_until_recoverable))
        requests = RequestRunner(chat, responder, UserDirectory(workspaces, stores.notes), workspaces, tasks)
        app = _make_app(settings, workspaces, requests, metrics)
        SlackBot(requests).add_listeners(app)
        if team:
            tasks.start(requests.record_installation(team, is_installed=True))
        if settings.slack_signing_secret is not None:
            yield RunningApp(requests, await stack.enter_async_context(_listen(settings, app)))
        else:
            socket = await stack.enter_async_context(_socket_mode(settings, app, ping_interval_s, workspaces.proxy))
            yield RunningApp(requests, socket=socket)


def make_workspace_clients(settings: Settings, session: aiohttp.ClientSession, api_url: str) -> WorkspaceClients:
    """Make the clients of one workspace or of many, as the settings say. Raises `CommandError` if some are missing."""
    if settings.slack_client_id and settings.slack_client_secret and settings.slack_signing_secret:
        store = FileInstallationStore(
            base_dir=str(settings.data_dir / "slack" / "installations"), client_id=settings.slack_client_id
        )
        return WorkspaceClients(session, api_url, store=store)
    if settings.slack_bot_token is None or (settings.slack_app_token or settings.slack_signing_secret) is None:
        raise CommandError(translate(Msg.SLACK_NEEDS_TOKENS), CONFIGURATION_ERROR)
    return WorkspaceClients(session, api_url, token=settings.slack_bot_token.get_secret_value())


async def verify_tokens(settings: Settings, workspaces: WorkspaceClients) -> str | None:
    """Return the workspace of the bot token, or None if there are many. Raises `CommandError` if a token is refused."""
    team: str | None = None
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            if workspaces.token:
                team = (await workspaces.make_client(workspaces.token).auth_test())["team_id"]
            if settings.slack_signing_secret is None and settings.slack_app_token is not None:
                app_token = settings.slack_app_token.get_secret_value()
                await workspaces.make_client(None).apps_connections_open(app_token=app_token)
    except SlackApiError as error:
        raise CommandError(translate(Msg.SLACK_REFUSED, why=error.response["error"]), CONFIGURATION_ERROR) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CommandError(translate(Msg.SLACK_UNREACHABLE)) from error
    return team


class _App(AsyncApp):
    """Measures how long Slack waits for each acknowledgement, and heeds NO_PROXY."""

    def __init__(self, metrics: Metrics, **options: Any) -> None:
        super().__init__(**options)
        self._metrics = metrics

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        with self._metrics.time_acknowledgement(PLATFORM):
            return await super().async_dispatch(req)

    def _init_context(self, req: AsyncBoltRequest) -> None:
        super()._init_context(req)
        # The library makes a client for each request, which takes the proxy of the environment in any case.
        req.context["client"].proxy = self.client.proxy


def _make_app(settings: Settings, workspaces: WorkspaceClients, requests: RequestRunner, metrics: Metrics) -> AsyncApp:
    secret = settings.slack_signing_secret
    return _App(
        metrics,
        name="reelseek",
        client=workspaces.make_client(workspaces.token),
        signing_secret=secret.get_secret_value() if secret else "",
        # Otherwise the library polls every 10 ms whether a listener has acknowledged. Ours do so before they work.
        process_before_response=True,
        oauth_settings=_make_oauth_settings(settings, workspaces, requests) if workspaces.store else None,
    )


def _make_oauth_settings(
    settings: Settings, workspaces: WorkspaceClients, requests: RequestRunner
) -> AsyncOAuthSettings:
    secret = settings.slack_client_secret

    async def success(args: AsyncSuccessArgs) -> BoltResponse:
        if args.installation.team_id:
            requests.tasks.start(requests.record_installation(args.installation.team_id, is_installed=True))
        return await args.default.success(args)

    async def failure(args: AsyncFailureArgs) -> BoltResponse:
        return await args.default.failure(args)

    oauth = AsyncOAuthSettings(
        client_id=settings.slack_client_id,
        client_secret=secret.get_secret_value() if secret else None,
        scopes=SCOPES,
        installation_store=workspaces.store,
        state_store=FileOAuthStateStore(
            expiration_seconds=OAUTH_STATE_TTL_S, base_dir=str(settings.data_dir / "slack" / "states")
        ),
        callback_options=AsyncCallbackOptions(success=success, failure=failure),
    )
    # Otherwise each event would first ask Slack whose token it is.
    oauth.authorize.cache_enabled = True  # type: ignore[attr-defined]  # the class that the settings make has it
    return oauth


@asynccontextmanager
async def _socket_mode(
    settings: Settings, app: AsyncApp, ping_interval_s: float, proxy: str | None
) -> AsyncIterator[AsyncSocketModeHandler]:
    token = settings.slack_app_token
    assert token is not None  # noqa: S101  # `make_workspace_clients` has checked it
    handler = AsyncSocketModeHandler(app, token.get_secret_value(), ping_interval=ping_interval_s)
    handler.client.proxy = proxy
    try:
        await handler.connect_async()  # type: ignore[no-untyped-call]  # the library has no types here
        yield handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def _listen(settings: Settings, app: AsyncApp) -> AsyncIterator[str]:
    """Listen for Slack's requests. The library refuses those without Slack's signature. Yields the address."""
    runner = web.AppRunner(app.server(port=settings.slack_port, path=PATH, host=settings.slack_host).web_app)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.slack_host, settings.slack_port).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
