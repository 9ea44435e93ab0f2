"""Faults between Discord, the bot, Redis and the workers: every request gets one answer or one sentence."""

import asyncio
import re
import threading
from dataclasses import replace
from typing import Any, Literal

import pytest
from structlog.testing import capture_logs

from bots.chat.service import ChatService
from bots.chat.stores import open_chat_stores
from bots.discord.bot import Bot
from tests.support.bots.fake_client import FakeClient
from tests.support.discord.bot import Clock, run_bot
from tests.support.discord.records import Fault
from tests.support.discord.server import FakeDiscord
from tests.support.discord.world import ADA, EVE, GUILD, OTHER_GUILD, SPACE, FakeUser, is_ephemeral, labels, texts
from tests.support.waiting import wait_until
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.spaces import SpaceSettings

NEW = "https://video.example/new"
ORIGINAL = r"/messages/@original$"


async def test_dropped_gateway_connection_resumes_and_loses_no_answer(
    server: FakeDiscord, gate: threading.Event
) -> None:
    asked = await server.command(ADA, "index", link=NEW)
    await server.wait_for_answer(asked, "downloading")
    await server.drop()
    meanwhile = await server.command(EVE, "find", words="dog")
    gate.set()
    await server.wait_for_answer(asked, "Added")
    await server.wait_for_answer(meanwhile, "Dogs in snow")
    assert len(server.resumed) == 1
    assert len(server.identified) == 1


async def test_metrics_show_connection_acknowledgements_and_answers(bot: Bot, server: FakeDiscord) -> None:
    seen = bot.chat.metrics.registry.get_sample_value
    answered = {"platform": "discord", "command": "find", "outcome": "answered"}

    async def lost() -> bool:
        return not await bot.is_connected()

    async def counted() -> bool:
        return seen("reelseek_answers_total", answered) == 1

    await wait_until(bot.is_connected)
    await server.drop()
    await wait_until(lost, max_pause_s=0)
    await wait_until(bot.is_connected)
    await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    await wait_until(counted)
    assert seen("reelseek_acknowledge_seconds_count", {"platform": "discord"}) == 1


async def test_reconnect_request_is_followed_by_a_resume(bot: Bot, server: FakeDiscord) -> None:
    await server.send_op(7)
    await server.wait_for(lambda: server.resumed)
    await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")


async def test_invalid_session_is_replaced(bot: Bot, server: FakeDiscord) -> None:
    await server.send_op(9, False)
    await server.wait_for(lambda: len(server.identified) == 2)
    await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")


async def test_discord_rate_limit_is_obeyed(bot: Bot, server: FakeDiscord) -> None:
    """After a 429 the same answer is sent again."""
    server.faults.append(Fault("PATCH", ORIGINAL, 429, {"retry_after": 0.2, "global": False, "message": ""}))
    await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    edits = [address for method, address, _ in server.requests if method == "PATCH"]
    assert len(edits) == 2


async def test_discord_server_error_is_retried(bot: Bot, server: FakeDiscord) -> None:
    server.faults.append(Fault("PATCH", ORIGINAL, 502, {}))
    await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")


async def test_refused_message_is_replaced_by_an_error_with_a_reference(bot: Bot, server: FakeDiscord) -> None:
    server.faults.append(Fault("PATCH", ORIGINAL, 400, {"code": 50035, "message": "Invalid Form Body"}))
    await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Reference")


async def test_rejected_acknowledgement_stops_the_command(
    bot: Bot, server: FakeDiscord, client: FakeClient, clock: Clock
) -> None:
    """Discord has already shown the user a failure, so the command must not run."""
    server.faults.append(Fault("POST", "/callback$", 404, {"code": 10062, "message": "Unknown interaction"}))
    late = await server.command(ADA, "index", link=NEW)
    await server.wait_for_answer(await server.command(ADA, "status"), "videos")
    assert late.response is None
    assert NEW not in [video.link for video in client.videos]


async def test_duplicate_interaction_is_answered_once(bot: Bot, server: FakeDiscord) -> None:
    asked = await server.command(ADA, "index", link=NEW)
    event = server.last_event["d"]
    for _ in range(2):
        await server.dispatch("INTERACTION_CREATE", event)
    await server.wait_for_answer(asked, "Added")
    await server.wait_for(lambda: len(server.refused) == 2)
    server.refused.clear()
    assert len({each["id"] for each in asked.shown}) == 1


async def test_answer_after_16_minutes_is_posted_in_the_channel(
    server: FakeDiscord, client: FakeClient, clock: Clock, gate: threading.Event
) -> None:
    """The token has expired. The message names the user and notifies no one."""
    asked = await server.command(ADA, "index", link=NEW)
    await server.wait_for_answer(asked, "downloading")
    clock.now += 16 * 60
    gate.set()
    answer = (await server.wait_for(lambda: server.posted))[0]
    assert answer["channel_id"] == str(asked.channel)
    assert "Added" in texts(answer)
    assert f"<@{ADA.id}>" in texts(answer)
    assert len(server.posted) == 1


async def test_answer_with_a_refused_token_is_posted_in_the_channel(bot: Bot, server: FakeDiscord) -> None:
    server.faults.append(Fault("PATCH", ORIGINAL, 401, {"code": 50027, "message": "Invalid Webhook Token"}))
    await server.command(ADA, "find", words="dog")
    answer = (await server.wait_for(lambda: server.posted))[0]
    assert "Dogs in snow" in texts(answer)
    theirs = await server.press(EVE, answer, "More like this")
    assert is_ephemeral(await server.wait_for_answer(theirs, "dog"))


async def test_restarted_bot_answers_open_requests_in_place(
    chat: ChatService, server: FakeDiscord, client: FakeClient, clock: Clock
) -> None:
    """Buttons of earlier answers still work."""
    client.gate = threading.Event()
    async with run_bot(Bot(chat, clock=clock), server):
        shown = await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")
        asked = await server.command(ADA, "index", link=NEW)
        progress = await server.wait_for_answer(asked, "downloading")
    client.gate.set()
    async with run_bot(Bot(chat, clock=clock), server):
        done = await server.wait_for_answer(asked, "Added")
        assert done["id"] == progress["id"]
        await server.wait_for_answer(await server.press(ADA, shown, "Good match"), "Thanks")
    assert len(client.votes) == 1
    assert not server.posted


async def test_stop_while_a_picture_is_loaded_asks_the_user_to_try_again(
    chat: ChatService, server: FakeDiscord, clock: Clock
) -> None:
    """Without its picture the request cannot be recovered."""
    server.cdn_does = "hang"
    async with run_bot(Bot(chat, clock=clock), server):
        asked = await server.command(ADA, "find", words="dog", picture=b"x")
        await server.wait_for(lambda: server.fetched)
    await server.wait_for_answer(asked, "Can't reach Reelseek right now. Try again")


async def test_unreachable_workers_are_reported_for_every_command(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    client.broken = CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, "beef0000")
    commands: dict[str, dict[str, Any]] = {
        "find": {"words": "dog"},
        "index": {"link": NEW},
        "library": {},
        "status": {},
    }
    for name, options in commands.items():
        text = texts(await server.wait_for_answer(await server.command(ADA, name, **options), "Can't reach"))
        assert "Reference beef0000" in text
    client.broken = None
    await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")


async def test_command_without_redis_is_acknowledged_and_answered_with_an_error(
    client: FakeClient, server: FakeDiscord, clock: Clock
) -> None:
    async with (
        open_chat_stores("redis://127.0.0.1:1/0", "100/minute", "100/minute") as nowhere,
        run_bot(Bot(ChatService(client, nowhere), clock=clock), server),
    ):
        answer = await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Can't reach")
    assert is_ephemeral(answer)


async def test_burst_of_200_users_is_acknowledged_before_it_is_answered(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    """Each user gets one answer, from the own guild."""
    server.guilds.append(OTHER_GUILD)
    client.videos.append(replace(client.videos[0], space=f"discord:{OTHER_GUILD}", title="Another server's"))
    people = [FakeUser(1000 + number, f"P{number}") for number in range(200)]
    guilds, client.answer_gate = [GUILD, OTHER_GUILD], asyncio.Event()
    asked = await asyncio.gather(
        *(server.command(who, "find", words="dog", guild=guilds[number % 2]) for number, who in enumerate(people))
    )
    await server.wait_for(lambda: all(each.acknowledged_s for each in asked))
    client.answer_gate.set()
    for number, each in enumerate(asked):
        text = texts(await server.wait_for_answer(each))
        assert ("Another server's" in text, "Dogs in snow" in text) == ((False, True), (True, False))[number % 2]
        assert len(each.shown) == 1


async def test_rate_limit_exceeded_tells_when_to_retry(
    client: FakeClient, clean_redis: str, server: FakeDiscord, clock: Clock
) -> None:
    """Other users are still served."""
    async with (
        open_chat_stores(clean_redis, "2/minute", "100/minute") as strict,
        run_bot(Bot(ChatService(client, strict), clock=clock), server),
    ):
        for _ in range(2):
            await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")
        await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Try again in")
        await server.wait_for_answer(await server.command(EVE, "find", words="dog"), "Dogs in snow")


async def test_buttons_of_a_late_public_answer_answer_privately(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    client.settings[SPACE] = SpaceSettings(answers="public")
    server.faults.append(Fault("PATCH", ORIGINAL, 404, {"code": 10008, "message": "Unknown Message"}))
    await server.command(ADA, "find", words="dog", limit=1)
    answer = (await server.wait_for(lambda: server.posted))[0]
    turned = await server.wait_for_answer(await server.press(ADA, answer, "Next"), "The goal")
    assert is_ephemeral(turned)
    assert labels(turned)[-1] == "Back"


@pytest.mark.parametrize("code", [4000, 1000])
async def test_closed_gateway_connection_is_resumed(bot: Bot, server: FakeDiscord, code: int) -> None:
    await server.drop(code)
    await server.wait_for(lambda: server.resumed)
    await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")


@pytest.mark.parametrize(
    ("picture", "cdn_does", "event"),
    [(b"x" * 8_000_001, "answer", "query_file.refused"), (b"x", "abort", "query_file.failed")],
)
async def test_reference_shown_for_a_picture_is_in_the_log(
    bot: Bot, server: FakeDiscord, picture: bytes, cdn_does: Literal["answer", "abort"], event: str
) -> None:
    """The reference leads to the cause: the log lines of the failure have it as their correlation id."""
    server.cdn_does = cdn_does
    with capture_logs() as logs:
        asked = await server.command(ADA, "find", words="dog", picture=picture)
        text = texts(await server.wait_for_answer(asked, "Reference"))
    [correlation_id] = re.findall(r"Reference (\w+)", text)
    logged = {line["event"] for line in logs if line.get("correlation_id") == correlation_id}
    assert {event, "request.failed"} <= logged
