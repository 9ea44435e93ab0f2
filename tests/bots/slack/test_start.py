"""Starting the app, and what the doctor says of it."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from bots.chat.background_tasks import tasks
from bots.chat.service import ChatService
from bots.chat.stores import ChatStores, open_chat_stores
from bots.connect import CommandError
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.slack.check import check_slack
from bots.slack.responder import SlackResponder
from bots.slack.run import SCOPES, run
from bots.slack.thumbnails import Pictures
from bots.slack.workspaces import WorkspaceClients
from tests.bots.slack.conftest import SPACE
from tests.support.fake_client import FakeClient
from tests.support.network import free_port
from tests.support.slack.server import Slack
from worker.settings import Settings

SECRET = ("slack_bot_token", "slack_app_token")


def changed(settings: Settings, **values: Any) -> Settings:
    """As if these were in the environment."""
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
async def test_a_missing_or_wrong_token(
    server: Slack, client: FakeClient, kept: ChatStores, settings: Settings, values: dict[str, Any], said: str
) -> None:
    """One sentence and status 2, within 5 seconds."""
    began = time.monotonic()
    with pytest.raises(CommandError) as ended:
        async with running_app(changed(settings, **values), client, kept, api_url=f"{server.address}/api/"):
            pass
    assert (said in str(ended.value), ended.value.status) == (True, 2)
    assert time.monotonic() - began < 5


async def test_slack_can_not_be_reached(client: FakeClient, kept: ChatStores, settings: Settings) -> None:
    """One sentence, within 5 seconds."""
    with pytest.raises(CommandError, match="Slack cannot be reached"):
        async with running_app(settings, client, kept, api_url=f"http://127.0.0.1:{free_port()}/api/"):
            pass


async def test_a_chat_frontend_needs_redis(no_dotenv: None) -> None:
    """Without Redis one sentence says how to get one."""
    with pytest.raises(CommandError, match="docker compose up") as ended:
        await run(Settings())
    assert ended.value.status == 2


async def test_a_start_tells_that_the_app_is_there(
    server: Slack, client: FakeClient, kept: ChatStores, settings: Settings
) -> None:
    """A workspace that had removed the app and has it again keeps its data."""
    client.removed_spaces.add(SPACE)
    async with running_app(settings, client, kept, api_url=f"{server.address}/api/") as app:
        await app.requests.tasks.wait_until_idle()
    assert client.removed_spaces == set()


async def test_it_stops_at_once(clean_redis: str, client: FakeClient, server: Slack) -> None:
    """At whichever moment of its start it is stopped; a library that swallowed the cancelling once made it stay."""
    async with aiohttp.ClientSession() as session:
        for moment in range(24):
            async with (
                asyncio.timeout(5),
                open_chat_stores(clean_redis, "30/minute", "300/minute") as kept,
                tasks() as work,
            ):
                responder = SlackResponder(WorkspaceClients(session), Pictures(client, kept, work))
                async with ChatService(client, kept).recover_requests("slack", responder):
                    for _ in range(moment):
                        await asyncio.sleep(0)


async def test_the_doctor_finds_all_well(server: Slack, settings: Settings) -> None:
    """Tokens, scopes and Socket Mode are looked at; where Slack isn't set up there is nothing to say."""
    checks = await check_slack(settings, f"{server.address}/api/")
    assert {each.name: each.is_ok for each in checks} == {
        "Slack bot token": True,
        "Slack scopes": True,
        "Slack app token": True,
    }
    assert await check_slack(changed(settings, slack_bot_token=None, slack_app_token=None)) == []


async def test_the_doctor_says_how_to_mend(server: Slack, settings: Settings) -> None:
    """A missing scope is named, a wrong token too, each with what to do."""
    server.scopes = ",".join(SCOPES[1:])
    wrong = {
        each.name: each
        for each in await check_slack(changed(settings, slack_app_token="xapp-old"), f"{server.address}/api/")
    }
    assert wrong["Slack scopes"].detail == f"missing: {SCOPES[0]}"
    assert wrong["Slack scopes"].advice == translate(Msg.FIX_SLACK_SCOPES)
    assert (wrong["Slack app token"].is_ok, wrong["Slack app token"].advice) == (
        False,
        translate(Msg.FIX_SLACK_APP_TOKEN),
    )
    nothing = await check_slack(settings, f"http://127.0.0.1:{free_port()}/api/")
    assert [each.is_ok for each in nothing] == [False, False]
