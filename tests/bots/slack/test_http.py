"""A public deployment: signed requests over HTTP, and installation into several workspaces."""

import json
import re
import time
from collections.abc import AsyncIterator
from http import HTTPStatus

import aiohttp
import pytest

from bots.chat.stores import ChatStores
from bots.slack.run import PATH, RunningApp, running_app
from tests.support.bots.fake_client import FakeClient
from tests.support.slack.methods import BOT_TOKEN, CLIENT_ID, CLIENT_SECRET, SIGNING_SECRET, TEAM
from tests.support.slack.server import FakeSlack
from tests.support.slack.world import ANN, MENTION, SPACE, ask
from worker.settings import Settings

OTHER_TOKEN, OTHER_TEAM = "xoxb-2-other", "T0000002"
JSON = "application/json"
# slack_sdk 3.47 exchanges codes with aiohttp's old BasicAuth, and no newer one exists.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")


@pytest.fixture
async def one(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings
) -> AsyncIterator[RunningApp]:
    """Run the app of one workspace over HTTP."""
    over_http = settings.model_copy(
        update={"slack_signing_secret": _secret(SIGNING_SECRET), "slack_app_token": None, "slack_port": 0}
    )
    async with running_app(over_http, client, stores, api_url=f"{server.address}/api/") as running:
        server.request_url = f"{running.address}{PATH}"
        yield running


@pytest.fixture
async def many(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings
) -> AsyncIterator[RunningApp]:
    """Run the app that workspaces install themselves."""
    server.tokens[OTHER_TOKEN] = OTHER_TEAM
    server.codes["other"] = OTHER_TOKEN
    update = {
        "slack_signing_secret": _secret(SIGNING_SECRET),
        "slack_client_id": CLIENT_ID,
        "slack_client_secret": _secret(CLIENT_SECRET),
        "slack_bot_token": None,
        "slack_app_token": None,
        "slack_port": 0,
    }
    async with running_app(
        settings.model_copy(update=update), client, stores, api_url=f"{server.address}/api/"
    ) as running:
        server.request_url = f"{running.address}{PATH}"
        yield running


def _secret(text: str) -> object:
    return Settings(slack_signing_secret=text).slack_signing_secret


async def test_signed_requests_are_answered(one: RunningApp, server: FakeSlack) -> None:
    """Commands and buttons work as over Socket Mode."""
    shown = await ask(server, "dog")
    await server.press(shown, shown.buttons("Search inside")[0])
    assert "Dogs in snow" in (await server.wait_for(lambda: server.shown_to(ANN)[1:]))[0].text
    assert server.connections == 0


async def test_url_verification_challenge_is_answered(one: RunningApp, server: FakeSlack) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "c0ffee", "token": "x"})
    assert await server.post(body, JSON, SIGNING_SECRET) == (HTTPStatus.OK, '{"challenge": "c0ffee"}')


@pytest.mark.parametrize(("secret", "age_s"), [("another", 0), (SIGNING_SECRET, 600)])
async def test_unsigned_and_old_requests_are_refused(
    one: RunningApp, server: FakeSlack, secret: str, age_s: int
) -> None:
    """A request that Slack did not sign, or a replayed one, has no effect."""
    body = json.dumps({"type": "event_callback", "team_id": TEAM, "event": MENTION, "event_id": "Ev9"})
    status, _ = await server.post(body, JSON, secret, int(time.time()) - age_s)
    await one.requests.tasks.wait_until_idle()
    assert (status, server.shown) == (HTTPStatus.UNAUTHORIZED, [])


async def test_duplicate_event_is_acknowledged_and_answered_once(one: RunningApp, server: FakeSlack) -> None:
    for _ in range(3):
        await server.event(MENTION, id="Ev3")
    await one.requests.tasks.wait_until_idle()
    assert len(server.shown_to(ANN)) == 1


async def test_each_installed_workspace_uses_its_own_token_and_space(
    many: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    """A workspace that did not install the app gets no answer."""
    await install(many, "good")
    await install(many, "other")
    assert "Dogs in snow" in (await ask(server, "dog")).text
    await server.command("dog", team=OTHER_TEAM)
    assert "Nothing found" in (await server.wait_for(lambda: server.shown_to(ANN)[1:]))[0].text
    assert {call.token for call in server.calls_of("users.info")} == {BOT_TOKEN, OTHER_TOKEN}
    await server.command("dog", team="T0000003")
    await many.requests.tasks.wait_until_idle()
    assert {request.caller.space for request in client.requests} == {SPACE, f"slack:{OTHER_TEAM}"}


async def test_installation_without_its_oauth_state_is_refused(many: RunningApp) -> None:
    address = f"{many.address}/slack/oauth_redirect?code=good&state=guess"
    async with aiohttp.ClientSession() as browser, browser.get(address) as page:
        assert page.status == HTTPStatus.BAD_REQUEST
    assert many.requests.workspaces.store
    assert await many.requests.workspaces.store.async_find_bot(enterprise_id=None, team_id=TEAM) is None


@pytest.mark.parametrize("event", [{"type": "app_uninstalled"}, {"type": "tokens_revoked", "tokens": {"bot": ["U1"]}}])
async def test_removed_app_deletes_its_token_until_it_is_installed_again(
    many: RunningApp, server: FakeSlack, client: FakeClient, event: dict[str, object]
) -> None:
    """The data of the space is marked for deletion, and kept if the app comes back."""
    await install(many, "good")
    await install(many, "other")
    await server.event(event)
    await many.requests.tasks.wait_until_idle()
    assert client.removed_spaces == {SPACE}
    assert many.requests.workspaces.store
    assert await many.requests.workspaces.store.async_find_bot(enterprise_id=None, team_id=TEAM) is None
    assert await many.requests.workspaces.store.async_find_bot(enterprise_id=None, team_id=OTHER_TEAM)
    await install(many, "good")
    await many.requests.tasks.wait_until_idle()
    assert client.removed_spaces == set()


async def install(app: RunningApp, code: str) -> None:
    """Install the app in a workspace, as the browser of a user does."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as browser:
        async with browser.get(f"{app.address}/slack/install") as page:
            state = re.search(r"state=([\w-]+)", await page.text())
            cookie = page.headers["Set-Cookie"].split(";")[0]
        assert state
        address = f"{app.address}/slack/oauth_redirect?code={code}&state={state[1]}"
        async with browser.get(address, headers={"Cookie": cookie}) as page:
            assert page.status == HTTPStatus.OK, await page.text()
