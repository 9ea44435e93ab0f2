"""Users of other workspaces, with whom a channel is shared: they see nothing of the library."""

from typing import Any

import pytest
from aiohttp import web

from bots.slack.run import RunningApp
from tests.support.bots.fake_client import FakeClient
from tests.support.slack.methods import TEAM, ShownMessage
from tests.support.slack.server import FakeSlack
from tests.support.slack.world import ALL, ANN, MENTION, NEW_LINK, SPACE, ask
from worker.protocol.spaces import SpaceSettings

OUTSIDER, ELSEWHERE, ORG = "U000ELSE", "T0000999", "E0000001"


@pytest.fixture(autouse=True)
def outsider(server: FakeSlack) -> None:
    """Add a user of another workspace."""
    server.users[OUTSIDER] = {"name": "else", "team_id": ELSEWHERE, "profile": {}, "locale": "en-US"}


def silent(server: FakeSlack) -> None:
    """Let Slack tell nothing about users."""
    server.fails["users.info"].extend([lambda: web.json_response({"ok": False, "error": "internal_error"})] * 9)


async def test_outsider_sees_why_nothing_is_found(app: RunningApp, server: FakeSlack) -> None:
    shown = await ask(server, "dog", user=OUTSIDER)
    assert shown.text.startswith("Only members of this workspace")


@pytest.mark.parametrize("said", [{"team": TEAM, "user_team": ELSEWHERE}, {"team": TEAM, "user_team": "E0000999"}, {}])
async def test_possible_outsider_is_asked_to_try_again(
    app: RunningApp, server: FakeSlack, said: dict[str, str]
) -> None:
    """While Slack tells nothing about the user and the mention names no member, nothing is found."""
    silent(server)
    await server.event(MENTION | {"user": OUTSIDER} | said)
    (shown,) = await server.wait_for(lambda: server.shown_to(OUTSIDER))
    assert "Try again in a moment" in shown.text
    server.fails.clear()
    await server.event(MENTION | said)
    assert "Dogs in snow" in (await server.wait_for(lambda: server.shown_to(ANN)))[0].text


@pytest.mark.parametrize("said", [{"team": TEAM}, {"team": ELSEWHERE, "user_team": TEAM}, {"user_team": ORG}])
async def test_member_named_by_the_mention_is_answered(
    app: RunningApp, server: FakeSlack, said: dict[str, str]
) -> None:
    """Slack need not tell more if the mention names this workspace or its organization."""
    server.org = ORG
    silent(server)
    await server.event(MENTION | said)
    assert "Dogs in snow" in (await server.wait_for(lambda: server.shown_to(ANN)))[0].text


async def test_member_with_cached_profile_is_answered_while_slack_is_silent(app: RunningApp, server: FakeSlack) -> None:
    await ask(server, "dog")
    silent(server)
    await server.event({"type": "app_home_opened", "user": ANN, "channel": "D1", "tab": "home"})
    home = await server.wait_for(lambda: server.homes.get(ANN))
    assert "Dogs in snow" in ShownMessage("", "", home).text


@pytest.mark.parametrize(("org", "words"), [(ORG, "Dogs in snow"), ("E0000999", "Only members of this workspace")])
async def test_member_of_the_same_organization_is_no_outsider(
    app: RunningApp, server: FakeSlack, org: str, words: str
) -> None:
    server.org = ORG
    server.users[OUTSIDER]["enterprise_user"] = {"id": OUTSIDER, "enterprise_id": org}
    assert words in (await ask(server, "dog", user=OUTSIDER)).text


async def test_link_opened_by_an_outsider_is_not_recorded(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    client.settings[SPACE] = SpaceSettings(answers="public")
    await server.command("dog")
    (posted,) = await server.wait_for(lambda: server.posted)
    await server.press(posted, posted.buttons("Open")[0], user=OUTSIDER)
    await app.requests.tasks.wait_until_idle()
    assert client.votes == []


async def test_search_form_suggests_no_titles_to_an_outsider(app: RunningApp, server: FakeSlack) -> None:
    typed = server.interaction("block_suggestion", OUTSIDER) | {"action_id": "in", "block_id": "in", "value": "dog"}
    assert (await server.send("interactive", typed))["options"] == []


@pytest.mark.parametrize(("is_silent", "words"), [(False, "Only members of this workspace"), (True, "Try again")])
async def test_home_tab_of_a_possible_outsider_shows_only_the_reason(
    app: RunningApp, server: FakeSlack, is_silent: bool, words: str
) -> None:
    if is_silent:
        silent(server)
    await server.event({"type": "app_home_opened", "user": OUTSIDER, "channel": "D1", "tab": "home"})
    shown = ShownMessage("", "", await server.wait_for(lambda: server.homes.get(OUTSIDER))).text
    assert (words in shown, "Dogs in snow" in shown) == (True, False)


async def test_link_of_an_outsider_in_a_watched_channel_is_ignored(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    """A possible outsider is asked to send it again, and the link of a member is added."""
    client.settings[SPACE] = SpaceSettings(watched=(ALL,))
    message: dict[str, Any] = {"type": "message", "channel": ALL, "channel_type": "channel", "text": f"<{NEW_LINK}>"}
    await server.event(message | {"user": OUTSIDER, "ts": "7.1", "team": ELSEWHERE})
    await app.requests.tasks.wait_until_idle()
    assert (server.shown, server.reactions) == ([], [])
    silent(server)
    await server.event(message | {"user": ANN, "ts": "7.2"})
    await server.wait_for(lambda: "Try again" in server.shown_to(ANN)[0].text if server.shown_to(ANN) else False)
    await server.event(message | {"user": ANN, "ts": "7.3", "team": TEAM})
    await server.wait_for(lambda: server.reactions == [(ALL, "7.3", "white_check_mark")])
