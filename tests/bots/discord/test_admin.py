"""What a server's admins decide."""

import threading

from bots.discord.bot import Bot
from tests.bots.discord.conftest import SPACE
from tests.support.discord.server import Server
from tests.support.discord.world import ADA, CLIPS, EVE, GUILD, Person, ephemeral, texts
from tests.support.fake_client import FakeClient, generation
from worker.protocol.spaces import GetSettings


async def test_retrain_asks_first_and_shows_its_curves(server: Server, gate: threading.Event) -> None:
    """It shows what would be learnt from, begins by a button, follows in the same message, and ends with a picture."""
    shown = await server.answered(await server.command(EVE, "retrain"), "120 pairs")
    pressed = await server.press(EVE, shown, "Train")
    passing = await server.answered(pressed, "training")
    assert "▱" in texts(passing)
    gate.set()
    done = await server.answered(pressed, "in use now")
    assert done["id"] == shown["id"]
    assert len(done["attachments"]) == 1
    assert any(each["type"] == 12 for each in done["components"])


async def test_retrain_is_for_admins(bot: Bot, server: Server, client: FakeClient) -> None:
    """Somebody else who reaches it is told so, and nothing begins."""
    await server.answered(await server.command(ADA, "retrain", action="start"), "Only admins")
    assert not client.training


async def test_retrain_is_cancelled(bot: Bot, server: Server, client: FakeClient) -> None:
    """A running one ends; where none runs, that is said."""
    await server.answered(await server.command(EVE, "retrain", action="cancel"), "No training is running")
    client.training = True
    await server.answered(await server.command(EVE, "retrain", action="cancel"), "stop at its next checkpoint")


async def test_model_status_and_rollback(bot: Bot, server: Server, client: FakeClient) -> None:
    """The generations are listed, and the one before is taken back."""
    client.models = [generation("starter-1", live=True), generation("starter-0", live=False)]
    await server.answered(await server.command(EVE, "model"), "starter-1")
    await server.answered(await server.command(EVE, "model", action="rollback"), "Now using starter-0")


async def test_settings_are_menus(bot: Bot, server: Server, client: FakeClient) -> None:
    """Every setting is shown with a menu; choosing changes it at once, in the same private message."""
    shown = await server.answered(await server.command(EVE, "settings"), "Who can add videos")
    assert ephemeral(shown)
    changed = await server.answered(await server.choose(EVE, shown, "submitters", ["admins"]), "Setting changed")
    assert changed["id"] == shown["id"]
    assert client.settings[SPACE].submitters == "admins"
    await server.answered(await server.choose(EVE, changed, "language", ["ko"]), "Setting changed")
    assert client.settings[SPACE].language == "ko"
    in_korean = await server.answered(await server.choose(EVE, changed, "language", ["unset"]))
    assert any("가" <= letter <= "힣" for letter in texts(in_korean))
    assert client.settings[SPACE].language is None


async def test_settings_by_words(bot: Bot, server: Server, client: FakeClient) -> None:
    """Name and value may be typed, the value is completed, and what can't be is refused with what can."""
    await server.answered(await server.command(EVE, "settings", name="answers", value="public"), "Setting changed")
    assert client.settings[SPACE].answers == "public"
    await server.answered(await server.command(EVE, "settings", name="answers", value="loud"), "can be")
    asked = await server.typing(EVE, "settings", "value", "p", name="answers")
    choices = (await server.until(lambda: asked.response))["data"]["choices"]
    assert [each["value"] for each in choices] == ["private", "public"]


async def test_public_answers_from_the_next_question_on(bot: Bot, server: Server) -> None:
    """A changed setting holds at once."""
    assert ephemeral(await server.answered(await server.command(ADA, "find", words="dog"), "Dogs"))
    await server.answered(await server.command(EVE, "settings", name="answers", value="public"), "Setting changed")
    assert not ephemeral(await server.answered(await server.command(ADA, "find", words="dog"), "Dogs"))


async def test_settings_are_for_admins(bot: Bot, server: Server, client: FakeClient) -> None:
    """Who may not manage the server changes nothing."""
    await server.answered(await server.command(ADA, "settings", name="answers", value="public"), "Only admins")
    assert client.settings == {}


async def test_watching_without_the_intent_says_what_to_do(bot: Bot, server: Server, client: FakeClient) -> None:
    """Channels are kept, and the admin reads what the bot's owner must switch on."""
    server.flags = 0
    asked = await server.command(EVE, "settings", name="watched", value=f"<#{GUILD + CLIPS}>")
    await server.answered(asked, "Message Content Intent")
    assert client.settings[SPACE].watched == (str(GUILD + CLIPS),)
    assert not bot.needs_reconnect


async def test_the_missing_intent_in_the_persons_language(bot: Bot, server: Server) -> None:
    """Who speaks Korean reads that in Korean, too."""
    server.flags = 0
    jisoo = Person(22, "Jisoo", is_admin=True, locale="ko")
    asked = await server.command(jisoo, "settings", name="watched", value=f"<#{GUILD + CLIPS}>")
    told = texts(await server.answered(asked, "Message Content Intent"))
    assert any("가" <= letter <= "힣" for letter in told)


async def test_what_is_no_channel_is_not_watched(bot: Bot, server: Server, client: FakeClient) -> None:
    """A name that Discord made no channel of is refused with what to do, and changes nothing."""
    await server.answered(await server.command(EVE, "settings", name="watched", value="general"), "Type #")
    assert client.settings == {}


async def test_watching_connects_anew_where_it_may(bot: Bot, server: Server, client: FakeClient) -> None:
    """With the intent allowed, choosing channels ends this connection for one that hears them."""
    shown = await server.answered(await server.command(EVE, "settings"), "Who can add videos")
    await server.answered(await server.choose(EVE, shown, "watched", [str(GUILD + CLIPS)]), "Setting changed")
    await server.until(lambda: bot.is_closed())
    assert bot.needs_reconnect
    assert client.settings[SPACE].watched == (str(GUILD + CLIPS),)
    assert isinstance(client.asked[-1], GetSettings)
