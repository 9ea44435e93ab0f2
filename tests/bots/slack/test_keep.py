"""The library, what is kept and forgotten, and what admins decide, in Slack."""

from dataclasses import replace

from bots.slack.run import RunningApp
from tests.bots.slack.conftest import SPACE
from tests.bots.slack.test_find import ALL, ANN, BOB, KIM, asked, film
from tests.support.fake_client import FakeClient, generation
from tests.support.slack.methods import Shown
from tests.support.slack.server import Slack

LINK = "https://video.example/snow"


async def test_the_library(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """`/reel library` lists the videos, by words too, or one's own."""
    client.videos.append(replace(film(3, "Mine"), submitter=ANN))
    shown = await asked(server, "library")
    assert all(video.title in shown.text for video in client.videos)
    assert "Dogs in snow" in (await asked(server, "library snow")).text
    mine = (await asked(server, "library mine")).text
    assert ("Mine" in mine, "Dogs in snow" in mine) == (True, False)


async def test_forgetting(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """A person takes back their own, one or all; an admin, as Slack says, takes back anybody's."""
    client.videos.append(film(3, "Third"))
    server.users[KIM]["locale"] = "en-US"
    assert "Someone else added that video" in (await asked(server, f"forget {LINK}", user=KIM)).text
    assert f"Removed: {LINK}" in (await asked(server, f"forget <{LINK}>")).text
    assert "Removed: 3 videos" in (await asked(server, "forget mine", user=BOB)).text
    assert client.videos == []


async def test_status_privacy_help(app: RunningApp, server: Slack) -> None:
    """Each says its own; help shows what admins can do to admins only."""
    assert "3 videos and 6 moments" in (await asked(server, "status")).text
    assert "private channel" in (await asked(server, "privacy")).text
    everybody, admin = await asked(server, "help", user=BOB), await asked(server, "")
    assert "/reel index LINK …" in everybody.text
    assert ("/reel retrain" in everybody.text, "/reel retrain" in admin.text) == (False, True)


async def test_settings(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """Admins see and change what is decided for the space; others are told to ask one."""
    shown = await asked(server, "settings watched <#C0000ALL|all> <#G0000SEC>")
    assert "Setting changed" in shown.text
    assert client.settings[SPACE].watched == ("C0000ALL", "G0000SEC")
    assert "“general” is no channel" in (await asked(server, "settings watched <#C0000ALL> general")).text
    assert client.settings[SPACE].watched == ("C0000ALL", "G0000SEC")
    assert "can be: private, public" in (await asked(server, "settings answers loud")).text
    assert "Only admins can do that" in (await asked(server, "settings language ko", user=BOB)).text
    assert client.settings[SPACE].language is None
    await asked(server, "settings answers public")
    await server.command("dog")
    await server.until(lambda: server.posted)


async def test_slack_says_who_is_an_admin(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """Who was made an admin a moment ago is one, and who no longer is one is none: Slack is asked each time."""
    assert "Only admins" in (await asked(server, "settings language ko", user=BOB)).text
    server.users[BOB]["is_owner"] = True
    assert "Setting changed" in (await asked(server, "settings language en", user=BOB)).text
    server.users[BOB]["is_owner"] = False
    assert "Only admins" in (await asked(server, "settings language ko", user=BOB)).text


async def test_a_retrain(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """An admin sees what would be learnt from and begins it by a button; its end comes with figures and a picture."""
    shown = await asked(server, "retrain")
    assert "120 pairs" in shown.text
    await server.press(shown, shown.buttons("Train")[0], user=BOB)
    assert "Only admins" in (await server.until(lambda: server.to(BOB)))[0].text
    await server.press(shown, shown.buttons("Train")[0])
    last: Shown = (await server.until(lambda: [each for each in server.to(ANN) if "better" in each.text][1:]))[0]
    assert "50 % before, 60 % after" in last.text
    assert len(last.files) == 1


async def test_models(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """Admins see the generations and go back to the one before."""
    client.models = [generation("starter-1", live=True), generation("starter-0", live=False)]
    assert "starter-1, Nov 20, 2026" in (await asked(server, "model")).text
    assert "Now using starter-0" in (await asked(server, "model rollback")).text
    assert "Only admins" in (await asked(server, "model rollback", user=BOB)).text


async def test_the_home_tab(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """Home shows the library, one's own submissions and help, in the viewer's language, within Slack's limits."""
    client.videos += [film(number) for number in range(40)]
    await server.event({"type": "app_home_opened", "user": BOB, "channel": "D1", "tab": "home"})
    view = await server.until(lambda: server.homes.get(BOB))
    shown = Shown("", "", view).text
    assert "the newest 20 of 43" in shown
    assert shown.count("Film 1\n") <= 2
    await server.event({"type": "app_home_opened", "user": KIM, "channel": "D1", "tab": "home"})
    korean = Shown("", "", await server.until(lambda: server.homes.get(KIM))).text
    assert "Library" not in korean
    await server.event({"type": "app_home_opened", "user": ANN, "channel": "D1", "tab": "messages"})
    assert ANN not in server.homes
    assert server.called("conversations.info") == []


async def test_no_answer_is_shown_to_others(app: RunningApp, server: Slack) -> None:
    """Private is the default: nothing of all this was seen by anybody else."""
    for words in ("dog", "library", "status", "privacy", "help", "settings", "retrain", "model", "forget mine"):
        await asked(server, words, channel=ALL)
    assert server.posted == []
