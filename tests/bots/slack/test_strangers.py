"""People of other workspaces, with whom a channel is shared: they get nothing of the library, members all of it."""

from typing import Any

import pytest
from aiohttp import web

from bots.slack.run import RunningApp
from tests.bots.slack.conftest import SPACE
from tests.bots.slack.test_faults import MENTION
from tests.bots.slack.test_find import ALL, ANN, asked
from tests.support.fake_client import FakeClient
from tests.support.slack.methods import TEAM, Shown
from tests.support.slack.server import Slack
from worker.protocol.spaces import SpaceSettings

ELSE, ELSEWHERE, ORG = "U000ELSE", "T0000999", "E0000001"
NEW = "https://video.example/new"


@pytest.fixture(autouse=True)
def stranger(server: Slack) -> None:
    """Else is of another workspace."""
    server.users[ELSE] = {"name": "else", "team_id": ELSEWHERE, "profile": {}, "locale": "en-US"}


def silent(server: Slack) -> None:
    """Slack says of nobody who that is."""
    server.fails["users.info"].extend([lambda: web.json_response({"ok": False, "error": "internal_error"})] * 9)


async def test_a_stranger_is_told_that_this_is_for_others(app: RunningApp, server: Slack) -> None:
    """Somebody of another workspace who asks reads why nothing is found."""
    shown = await asked(server, "dog", user=ELSE)
    assert shown.text.startswith("Only people of this workspace")


@pytest.mark.parametrize("said", [{"team": TEAM, "user_team": ELSEWHERE}, {"team": TEAM, "user_team": "E0000999"}, {}])
async def test_who_may_be_a_stranger_waits(app: RunningApp, server: Slack, said: dict[str, str]) -> None:
    """While Slack does not say who asks, and the mention names no member, nothing is found; later it is."""
    silent(server)
    await server.event(MENTION | {"user": ELSE} | said)
    (shown,) = await server.until(lambda: server.to(ELSE))
    assert "Try again in a moment" in shown.text
    server.fails.clear()
    await server.event(MENTION | said)
    assert "Dogs in snow" in (await server.until(lambda: server.to(ANN)))[0].text


@pytest.mark.parametrize("said", [{"team": TEAM}, {"team": ELSEWHERE, "user_team": TEAM}, {"user_team": ORG}])
async def test_a_member_is_served_all_the_same(app: RunningApp, server: Slack, said: dict[str, str]) -> None:
    """Where the mention itself names this workspace, or its organisation, as the asker's, Slack need not say more."""
    server.org = ORG
    silent(server)
    await server.event(MENTION | said)
    assert "Dogs in snow" in (await server.until(lambda: server.to(ANN)))[0].text


async def test_who_was_known_a_moment_ago_still_is(app: RunningApp, server: Slack) -> None:
    """Slack's silence does not lock out a member that it told of before."""
    await asked(server, "dog")
    silent(server)
    await server.event({"type": "app_home_opened", "user": ANN, "channel": "D1", "tab": "home"})
    home = await server.until(lambda: server.homes.get(ANN))
    assert "Dogs in snow" in Shown("", "", home).text


@pytest.mark.parametrize(("org", "words"), [(ORG, "Dogs in snow"), ("E0000999", "Only people of this workspace")])
async def test_workspaces_of_one_organisation(app: RunningApp, server: Slack, org: str, words: str) -> None:
    """Somebody of another workspace is no stranger in a channel of the organisation that both are part of."""
    server.org = ORG
    server.users[ELSE]["enterprise_user"] = {"id": ELSE, "enterprise_id": org}
    assert words in (await asked(server, "dog", user=ELSE)).text


async def test_a_stranger_s_click_is_no_vote(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """What a stranger opens under an answer that all see is not learnt from."""
    client.settings[SPACE] = SpaceSettings(answers="public")
    await server.command("dog")
    (posted,) = await server.until(lambda: server.posted)
    await server.press(posted, posted.buttons("Open")[0], user=ELSE)
    await app.requests.tasks.wait_until_idle()
    assert client.votes == []


async def test_no_titles_are_suggested_to_a_stranger(app: RunningApp, server: Slack) -> None:
    """The search form completes nothing."""
    typed = server.interaction("block_suggestion", ELSE) | {"action_id": "in", "block_id": "in", "value": "dog"}
    assert (await server.send("interactive", typed))["options"] == []


@pytest.mark.parametrize(("quiet", "words"), [(False, "Only people of this workspace"), (True, "Try again")])
async def test_a_stranger_s_home_is_empty(app: RunningApp, server: Slack, quiet: bool, words: str) -> None:
    """Home tells a stranger, and whoever may be one, why there is nothing."""
    if quiet:
        silent(server)
    await server.event({"type": "app_home_opened", "user": ELSE, "channel": "D1", "tab": "home"})
    shown = Shown("", "", await server.until(lambda: server.homes.get(ELSE))).text
    assert (words in shown, "Dogs in snow" in shown) == (True, False)


async def test_a_stranger_s_link_in_a_watched_channel(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """A stranger's is passed over; whose is not known is told to send it again; a member's is added as ever."""
    client.settings[SPACE] = SpaceSettings(watched=(ALL,))
    message: dict[str, Any] = {"type": "message", "channel": ALL, "channel_type": "channel", "text": f"<{NEW}>"}
    await server.event(message | {"user": ELSE, "ts": "7.1", "team": ELSEWHERE})
    await app.requests.tasks.wait_until_idle()
    assert (server.shown, server.reactions) == ([], [])
    silent(server)
    await server.event(message | {"user": ANN, "ts": "7.2"})
    await server.until(lambda: "Try again" in server.to(ANN)[0].text if server.to(ANN) else False)
    await server.event(message | {"user": ANN, "ts": "7.3", "team": TEAM})
    await server.until(lambda: server.reactions == [(ALL, "7.3", "white_check_mark")])
