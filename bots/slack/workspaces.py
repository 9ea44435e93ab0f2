"""The workspaces that the app is installed in, and how each is spoken to."""

from dataclasses import dataclass, field
from typing import Final

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

API: Final = AsyncWebClient.BASE_URL
TIMEOUT_S: Final = 15


class NotInstalled(LookupError):
    """The app is no longer in that workspace."""


@dataclass(frozen=True)
class WorkspaceClients:
    """One workspace with a token of its own, or those of an installation store."""

    session: aiohttp.ClientSession
    api: str = API
    token: str | None = None
    store: AsyncInstallationStore | None = None
    _clients: dict[str, AsyncWebClient] = field(default_factory=dict)

    async def web(self, team: str) -> AsyncWebClient:
        """Raises `NotInstalled`."""
        token = self.token or await self._stored(team)
        if token not in self._clients:
            self._clients[token] = self.client(token)
        return self._clients[token]

    def client(self, token: str | None) -> AsyncWebClient:
        """Waits as long as Slack asks to where it limits rates, and tries again once where it fails."""
        return AsyncWebClient(
            token=token, base_url=self.api, session=self.session, timeout=TIMEOUT_S, retry_handlers=retries()
        )

    def response(self, url: str) -> AsyncWebhookClient:
        """Where an interaction is answered."""
        return AsyncWebhookClient(url, session=self.session, timeout=TIMEOUT_S, retry_handlers=retries())

    async def _stored(self, team: str) -> str:
        found = await self.store.async_find_bot(enterprise_id=None, team_id=team) if self.store else None
        if found is None or found.bot_token is None:
            raise NotInstalled(team)
        return found.bot_token


def retries() -> list[AsyncRetryHandler]:
    return [
        AsyncRateLimitErrorRetryHandler(max_retry_count=3),
        AsyncServerErrorRetryHandler(max_retry_count=1),
        AsyncConnectionErrorRetryHandler(max_retry_count=1),
    ]
