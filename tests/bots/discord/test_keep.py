"""Adding, listing and removing videos in Discord."""

import threading

import pytest

from bots.discord.bot import Bot
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import GOAL, SNOW, FakeVideo
from tests.support.discord.server import FakeDiscord
from tests.support.discord.world import ADA, BOB, SECRET, SPACE, is_ephemeral, texts
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Sense, Submit

NEW = "https://video.example/new"


async def test_index_updates_one_message_to_the_end(
    server: FakeDiscord, client: FakeClient, gate: threading.Event
) -> None:
    asked = await server.command(ADA, "index", link=NEW)
    progress = await server.wait_for_answer(asked, "downloading")
    assert "▱" in texts(progress)
    gate.set()
    done = await server.wait_for_answer(asked, "Added")
    assert done["id"] == progress["id"]
    submit = next(each for each in client.requests if isinstance(each, Submit))
    assert (submit.caller.user_id, submit.caller.display_name, submit.caller.private_channel, submit.link) == (
        str(ADA.id),
        "Ada",
        None,
        NEW,
    )


async def test_message_says_that_a_video_is_added_and_still_listened_to(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    """It is shown as done only after that."""
    failed = {Sense.SHOWN: ErrorCode.MODEL_MISSING}
    client.sites = {NEW: FakeVideo(NEW, "new", ("ships",), pending_senses=(Sense.SAID,), failed_senses=failed)}
    client.enrich_gate = threading.Event()
    asked = await server.command(ADA, "index", link=NEW)
    listening = await server.wait_for_answer(asked, "Added; ")
    assert "✅" not in texts(listening)
    client.enrich_gate.set()
    done = await server.wait_for_answer(asked, "✅ Added")
    assert done["id"] == listening["id"]
    assert "The text on its screen couldn't be read" in texts(done)


async def test_each_of_several_links_is_reported(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    """A failed link has its reason and a reference."""
    client.sites = {"https://video.example/gone": ErrorCode.NOT_FOUND}
    asked = await server.command(ADA, "index", link=f"{NEW} https://video.example/gone")
    words = ("Added", "There's no video at that link", "Reference fa11ed00")
    await server.wait_for(lambda: any(all(word in texts(each) for word in words) for each in asked.shown))
    await server.wait_for_answer(await server.command(ADA, "index", link="nonsense"), "doesn't look like a link")


async def test_videos_of_a_private_channel_are_found_only_there(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    await server.wait_for_answer(await server.command(ADA, "index", link=NEW, channel=SECRET), "Added")
    assert client.videos[0].private_channel == str(int(SPACE.split(":")[1]) + SECRET)
    await server.wait_for_answer(await server.command(ADA, "find", words="something", channel=SECRET), "new")
    await server.wait_for_answer(await server.command(BOB, "find", words="something"), "Nothing found")


async def test_message_menu_adds_every_link(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    """A message without links is answered with a sentence."""
    message = await server.write(BOB, f"look {NEW} and <https://video.example/other>", is_announced=False)
    await server.wait_for_answer(await server.menu(ADA, "Add the videos in this message", message), "other")
    submits = [each for each in client.requests if isinstance(each, Submit)]
    assert {each.link for each in submits} == {NEW, "https://video.example/other"}
    assert {each.message_id for each in submits} == {message["id"]}
    empty = await server.write(BOB, "no link here", is_announced=False)
    await server.wait_for_answer(await server.menu(ADA, "Add the videos in this message", empty), "Which video?")


async def test_library_lists_all_matching_or_own_videos(bot: Bot, server: FakeDiscord) -> None:
    text = texts(await server.wait_for_answer(await server.command(ADA, "library"), "3 videos"))
    for part in ("Dogs in snow", SNOW.link, "The goal", "0:12", "words only", "added by ada"):
        assert part in text
    text = texts(await server.wait_for_answer(await server.command(ADA, "library", words="goal"), "1 video"))
    assert "Dogs in snow" not in text
    assert "The goal" in text
    await server.wait_for_answer(await server.command(BOB, "library", mine=True), "library is empty")


@pytest.mark.parametrize(("link_chars", "whole"), [(290, False), (2000, True)])
async def test_long_library_is_cut_at_discords_limit(
    bot: Bot, server: FakeDiscord, client: FakeClient, link_chars: int, whole: bool
) -> None:
    """A very long link leaves room for other entries."""
    link = "https://v.example/{}?".ljust(link_chars, "y")
    client.videos = [FakeVideo(link.format(n), "T" * 300, ("a",), SPACE) for n in range(10)]
    text = texts(await server.wait_for_answer(await server.command(ADA, "library"), "10 videos"))
    assert text.endswith("…") is not whole
    assert (text.count("T" * 99) == 10) is whole


async def test_forget_removes_own_videos_only(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    client.videos[1] = FakeVideo(GOAL.link, "The goal", ("a",), SPACE, submitter=str(ADA.id))
    await server.wait_for_answer(await server.command(BOB, "forget", link=GOAL.link), "Someone else added")
    await server.wait_for_answer(await server.command(ADA, "forget", mine=True), f"Removed: {GOAL.link}")
    assert GOAL.link not in [video.link for video in client.videos]
    await server.wait_for_answer(await server.command(ADA, "forget"), "Which video?")


async def test_status_privacy_and_help_are_answered(bot: Bot, server: FakeDiscord) -> None:
    """Replies that concern one user are private."""
    await server.wait_for_answer(await server.command(ADA, "status"), "3 videos")
    answer = await server.wait_for_answer(await server.command(ADA, "privacy"), "Reelseek stores")
    assert is_ephemeral(answer)
    text = texts(await server.wait_for_answer(await server.command(ADA, "help"), "/find"))
    assert "/retrain" not in text
