"""API clients of the workspaces in which the app is installed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from worker.environment import find_environment_proxy

API_URL: Final = AsyncWebClient.BASE_URL
FILES_HOST: Final = "files.slack.com"
TIMEOUT_S: Final = 15


class NotInstalledError(LookupError):
    """The app is not installed in a workspace, or no longer."""


@dataclass(frozen=True)
class WorkspaceClients:
    """Makes clients: with the `token` of a single workspace, or with the tokens of an installation store."""

    session: aiohttp.ClientSession
    api_url: str = API_URL
    token: str | None = None
    store: AsyncInstallationStore | None = None
    _clients: dict[str, AsyncWebClient] = field(default_factory=dict)

    @property
    def proxy(self) -> str | None:
        """The proxy for Slack. Slack's library would not heed NO_PROXY."""
        return find_environment_proxy(self.api_url)

    async def web_client(self, team: str) -> AsyncWebClient:
        """Return the client of a workspace. Raises `NotInstalledError`."""
        token = self.token or await self._load_token(team)
        if token not in self._clients:
            self._clients[token] = self.make_client(token)
        return self._clients[token]

    def make_client(self, token: str | None) -> AsyncWebClient:
        """Make a client that waits as long as a rate limit demands, and retries once if a call fails."""
        client = AsyncWebClient(
            token=token,
            base_url=self.api_url,
            session=self.session,
            timeout=TIMEOUT_S,
            retry_handlers=_make_retry_handlers(),
        )
        client.proxy = self.proxy
        return client

    def response_client(self, url: str) -> AsyncWebhookClient:
        """Make a client for the response URL of an interaction."""
        client = AsyncWebhookClient(url, session=self.session, timeout=TIMEOUT_S, retry_handlers=_make_retry_handlers())
        client.proxy = self.proxy
        return client

    async def read_file(self, team: str, file_id: str, check_size: Callable[[int], None]) -> bytes:
        """Return the content of an uploaded file that a workspace can see.

        `check_size` gets the number of bytes before they are read, and raises if there are too many. Raises
        `SlackApiError`, `aiohttp.ClientError` and `TimeoutError`.
        """
        web = await self.web_client(team)
        file = (await web.files_info(file=file_id))["file"]
        check_size(file["size"])
        if urlsplit(file["url_private"]).hostname not in (FILES_HOST, urlsplit(self.api_url).hostname):
            raise aiohttp.InvalidURL(file["url_private"])  # the token is for Slack alone
        headers, timeout = {"Authorization": f"Bearer {web.token}"}, aiohttp.ClientTimeout(TIMEOUT_S)
        async with self.session.get(
            file["url_private"], headers=headers, timeout=timeout, proxy=self.proxy, allow_redirects=False
        ) as response:
            response.raise_for_status()
            return await response.content.readexactly(file["size"])

    async def _load_token(self, team: str) -> str:
        bot = await self.store.async_find_bot(enterprise_id=None, team_id=team) if self.store else None
        if bot is None or bot.bot_token is None:
            raise NotInstalledError(team)
        return bot.bot_token


def _make_retry_handlers() -> list[AsyncRetryHandler]:
    return [
        AsyncRateLimitErrorRetryHandler(max_retry_count=3),
        AsyncServerErrorRetryHandler(max_retry_count=1),
        AsyncConnectionErrorRetryHandler(max_retry_count=1),
    ]
