"""Channels whose links go into the library by themselves."""

from collections.abc import AsyncIterator

import pytest

from bots.chat.service import ChatService
from bots.discord.bot import Bot
from bots.discord.watched_channels import WatchedChannels
from tests.bots.discord.conftest import SPACE, Clock, running
from tests.support.discord.records import Fault
from tests.support.discord.server import Server
from tests.support.discord.world import ADA, BOT, CLIPS, EVE, GENERAL, GUILD
from tests.support.fake_client import FakeClient
from tests.support.waiting import wait_until
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Submit
from worker.protocol.spaces import SpaceSettings

NEW, OTHER = "https://video.example/new", "https://video.example/other"
CHANNELS = {GUILD: frozenset({str(GUILD + CLIPS)})}


@pytest.fixture
async def watching(chat: ChatService, server: Server, clock: Clock) -> AsyncIterator[Bot]:
    """A bot that may read, in a server with one watched channel."""
    watched = WatchedChannels(chat.client, CHANNELS)
    async with running(Bot(chat, watched, reads_messages=True, clock=clock), server) as ready:
        yield ready


def submitted(client: FakeClient) -> list[str]:
    return [each.link for each in client.asked if isinstance(each, Submit)]


def watched_links(client: FakeClient) -> set[str]:
    return {video.link for video in client.videos if video.message_id}


async def test_only_who_watches_reads(bot: Bot, server: Server) -> None:
    """Without a watched channel the bot asks Discord for servers alone: no messages, no privileged intent."""
    assert server.identified[-1]["intents"] == 1


async def test_who_watches_reads_messages(watching: Bot, server: Server) -> None:
    """With one it asks for servers, their messages and what those say; nothing more."""
    assert server.identified[-1]["intents"] == 1 | 1 << 9 | 1 << 15


async def test_a_link_in_a_watched_channel_goes_in(watching: Bot, server: Server, client: FakeClient) -> None:
    """It is submitted as its writer's, and the message is ticked."""
    message = await server.write(ADA, f"see {NEW} and {OTHER}")
    await server.until(lambda: server.reactions)
    assert server.reactions == [(int(message["id"]), "✅")]
    assert watched_links(client) == {NEW, OTHER}
    assert {video.submitter for video in client.videos if video.message_id} == {str(ADA.id)}
    assert not server.posted


async def test_a_link_that_fails_is_told_under_its_message(watching: Bot, server: Server, client: FakeClient) -> None:
    """A reply says which and why, and pings nobody."""
    client.sites = {NEW: ErrorCode.PRIVATE}
    message = await server.write(ADA, NEW)
    told = (await server.until(lambda: server.posted))[0]
    assert "That video is private" in told["content"]
    assert str(told["message_reference"]["message_id"]) == message["id"]
    assert not server.reactions


async def test_other_talk_is_passed_over(watching: Bot, server: Server, client: FakeClient) -> None:
    """Messages elsewhere, without links, and of bots, put nothing in."""
    await server.write(ADA, NEW, channel=GENERAL)
    await server.write(ADA, "no link")
    message = server._message(GUILD + CLIPS, {"content": NEW}, author=BOT)
    await server.dispatch("MESSAGE_CREATE", message | {"guild_id": str(GUILD)})
    await server.write(ADA, OTHER)
    await server.until(lambda: server.reactions)
    assert submitted(client) == [OTHER]


async def test_an_edit_is_followed(watching: Bot, server: Server, client: FakeClient) -> None:
    """A link that an edited message no longer holds goes out, a new one goes in; a preview is no edit."""
    message = await server.write(ADA, NEW)
    await server.until(lambda: server.reactions)
    await server.edit(ADA, message, NEW, at=None)
    await server.edit(ADA, message, OTHER)
    await server.until(lambda: len(server.reactions) == 2)
    assert watched_links(client) == {OTHER}
    assert submitted(client) == [NEW, OTHER]


async def test_a_deletion_is_followed(watching: Bot, server: Server, client: FakeClient) -> None:
    """What a deleted message had put in goes out."""
    message = await server.write(ADA, f"{NEW} {OTHER}")
    await server.until(lambda: server.reactions)
    await server.delete(message)
    while watched_links(client):
        await server.answered(await server.command(EVE, "status"), "videos")


@pytest.mark.parametrize("where", [{GUILD + GENERAL}, set()])
async def test_a_deletion_where_nothing_is_watched_any_more(
    watching: Bot, server: Server, client: FakeClient, where: set[int]
) -> None:
    """What went in while the channel was watched goes out with its message, whatever is watched by then."""
    message = await server.write(ADA, NEW)
    await server.until(lambda: server.reactions)
    client.settings[SPACE] = SpaceSettings(watched=tuple(map(str, where)))
    await watching.load_watched_channels(GUILD)
    await server.delete(message)
    while watched_links(client):
        await server.answered(await server.command(EVE, "status"), "videos")


async def test_a_deletion_in_a_thread_that_is_not_known(watching: Bot, server: Server, client: FakeClient) -> None:
    """Discord does not tell again of threads that were put away; their deletions are followed all the same."""
    message = await server.write(ADA, NEW)
    await server.until(lambda: server.reactions)
    await server.delete(message | {"channel_id": str(GUILD + 999)})
    while watched_links(client):
        await server.answered(await server.command(EVE, "status"), "videos")


async def test_the_same_event_three_times(watching: Bot, server: Server, client: FakeClient) -> None:
    """A message that Discord tells of again is submitted once."""
    message = await server.write(ADA, NEW, silent=True)
    for _ in range(3):
        await server.dispatch("MESSAGE_CREATE", message | {"guild_id": str(GUILD)})
    await server.write(ADA, OTHER)
    await server.until(lambda: len(server.reactions) == 2)
    assert sorted(submitted(client)) == [NEW, OTHER]


async def test_settings_that_could_not_be_read_at_the_start(
    chat: ChatService, server: Server, client: FakeClient, clock: Clock
) -> None:
    """A bot that started before the workers learns later what is watched, and ends to connect with the intent."""
    client.settings[SPACE] = SpaceSettings(watched=(str(GUILD + CLIPS),))
    bot = Bot(chat, clock=clock)
    bot.watched.unloaded_guilds.add(GUILD)
    async with running(bot, server):
        await server.until(bot.is_closed)
    assert bot.needs_reconnect


async def test_settings_that_could_not_be_read_later(
    chat: ChatService, server: Server, client: FakeClient, clock: Clock
) -> None:
    """Settings that could not be read after a change are looked at again, in the bot that was sure of all before."""
    bot = Bot(chat, clock=clock, retry_interval_s=0.1)

    async def unsure() -> bool:
        return bool(bot.watched.unloaded_guilds)

    async with running(bot, server):
        await bot.wait_until_ready()
        client.broken = CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, "beef0000")
        await server.answered(await server.command(EVE, "settings"), "cannot be reached")
        await wait_until(unsure)
        client.settings[SPACE] = SpaceSettings(watched=(str(GUILD + CLIPS),))
        server.faults.append(Fault("GET", "/applications/@me", 403, {"code": 0, "message": "no"}))
        client.broken = None
        await server.until(bot.is_closed)
    assert bot.needs_reconnect
    assert not server.faults[0].times
