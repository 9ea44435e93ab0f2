"""Retraining, models and settings in Discord."""

import threading

from bots.discord.bot import Bot
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import generation
from tests.support.discord.server import FakeDiscord
from tests.support.discord.world import ADA, CLIPS, EVE, GUILD, SPACE, FakeUser, is_ephemeral, texts
from worker.protocol.spaces import GetSettings


async def test_retrain_is_confirmed_and_ends_with_its_curves(server: FakeDiscord, gate: threading.Event) -> None:
    """The preview has a button, and one message shows the progress and the result with a picture."""
    shown = await server.wait_for_answer(await server.command(EVE, "retrain"), "120 training pairs")
    pressed = await server.press(EVE, shown, "Start training")
    progress = await server.wait_for_answer(pressed, "training")
    assert "▱" in texts(progress)
    gate.set()
    done = await server.wait_for_answer(pressed, "in use now")
    assert done["id"] == shown["id"]
    assert len(done["attachments"]) == 1
    assert any(each["type"] == 12 for each in done["components"])


async def test_retrain_of_another_user_is_refused(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    await server.wait_for_answer(await server.command(ADA, "retrain", action="start"), "Only admins")
    assert not client.training


async def test_retrain_can_be_cancelled_while_it_runs(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    await server.wait_for_answer(
        await server.command(EVE, "retrain", action="cancel"), "No training or switch is running"
    )
    client.training = True
    await server.wait_for_answer(await server.command(EVE, "retrain", action="cancel"), "stop as soon as it can")


async def test_crawl_counts_in_one_message_and_its_button_stops_it(
    bot: Bot, server: FakeDiscord, client: FakeClient, gate: threading.Event
) -> None:
    client.listed = 20
    asked = await server.command(EVE, "crawl", link="https://video.example/list", most=30)
    shown = await server.wait_for_answer(asked, "0 of 20")
    stopped = await server.press(EVE, shown, "Stop")
    assert (await server.wait_for_answer(stopped, "No more videos are added"))["id"] == shown["id"]
    gate.set()
    done = await server.wait_for_answer(asked, "Stopped. Added 8 of 20 videos")
    assert done["id"] == shown["id"]
    assert not any(each["type"] == 1 for each in done["components"])


async def test_crawl_of_a_search_and_followed_lists_are_for_admins(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    await server.wait_for_answer(await server.command(EVE, "crawl", link="ytsearch10:funny cats"), "Added 3 of 3")
    link = "https://video.example/@channel"
    await server.wait_for_answer(await server.command(EVE, "follow", link=f"look: <{link}>."), "from now on")
    listed = await server.wait_for_answer(await server.command(EVE, "follow"), "followed by")
    assert "channel" in texts(listed)
    await server.wait_for_answer(await server.command(EVE, "unfollow", link=link), "any more")
    await server.wait_for_answer(await server.command(EVE, "follow"), "No channel, playlist or feed")
    for command in ("crawl", "follow", "unfollow"):
        await server.wait_for_answer(await server.command(ADA, command, link=link), "Only admins")


async def test_models_are_listed_and_rolled_back(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    client.models = [generation("starter-1", live=True), generation("starter-0", live=False)]
    await server.wait_for_answer(await server.command(EVE, "model"), "starter-1")
    await server.wait_for_answer(await server.command(EVE, "model", action="rollback"), "Now using starter-0")


async def test_settings_are_changed_by_menus(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    """Each choice applies at once and updates the same private message."""
    shown = await server.wait_for_answer(await server.command(EVE, "settings"), "Who can add videos")
    assert is_ephemeral(shown)
    changed = await server.wait_for_answer(await server.choose(EVE, shown, "submitters", ["admins"]), "Setting changed")
    assert changed["id"] == shown["id"]
    assert client.settings[SPACE].submitters == "admins"
    await server.wait_for_answer(await server.choose(EVE, changed, "language", ["ko"]), "Setting changed")
    assert client.settings[SPACE].language == "ko"
    in_korean = await server.wait_for_answer(await server.choose(EVE, changed, "language", ["unset"]))
    assert any("가" <= letter <= "힣" for letter in texts(in_korean))
    assert client.settings[SPACE].language is None


async def test_settings_are_changed_by_options_with_completion(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    """An invalid value is refused with the accepted ones."""
    await server.wait_for_answer(
        await server.command(EVE, "settings", name="answers", value="public"), "Setting changed"
    )
    assert client.settings[SPACE].answers == "public"
    await server.wait_for_answer(await server.command(EVE, "settings", name="answers", value="loud"), "Choose a value")
    asked = await server.type_into(EVE, "settings", "value", "p", name="answers")
    choices = (await server.wait_for(lambda: asked.response))["data"]["choices"]
    assert [each["value"] for each in choices] == ["private", "public"]


async def test_changed_settings_apply_to_the_next_command(bot: Bot, server: FakeDiscord) -> None:
    assert is_ephemeral(await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs"))
    await server.wait_for_answer(
        await server.command(EVE, "settings", name="answers", value="public"), "Setting changed"
    )
    assert not is_ephemeral(await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs"))


async def test_settings_of_another_user_are_refused(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    await server.wait_for_answer(await server.command(ADA, "settings", name="answers", value="public"), "Only admins")
    assert client.settings == {}


async def test_watching_without_the_intent_tells_how_to_enable_it(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    """The channels are stored, and the admin reads what the owner of the bot must enable."""
    server.flags = 0
    asked = await server.command(EVE, "settings", name="watched", value=f"<#{GUILD + CLIPS}>")
    await server.wait_for_answer(asked, "Message Content Intent")
    assert client.settings[SPACE].watched == (str(GUILD + CLIPS),)
    assert not bot.needs_reconnect


async def test_missing_intent_is_reported_in_the_locale_of_the_user(bot: Bot, server: FakeDiscord) -> None:
    server.flags = 0
    jisoo = FakeUser(22, "Jisoo", is_admin=True, locale="ko")
    asked = await server.command(jisoo, "settings", name="watched", value=f"<#{GUILD + CLIPS}>")
    answer = texts(await server.wait_for_answer(asked, "Message Content Intent"))
    assert any("가" <= letter <= "힣" for letter in answer)


async def test_invalid_watched_channel_is_refused(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    await server.wait_for_answer(await server.command(EVE, "settings", name="watched", value="general"), "Type #")
    assert client.settings == {}


async def test_watching_the_first_channel_reconnects_with_the_intent(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    shown = await server.wait_for_answer(await server.command(EVE, "settings"), "Who can add videos")
    await server.wait_for_answer(await server.choose(EVE, shown, "watched", [str(GUILD + CLIPS)]), "Setting changed")
    await server.wait_for(lambda: bot.is_closed())
    assert bot.needs_reconnect
    assert client.settings[SPACE].watched == (str(GUILD + CLIPS),)
    assert isinstance(client.requests[-1], GetSettings)
