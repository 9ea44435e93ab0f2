"""The library, removal, settings, training and the Home tab in Slack."""

import threading
from dataclasses import replace

from bots.slack.run import RunningApp
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import generation
from tests.support.slack.methods import ShownMessage
from tests.support.slack.server import FakeSlack
from tests.support.slack.world import ALL, ANN, BOB, KIM, SPACE, ask, make_film

LINK = "https://video.example/snow"


async def test_library_lists_all_matching_or_own_videos(app: RunningApp, server: FakeSlack, client: FakeClient) -> None:
    client.videos.append(replace(make_film(3, "Mine"), submitter=ANN))
    shown = await ask(server, "library")
    assert all(video.title in shown.text for video in client.videos)
    assert "Dogs in snow" in (await ask(server, "library snow")).text
    mine = (await ask(server, "library mine")).text
    assert ("Mine" in mine, "Dogs in snow" in mine) == (True, False)


async def test_forget_removes_own_videos_and_for_admins_any_video(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    client.videos.append(make_film(3, "Third"))
    server.users[KIM]["locale"] = "en-US"
    assert "Someone else added that video" in (await ask(server, f"forget {LINK}", user=KIM)).text
    assert f"Removed: {LINK}" in (await ask(server, f"forget <{LINK}>")).text
    assert "Removed 3 videos" in (await ask(server, "forget mine", user=BOB)).text
    assert client.videos == []


async def test_status_privacy_and_help_are_answered(app: RunningApp, server: FakeSlack) -> None:
    """Help lists admin commands for admins only."""
    assert "3 videos, 6 moments" in (await ask(server, "status")).text
    assert "private channel" in (await ask(server, "privacy")).text
    everybody, admin = await ask(server, "help", user=BOB), await ask(server, "")
    assert "/reel index LINK …" in everybody.text
    assert ("/reel retrain" in everybody.text, "/reel retrain" in admin.text) == (False, True)


async def test_settings_are_changed_by_admins_only(app: RunningApp, server: FakeSlack, client: FakeClient) -> None:
    shown = await ask(server, "settings watched <#C0000ALL|all> <#G0000SEC>")
    assert "Setting changed" in shown.text
    assert client.settings[SPACE].watched == ("C0000ALL", "G0000SEC")
    assert "“general” isn't a channel" in (await ask(server, "settings watched <#C0000ALL> general")).text
    assert client.settings[SPACE].watched == ("C0000ALL", "G0000SEC")
    assert "Choose a value for “answers”: private, public" in (await ask(server, "settings answers loud")).text
    assert "Only admins can do that" in (await ask(server, "settings language ko", user=BOB)).text
    assert client.settings[SPACE].language is None
    await ask(server, "settings answers public")
    await server.command("dog")
    await server.wait_for(lambda: server.posted)


async def test_admin_rights_are_checked_with_slack_each_time(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    assert "Only admins" in (await ask(server, "settings language ko", user=BOB)).text
    server.users[BOB]["is_owner"] = True
    assert "Setting changed" in (await ask(server, "settings language en", user=BOB)).text
    server.users[BOB]["is_owner"] = False
    assert "Only admins" in (await ask(server, "settings language ko", user=BOB)).text


async def test_retrain_is_confirmed_by_an_admin_and_ends_with_a_picture(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    shown = await ask(server, "retrain")
    assert "120 training pairs" in shown.text
    await server.press(shown, shown.buttons("Start training")[0], user=BOB)
    assert "Only admins" in (await server.wait_for(lambda: server.shown_to(BOB)))[0].text
    await server.press(shown, shown.buttons("Start training")[0])
    last: ShownMessage = (
        await server.wait_for(lambda: [each for each in server.shown_to(ANN) if "better" in each.text][1:])
    )[0]
    assert "50 % before, 60 % now" in last.text
    assert len(last.files) == 1


async def test_crawl_counts_and_its_button_stops_it(app: RunningApp, server: FakeSlack, client: FakeClient) -> None:
    """Slack lets no app edit a private answer, so that it has two messages: at the start and at the end."""
    client.listed, client.gate = 20, threading.Event()
    await server.command("crawl <https://video.example/list> 30")
    shown = (await server.wait_for(lambda: [each for each in server.shown_to(ANN) if "0 of 20" in each.text]))[0]
    await server.press(shown, shown.buttons("Stop")[0], user=BOB)
    assert "Only admins" in (await server.wait_for(lambda: server.shown_to(BOB)))[0].text
    await server.press(shown, shown.buttons("Stop")[0])
    await server.wait_for(lambda: [each for each in server.shown_to(ANN) if "No more videos are added" in each.text])
    client.gate.set()
    await server.wait_for(lambda: [each for each in server.shown_to(ANN) if "Stopped. Added 8 of 20" in each.text])


async def test_followed_lists_are_shown_to_admins(app: RunningApp, server: FakeSlack) -> None:
    link = "https://video.example/@channel"
    assert "from now on" in (await ask(server, f"follow <{link}>")).text
    shown = (await ask(server, "follow")).text
    assert (link in shown, "videos added: 0" in shown) == (True, True)
    assert "any more" in (await ask(server, f"unfollow {link}")).text
    assert "No channel, playlist or feed" in (await ask(server, "follow")).text
    assert "Only admins" in (await ask(server, f"follow <{link}>", user=BOB)).text


async def test_models_are_listed_and_rolled_back_by_admins_only(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    client.models = [generation("starter-1", live=True), generation("starter-0", live=False)]
    assert "starter-1, Nov 20, 2026" in (await ask(server, "model")).text
    assert "Now using starter-0" in (await ask(server, "model rollback")).text
    assert "Only admins" in (await ask(server, "model rollback", user=BOB)).text


async def test_home_tab_shows_library_own_videos_and_help(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    """In the language of the user, and within Slack's limits."""
    client.videos += [make_film(number) for number in range(40)]
    await server.event({"type": "app_home_opened", "user": BOB, "channel": "D1", "tab": "home"})
    view = await server.wait_for(lambda: server.homes.get(BOB))
    shown = ShownMessage("", "", view).text
    assert "the newest 20 of 43" in shown
    assert shown.count("Film 1\n") <= 2
    await server.event({"type": "app_home_opened", "user": KIM, "channel": "D1", "tab": "home"})
    korean = ShownMessage("", "", await server.wait_for(lambda: server.homes.get(KIM))).text
    assert "Library" not in korean
    await server.event({"type": "app_home_opened", "user": ANN, "channel": "D1", "tab": "messages"})
    assert ANN not in server.homes
    assert server.calls_of("conversations.info") == []


async def test_answers_are_private_by_default(app: RunningApp, server: FakeSlack) -> None:
    for words in ("dog", "library", "status", "privacy", "help", "settings", "retrain", "model", "forget mine"):
        await ask(server, words, channel=ALL)
    assert server.posted == []
