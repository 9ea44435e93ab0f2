"""Channels whose links are added automatically."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bots.chat.service import ChatService
from bots.discord.bot import Bot
from bots.discord.watched_channels import WatchedChannels
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import FakeVideo
from tests.support.discord import limits
from tests.support.discord.bot import Clock, run_bot
from tests.support.discord.records import Fault
from tests.support.discord.server import FakeDiscord
from tests.support.discord.world import ADA, BOT, CLIPS, EVE, GENERAL, GUILD, SPACE, STAMP
from tests.support.waiting import wait_until
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Submit
from worker.protocol.spaces import SpaceSettings

NEW, OTHER = "https://video.example/new", "https://video.example/other"
CHANNELS = {GUILD: frozenset({str(GUILD + CLIPS)})}


@pytest.fixture
async def watching(chat: ChatService, server: FakeDiscord, clock: Clock) -> AsyncIterator[Bot]:
    """Run a bot that reads messages, in a guild with one watched channel."""
    watched = WatchedChannels(chat.client, CHANNELS)
    async with run_bot(Bot(chat, watched, reads_messages=True, clock=clock), server) as ready:
        yield ready


def list_submitted(client: FakeClient) -> list[str]:
    return [each.link for each in client.requests if isinstance(each, Submit)]


def list_watched_links(client: FakeClient) -> set[str]:
    return {video.link for video in client.videos if video.message_id}


def make_channel(kind: int, number: int = 500) -> dict[str, Any]:
    return {"id": str(GUILD + number), "guild_id": str(GUILD), "type": kind, "name": "c", "position": 9, "nsfw": False,
            "permission_overwrites": [], "parent_id": None, "topic": None, "bitrate": 64000, "user_limit": 0,
            "available_tags": []}  # fmt: skip


def make_thread(parent: int = 500, number: int = 501) -> dict[str, Any]:
    lasting = {"archived": False, "auto_archive_duration": 60, "archive_timestamp": STAMP, "locked": False}
    return {"id": str(GUILD + number), "guild_id": str(GUILD), "type": 11, "name": "post", "owner_id": str(ADA.id),
            "parent_id": str(GUILD + parent), "message_count": 1, "member_count": 1, "rate_limit_per_user": 0,
            "thread_metadata": lasting, "flags": 0, "applied_tags": []}  # fmt: skip


@pytest.mark.parametrize("kind", [0, 2, 5, 13, 15, 16])
async def test_channels_of_every_kind_are_watched_with_their_threads(
    chat: ChatService, server: FakeDiscord, client: FakeClient, clock: Clock, kind: int
) -> None:
    """Text, voice, announcement, stage, forum and media channels."""
    watched = WatchedChannels(chat.client, {GUILD: frozenset({str(GUILD + 500)})})
    async with run_bot(Bot(chat, watched, reads_messages=True, clock=clock), server):
        await server.dispatch("CHANNEL_CREATE", make_channel(kind))
        await server.dispatch("THREAD_CREATE", make_thread())
        await server.write(ADA, NEW, channel=501 if kind in (15, 16) else 500)
        await server.wait_for(lambda: server.reactions)
    assert list_watched_links(client) == {NEW}
    assert {video.private_channel for video in client.videos if video.message_id} == {None}


async def test_channel_menu_lists_every_kind_of_channel_in_which_people_write(bot: Bot, server: FakeDiscord) -> None:
    shown = await server.wait_for_answer(await server.command(EVE, "settings"), "watched")
    (menu,) = [each for each in limits.walk_components(shown["components"]) if each["type"] == limits.CHANNEL_SELECT]
    assert set(menu["channel_types"]) == {0, 2, 5, 10, 11, 12, 13, 15, 16}


async def test_bot_without_watched_channels_reads_no_messages(bot: Bot, server: FakeDiscord) -> None:
    assert server.identified[-1]["intents"] == 1


async def test_bot_with_watched_channels_asks_for_messages_only(watching: Bot, server: FakeDiscord) -> None:
    assert server.identified[-1]["intents"] == 1 | 1 << 9 | 1 << 15


async def test_link_in_a_watched_channel_is_added_and_marked(
    watching: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    message = await server.write(ADA, f"see {NEW} and {OTHER}")
    await server.wait_for(lambda: server.reactions)
    assert server.reactions == [(int(message["id"]), "✅")]
    assert list_watched_links(client) == {NEW, OTHER}
    assert {video.submitter for video in client.videos if video.message_id} == {str(ADA.id)}
    assert not server.posted


async def test_post_with_several_videos_is_marked_and_reported_under_its_message(
    watching: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    client.sites = {NEW: FakeVideo(NEW, "Take #1", ("ships",), is_first_of_several=True)}
    message = await server.write(ADA, f"{NEW} {OTHER}")
    answer = (await server.wait_for(lambda: server.posted))[0]
    assert answer["content"] == "Added “Take #1”. That post has several videos; this is the first."
    assert str(answer["message_reference"]["message_id"]) == message["id"]
    assert server.reactions == [(int(message["id"]), "✅")]


async def test_failed_link_is_reported_under_its_message(
    watching: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    client.sites = {NEW: ErrorCode.PRIVATE}
    message = await server.write(ADA, NEW)
    answer = (await server.wait_for(lambda: server.posted))[0]
    assert "That video is private" in answer["content"]
    assert str(answer["message_reference"]["message_id"]) == message["id"]
    assert not server.reactions


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, 90001),
        (403, 50013),
        (403, 50001),
        (404, 10008),
        (404, 10003),
        (400, 30010),
        (400, 50083),
        (500, 0),
        (0, 0),
    ],
)
async def test_reaction_that_discord_refuses_is_left_out_silently(
    watching: Bot, server: FakeDiscord, client: FakeClient, status: int, code: int
) -> None:
    """The author blocked the bot, the bot lacks a permission, the message is gone, or the connection breaks."""
    server.faults.append(Fault("PUT", "/reactions/", status, {"code": code, "message": "no"}, times=5 if code else 1))
    await server.write(ADA, NEW)
    await server.wait_for(lambda: not all(fault.times == 5 for fault in server.faults) and list_watched_links(client))
    await server.write(ADA, OTHER)
    await server.wait_for(lambda: list_watched_links(client) == {NEW, OTHER})
    await watching.close()
    assert server.posted == []


async def test_other_messages_are_ignored(watching: Bot, server: FakeDiscord, client: FakeClient) -> None:
    """Those in other channels, without links, and of bots."""
    await server.write(ADA, NEW, channel=GENERAL)
    await server.write(ADA, "no link")
    message = server.make_message(GUILD + CLIPS, {"content": NEW}, author=BOT)
    await server.dispatch("MESSAGE_CREATE", message | {"guild_id": str(GUILD)})
    await server.write(ADA, OTHER)
    await server.wait_for(lambda: server.reactions)
    assert list_submitted(client) == [OTHER]


async def test_library_follows_an_edited_message(watching: Bot, server: FakeDiscord, client: FakeClient) -> None:
    """A link preview is not an edit."""
    message = await server.write(ADA, NEW)
    await server.wait_for(lambda: server.reactions)
    await server.edit(ADA, message, NEW, at=None)
    await server.edit(ADA, message, OTHER)
    await server.wait_for(lambda: len(server.reactions) == 2)
    assert list_watched_links(client) == {OTHER}
    assert list_submitted(client) == [NEW, OTHER]


async def test_deleted_message_removes_its_videos(watching: Bot, server: FakeDiscord, client: FakeClient) -> None:
    message = await server.write(ADA, f"{NEW} {OTHER}")
    await server.wait_for(lambda: server.reactions)
    await server.delete(message)
    while list_watched_links(client):
        await server.wait_for_answer(await server.command(EVE, "status"), "videos")


@pytest.mark.parametrize("where", [{GUILD + GENERAL}, set()])
async def test_deleted_message_removes_its_videos_after_the_watch_ended(
    watching: Bot, server: FakeDiscord, client: FakeClient, where: set[int]
) -> None:
    message = await server.write(ADA, NEW)
    await server.wait_for(lambda: server.reactions)
    client.settings[SPACE] = SpaceSettings(watched=tuple(map(str, where)))
    await watching.load_watched_channels(GUILD)
    await server.delete(message)
    while list_watched_links(client):
        await server.wait_for_answer(await server.command(EVE, "status"), "videos")


async def test_deleted_message_of_an_unknown_thread_removes_its_videos(
    watching: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    """Discord does not report archived threads again."""
    message = await server.write(ADA, NEW)
    await server.wait_for(lambda: server.reactions)
    await server.delete(message | {"channel_id": str(GUILD + 999)})
    while list_watched_links(client):
        await server.wait_for_answer(await server.command(EVE, "status"), "videos")


async def test_duplicate_message_event_is_submitted_once(
    watching: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    message = await server.write(ADA, NEW, is_announced=False)
    for _ in range(3):
        await server.dispatch("MESSAGE_CREATE", message | {"guild_id": str(GUILD)})
    await server.write(ADA, OTHER)
    await server.wait_for(lambda: len(server.reactions) == 2)
    assert sorted(list_submitted(client)) == [NEW, OTHER]


async def test_unloaded_settings_are_read_again_after_the_start(
    chat: ChatService, server: FakeDiscord, client: FakeClient, clock: Clock
) -> None:
    """The bot then reconnects with the intent."""
    client.settings[SPACE] = SpaceSettings(watched=(str(GUILD + CLIPS),))
    bot = Bot(chat, clock=clock)
    bot.watched.unloaded_guilds.add(GUILD)
    async with run_bot(bot, server):
        await server.wait_for(bot.is_closed)
    assert bot.needs_reconnect


async def test_unloaded_settings_are_read_again_after_a_change(
    chat: ChatService, server: FakeDiscord, client: FakeClient, clock: Clock
) -> None:
    bot = Bot(chat, clock=clock, retry_interval_s=0.1)

    async def unsure() -> bool:
        return bool(bot.watched.unloaded_guilds)

    async with run_bot(bot, server):
        await bot.wait_until_ready()
        client.broken = CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, "beef0000")
        await server.wait_for_answer(await server.command(EVE, "settings"), "Can't reach")
        await wait_until(unsure)
        client.settings[SPACE] = SpaceSettings(watched=(str(GUILD + CLIPS),))
        server.faults.append(Fault("GET", "/applications/@me", 403, {"code": 0, "message": "no"}))
        client.broken = None
        await server.wait_for(bot.is_closed)
    assert bot.needs_reconnect
    assert not server.faults[0].times
