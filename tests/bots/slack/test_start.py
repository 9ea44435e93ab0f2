"""Start of the Slack app, and the doctor's checks of it."""

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from bots.chat.background_tasks import running_tasks
from bots.chat.service import ChatService
from bots.chat.stores import ChatStores, open_chat_stores
from bots.connect import CommandError
from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import translate
from bots.slack.check import check_slack
from bots.slack.responder import SlackResponder
from bots.slack.run import SCOPES, run, running_app
from bots.slack.thumbnails import ThumbnailUploader
from bots.slack.workspaces import WorkspaceClients
from tests.support.bots.fake_client import FakeClient
from tests.support.servers.network import free_port
from tests.support.servers.proxy import run_fake_proxy
from tests.support.slack.server import FakeSlack
from tests.support.slack.world import SPACE, ask
from worker.settings import Settings


def with_settings(settings: Settings, **values: Any) -> Settings:
    """Return settings as if these values came from the environment."""
    return settings.model_copy(
        update={name: getattr(Settings(**{name: value}), name) for name, value in values.items()}
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"slack_bot_token": None}, "tokens are missing"),
        ({"slack_app_token": None}, "tokens are missing"),
        ({"slack_bot_token": "xoxb-wrong"}, "invalid_auth"),
        ({"slack_app_token": "xapp-wrong"}, "invalid_auth"),
    ],
)
async def test_start_with_missing_or_wrong_token_fails_with_a_sentence(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings, values: dict[str, Any], said: str
) -> None:
    """Exit status 2, within 5 seconds."""
    began = time.monotonic()
    with pytest.raises(CommandError) as ended:
        async with running_app(with_settings(settings, **values), client, stores, api_url=f"{server.address}/api/"):
            pass
    assert (said in str(ended.value), ended.value.status) == (True, 2)
    assert time.monotonic() - began < 5


async def test_start_without_slack_fails_with_a_sentence(
    client: FakeClient, stores: ChatStores, settings: Settings
) -> None:
    with pytest.raises(CommandError, match="Can't reach Slack"):
        async with running_app(settings, client, stores, api_url=f"http://127.0.0.1:{free_port()}/api/"):
            pass


async def test_start_without_redis_tells_how_to_get_one(no_dotenv: None) -> None:
    with pytest.raises(CommandError, match="docker compose up") as ended:
        await run(Settings())
    assert ended.value.status == 2


async def test_start_records_that_the_app_is_installed(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings
) -> None:
    """A workspace that removed the app and installed it again keeps its data."""
    client.removed_spaces.add(SPACE)
    async with running_app(settings, client, stores, api_url=f"{server.address}/api/") as app:
        await app.requests.tasks.wait_until_idle()
    assert client.removed_spaces == set()


async def test_app_stops_at_every_moment_of_its_start(clean_redis: str, client: FakeClient, server: FakeSlack) -> None:
    """A library that swallowed the cancellation once kept it running."""
    async with aiohttp.ClientSession() as session:
        for moment in range(24):
            async with (
                asyncio.timeout(5),
                open_chat_stores(clean_redis, "30/minute", "300/minute") as stores,
                running_tasks() as tasks,
            ):
                responder = SlackResponder(WorkspaceClients(session), ThumbnailUploader(client, stores.notes, tasks))
                async with ChatService(client, stores).recover_requests("slack", responder):
                    for _ in range(moment):
                        await asyncio.sleep(0)


async def test_doctor_checks_tokens_scopes_and_socket_mode(server: FakeSlack, settings: Settings) -> None:
    """It checks nothing if Slack is not set up."""
    checks = await check_slack(settings, f"{server.address}/api/")
    assert {each.name: each.is_ok for each in checks} == {
        "Slack bot token": True,
        "Slack scopes": True,
        "Slack app token": True,
    }
    assert await check_slack(with_settings(settings, slack_bot_token=None, slack_app_token=None)) == []


async def test_doctor_names_what_is_wrong_and_how_to_fix_it(server: FakeSlack, settings: Settings) -> None:
    server.scopes = ",".join(SCOPES[1:])
    wrong = {
        each.name: each
        for each in await check_slack(with_settings(settings, slack_app_token="xapp-old"), f"{server.address}/api/")
    }
    assert wrong["Slack scopes"].detail == f"missing: {SCOPES[0]}"
    assert wrong["Slack scopes"].advice == translate(CliMsg.FIX_SLACK_SCOPES)
    assert (wrong["Slack app token"].is_ok, wrong["Slack app token"].advice) == (
        False,
        translate(CliMsg.FIX_SLACK_APP_TOKEN),
    )
    nothing = await check_slack(settings, f"http://127.0.0.1:{free_port()}/api/")
    assert [each.is_ok for each in nothing] == [False, False]


async def test_app_reaches_slack_through_the_proxy_of_the_environment(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its Web API, Socket Mode and response URLs. NO_PROXY excludes hosts."""
    async with run_fake_proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        async with running_app(settings, client, stores, api_url=f"{server.address}/api/"):
            await ask(server, "dog")
        assert proxy.hosts == []
        monkeypatch.setenv("NO_PROXY", "")
        async with running_app(settings, client, stores, api_url=f"{server.address}/api/"):
            await ask(server, "cat")
    assert set(proxy.hosts) == {urlsplit(server.address).netloc}
    assert len(proxy.hosts) > 3
