"""What goes wrong between Discord, the bot, Redis and the workers: everyone gets one answer or sentence."""

import asyncio
import threading
from dataclasses import replace

import pytest

from bots.chat.service import ChatService
from bots.chat.stores import open_chat_stores
from bots.discord.bot import Bot
from tests.bots.discord.conftest import SPACE, Clock, running
from tests.support.discord.records import Fault
from tests.support.discord.server import Server
from tests.support.discord.world import ADA, EVE, GUILD, OTHER_GUILD, Person, ephemeral, labels, texts
from tests.support.fake_client import FakeClient
from tests.support.waiting import wait_until
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.spaces import SpaceSettings

NEW = "https://video.example/new"
ORIGINAL = r"/messages/@original$"


async def test_the_gateway_drops_in_the_middle_of_an_answer(server: Server, gate: threading.Event) -> None:
    """The answer still comes, the session is resumed, and what was asked meanwhile is answered too."""
    asked = await server.command(ADA, "index", link=NEW)
    await server.answered(asked, "downloading")
    await server.drop()
    meanwhile = await server.command(EVE, "find", words="dog")
    gate.set()
    await server.answered(asked, "Added")
    await server.answered(meanwhile, "Dogs in snow")
    assert len(server.resumed) == 1
    assert len(server.identified) == 1


async def test_an_operator_sees_the_gateway(bot: Bot, server: Server) -> None:
    """Whether Discord reaches the bot, what was acknowledged, and what was answered can be watched."""
    seen = bot.chat.metrics.registry.get_sample_value
    answered = {"platform": "discord", "command": "find", "outcome": "answered"}

    async def lost() -> bool:
        return not await bot.is_connected()

    async def counted() -> bool:
        return seen("reelseek_answers_total", answered) == 1

    await wait_until(bot.is_connected)
    await server.drop()
    await wait_until(lost)
    await wait_until(bot.is_connected)
    await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    await wait_until(counted)
    assert seen("reelseek_acknowledge_seconds_count", {"platform": "discord"}) == 1


async def test_the_gateway_asks_to_reconnect(bot: Bot, server: Server) -> None:
    """RECONNECT is followed by RESUME, and questions go on."""
    await server.say(7)
    await server.until(lambda: server.resumed)
    await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")


async def test_the_session_is_invalid(bot: Bot, server: Server) -> None:
    """A session that Discord has forgotten is begun anew."""
    await server.say(9, False)
    await server.until(lambda: len(server.identified) == 2)
    await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")


async def test_rate_limits_are_obeyed(bot: Bot, server: Server) -> None:
    """A 429 is waited out and the same answer is sent again."""
    server.faults.append(Fault("PATCH", ORIGINAL, 429, {"retry_after": 0.2, "global": False, "message": ""}))
    await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    edits = [address for method, address, _ in server.requests if method == "PATCH"]
    assert len(edits) == 2


async def test_discord_stumbles(bot: Bot, server: Server) -> None:
    """A 502 is tried again."""
    server.faults.append(Fault("PATCH", ORIGINAL, 502, {}))
    await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")


async def test_a_refused_card_is_a_sentence(bot: Bot, server: Server) -> None:
    """What Discord will not show is told with the reference of the log, not left unanswered."""
    server.faults.append(Fault("PATCH", ORIGINAL, 400, {"code": 50035, "message": "Invalid Form Body"}))
    await server.answered(await server.command(ADA, "find", words="dog"), "Reference")


async def test_the_acknowledgement_came_too_late(bot: Bot, server: Server, client: FakeClient, clock: Clock) -> None:
    """Where Discord has already told the person that nothing came, nothing is done in secret."""
    server.faults.append(Fault("POST", "/callback$", 404, {"code": 10062, "message": "Unknown interaction"}))
    late = await server.command(ADA, "index", link=NEW)
    await server.answered(await server.command(ADA, "status"), "videos")
    assert late.response is None
    assert NEW not in [video.link for video in client.videos]


async def test_the_same_event_three_times(bot: Bot, server: Server) -> None:
    """An interaction that Discord tells of again is answered once."""
    asked = await server.command(ADA, "index", link=NEW)
    event = next(iter(server._sessions.values()))[-1]["d"]
    for _ in range(2):
        await server.dispatch("INTERACTION_CREATE", event)
    await server.answered(asked, "Added")
    await server.until(lambda: len(server.refused) == 2)
    server.refused.clear()
    assert len({each["id"] for each in asked.shown}) == 1


async def test_an_answer_after_sixteen_minutes(
    server: Server, client: FakeClient, clock: Clock, gate: threading.Event
) -> None:
    """Where the token has died, the end is a message in the same channel that names who asked and pings nobody."""
    asked = await server.command(ADA, "index", link=NEW)
    await server.answered(asked, "downloading")
    clock.now += 16 * 60
    gate.set()
    told = (await server.until(lambda: server.posted))[0]
    assert told["channel_id"] == str(asked.channel)
    assert "Added" in texts(told)
    assert f"<@{ADA.id}>" in texts(told)
    assert len(server.posted) == 1


async def test_a_token_that_discord_refuses_early(bot: Bot, server: Server) -> None:
    """The answer goes to the channel then too."""
    server.faults.append(Fault("PATCH", ORIGINAL, 401, {"code": 50027, "message": "Invalid Webhook Token"}))
    await server.command(ADA, "find", words="dog")
    told = (await server.until(lambda: server.posted))[0]
    assert "Dogs in snow" in texts(told)
    theirs = await server.press(EVE, told, "More like this")
    assert ephemeral(await server.answered(theirs, "Similar moments"))


async def test_a_restart_in_the_middle(chat: ChatService, server: Server, client: FakeClient, clock: Clock) -> None:
    """What a bot leaves unanswered the next one answers, in the same message; buttons of before work after."""
    client.gate = threading.Event()
    async with running(Bot(chat, clock=clock), server):
        shown = await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")
        asked = await server.command(ADA, "index", link=NEW)
        passing = await server.answered(asked, "downloading")
    client.gate.set()
    async with running(Bot(chat, clock=clock), server):
        done = await server.answered(asked, "Added")
        assert done["id"] == passing["id"]
        await server.answered(await server.press(ADA, shown, "Good match"), "Thanks")
    assert len(client.votes) == 1
    assert not server.posted


async def test_a_stop_while_a_picture_comes(chat: ChatService, server: Server, clock: Clock) -> None:
    """Whose picture was not here yet when the bot ended is told to try again: nobody could answer in its place."""
    server.cdn_does = "stand still"
    async with running(Bot(chat, clock=clock), server):
        asked = await server.command(ADA, "find", words="dog", picture=b"x")
        await server.until(lambda: server.fetched)
    await server.answered(asked, "cannot be reached right now. Try again")


async def test_the_workers_queue_is_gone(bot: Bot, server: Server, client: FakeClient) -> None:
    """Every command is answered with what to do, and works again when the queue is back."""
    client.broken = CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, "beef0000")
    for name, options in (("find", {"words": "dog"}), ("index", {"link": NEW}), ("library", {}), ("status", {})):
        said = texts(await server.answered(await server.command(ADA, name, **options), "cannot be reached"))
        assert "Reference beef0000" in said
    client.broken = None
    await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")


async def test_redis_is_gone(client: FakeClient, server: Server, clock: Clock) -> None:
    """Without Redis a question is still acknowledged and answered with a sentence."""
    async with (
        open_chat_stores("redis://127.0.0.1:1/0", "100/minute", "100/minute") as nowhere,
        running(Bot(ChatService(client, nowhere), clock=clock), server),
    ):
        told = await server.answered(await server.command(ADA, "find", words="dog"), "cannot be reached")
    assert ephemeral(told)


async def test_two_hundred_at_once(bot: Bot, server: Server, client: FakeClient) -> None:
    """Each is acknowledged before a worker has answered anybody, and gets one answer, from their own server."""
    server.guilds.append(OTHER_GUILD)
    client.videos.append(replace(client.videos[0], space=f"discord:{OTHER_GUILD}", title="Another server's"))
    people = [Person(1000 + number, f"P{number}") for number in range(200)]
    guilds, client.answer_gate = [GUILD, OTHER_GUILD], asyncio.Event()
    asked = await asyncio.gather(
        *(server.command(who, "find", words="dog", guild=guilds[number % 2]) for number, who in enumerate(people))
    )
    await server.until(lambda: all(each.acknowledged_s for each in asked))
    client.answer_gate.set()
    for number, each in enumerate(asked):
        said = texts(await server.answered(each))
        assert ("Another server's" in said, "Dogs in snow" in said) == ((False, True), (True, False))[number % 2]
        assert len(each.shown) == 1


async def test_who_asks_too_much_waits(client: FakeClient, clean_redis: str, server: Server, clock: Clock) -> None:
    """Over the limit a person reads when to try again; others are not held up."""
    async with (
        open_chat_stores(clean_redis, "2/minute", "100/minute") as strict,
        running(Bot(ChatService(client, strict), clock=clock), server),
    ):
        for _ in range(2):
            await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")
        await server.answered(await server.command(ADA, "find", words="dog"), "Try again in")
        await server.answered(await server.command(EVE, "find", words="dog"), "Dogs in snow")


async def test_a_public_answer_too_late_is_pressed(bot: Bot, server: Server, client: FakeClient) -> None:
    """Of a message in the channel everybody may press the buttons, each for themselves."""
    client.settings[SPACE] = SpaceSettings(answers="public")
    server.faults.append(Fault("PATCH", ORIGINAL, 404, {"code": 10008, "message": "Unknown Message"}))
    await server.command(ADA, "find", words="dog", limit=1)
    told = (await server.until(lambda: server.posted))[0]
    turned = await server.answered(await server.press(ADA, told, "Next"), "The goal")
    assert ephemeral(turned)
    assert labels(turned)[-1] == "Back"


@pytest.mark.parametrize("code", [4000, 1000])
async def test_the_gateway_closes(bot: Bot, server: Server, code: int) -> None:
    """A closed connection is taken up again."""
    await server.drop(code)
    await server.until(lambda: server.resumed)
    await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")
