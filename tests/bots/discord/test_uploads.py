"""Videos that people upload or forward instead of sending a link."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bots.chat.service import ChatService
from bots.discord.bot import Bot
from bots.discord.watched_channels import WatchedChannels
from tests.support.bots.fake_client import FakeClient
from tests.support.discord.bot import Clock, run_bot
from tests.support.discord.server import FakeDiscord
from tests.support.discord.world import ADA, BOB, BOT, CLIPS, GUILD, make_attachment, make_snapshot
from worker.protocol.library import Submit

NEW, OTHER = "https://video.example/new", "https://video.example/other"
CLIP = make_attachment()
MENU = "Add the videos in this message"


@pytest.fixture
async def watching(chat: ChatService, server: FakeDiscord, clock: Clock) -> AsyncIterator[Bot]:
    """Run a bot that reads messages, in a guild with one watched channel."""
    watched = WatchedChannels(chat.client, {GUILD: frozenset({str(GUILD + CLIPS)})})
    async with run_bot(Bot(chat, watched, reads_messages=True, clock=clock), server) as ready:
        yield ready


def list_submitted(client: FakeClient) -> list[str]:
    return [each.link for each in client.requests if isinstance(each, Submit)]


def rich(**fields: Any) -> dict[str, Any]:
    return {"type": "rich", **fields}


@pytest.mark.parametrize(
    "file",
    [
        CLIP,
        make_attachment("IMG_0001.MOV", "video/quicktime"),
        make_attachment("talk.mkv", None),
        make_attachment("talk.webm", "application/octet-stream"),
        make_attachment("wave.gif", "image/gif"),
    ],
)
async def test_video_uploaded_to_a_watched_channel_is_added_and_marked(
    watching: Bot, server: FakeDiscord, client: FakeClient, file: dict[str, Any]
) -> None:
    message = await server.write(ADA, "", attachments=[file])
    await server.wait_for(lambda: server.reactions)
    assert server.reactions == [(int(message["id"]), "✅")]
    (submit,) = [each for each in client.requests if isinstance(each, Submit)]
    assert (submit.link, submit.caller.user_id, submit.message_id) == (file["url"], str(ADA.id), message["id"])


async def test_link_and_uploads_of_one_message_are_all_added(
    watching: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    second = make_attachment("second.mp4", number=2)
    await server.write(ADA, f"two takes, and {NEW}", attachments=[CLIP, second])
    await server.wait_for(lambda: server.reactions)
    assert list_submitted(client) == [NEW, CLIP["url"], second["url"]]


async def test_uploads_that_are_no_videos_are_ignored(watching: Bot, server: FakeDiscord, client: FakeClient) -> None:
    files = [
        make_attachment("photo.jpg", "image/jpeg"),
        make_attachment("voice-message.ogg", "audio/ogg"),
        make_attachment("app.ts", "video/mp2t"),
        make_attachment("notes.txt", "text/plain; charset=utf-8"),
    ]
    await server.write(ADA, "no video", attachments=files)
    await server.write(ADA, OTHER)
    await server.wait_for(lambda: server.reactions)
    assert list_submitted(client) == [OTHER]


async def test_upload_that_an_edit_removes_is_removed(watching: Bot, server: FakeDiscord, client: FakeClient) -> None:
    message = await server.write(ADA, NEW, attachments=[CLIP])
    await server.wait_for(lambda: server.reactions)
    message["attachments"] = []
    await server.edit(ADA, message, NEW)
    await server.wait_for(lambda: len(server.reactions) == 2)
    assert {video.link for video in client.videos if video.message_id} == {NEW}


@pytest.mark.parametrize(
    ("snapshot", "link"),
    [
        (make_snapshot(f"look {NEW}"), NEW),
        (make_snapshot(attachments=[CLIP]), CLIP["url"]),
        (make_snapshot(embeds=[rich(url=NEW, title="posted by an app")]), NEW),
        (make_snapshot(embeds=[rich(description=f"[new]({NEW})")]), NEW),
    ],
)
async def test_forwarded_video_counts_as_the_forwarders(
    watching: Bot, server: FakeDiscord, client: FakeClient, snapshot: dict[str, Any], link: str
) -> None:
    message = await server.write(
        BOB, "", message_snapshots=[snapshot], message_reference={"type": 1, "channel_id": "1"}
    )
    await server.wait_for(lambda: server.reactions)
    (submit,) = [each for each in client.requests if isinstance(each, Submit)]
    assert (submit.link, submit.caller.user_id, submit.message_id) == (link, str(BOB.id), message["id"])


async def test_preview_of_a_link_is_not_a_second_link(watching: Bot, server: FakeDiscord, client: FakeClient) -> None:
    await server.write(ADA, NEW, embeds=[rich(url=OTHER), {"type": "video", "url": OTHER}])
    await server.write(ADA, "hello", embeds=[{"type": "video", "url": OTHER}])
    await server.write(ADA, "", message_snapshots=[make_snapshot(embeds=[{"type": "link", "url": OTHER}])])
    await server.wait_for(lambda: server.reactions)
    assert list_submitted(client) == [NEW]


async def test_message_menu_adds_uploads_and_forwards(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    uploaded = await server.write(BOB, "", attachments=[CLIP])
    await server.wait_for_answer(await server.menu(ADA, MENU, uploaded), "Added")
    forwarded = await server.write(BOB, "", message_snapshots=[make_snapshot(NEW)])
    await server.wait_for_answer(await server.menu(ADA, MENU, forwarded), "Added")
    assert list_submitted(client) == [CLIP["url"], NEW]


async def test_message_menu_adds_what_an_app_posted_in_embeds_and_buttons(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    row = {"type": 1, "components": [{"type": 2, "style": 5, "label": "Watch", "url": NEW}]}
    message = server.make_message(GUILD + CLIPS, {"components": [row]}, author=BOT) | {"embeds": [rich(url=OTHER)]}
    await server.wait_for_answer(await server.menu(ADA, MENU, message), "Added")
    assert list_submitted(client) == [OTHER, NEW]


async def test_index_takes_a_file_with_and_without_a_link(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    await server.wait_for_answer(await server.command(ADA, "index", file=CLIP), "Added")
    second = make_attachment("second.mp4", number=2)
    await server.wait_for_answer(await server.command(ADA, "index", link=NEW, file=second), "Added")
    assert list_submitted(client) == [CLIP["url"], NEW, second["url"]]


async def test_index_without_link_and_file_asks_which_video(bot: Bot, server: FakeDiscord) -> None:
    await server.wait_for_answer(await server.command(ADA, "index"), "Which video?")
