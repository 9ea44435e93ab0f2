"""What goes into the library, is looked at there, and goes out of it."""

import threading

import pytest

from bots.discord.bot import Bot
from tests.bots.discord.conftest import SPACE
from tests.support.discord.server import Server
from tests.support.discord.world import ADA, BOB, SECRET, ephemeral, texts
from tests.support.fake_client import GOAL, SNOW, FakeClient, FakeVideo
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Submit

NEW = "https://video.example/new"


async def test_index_shows_its_way_in_one_message(server: Server, client: FakeClient, gate: threading.Event) -> None:
    """A link is acknowledged, one message shows how far it is, and the same one says how it ended."""
    asked = await server.command(ADA, "index", link=NEW)
    passing = await server.answered(asked, "downloading")
    assert "▱" in texts(passing)
    gate.set()
    done = await server.answered(asked, "Added")
    assert done["id"] == passing["id"]
    submit = next(each for each in client.asked if isinstance(each, Submit))
    assert (submit.caller.user_id, submit.caller.display_name, submit.caller.private_channel, submit.link) == (
        str(ADA.id),
        "Ada",
        "",
        NEW,
    )


async def test_several_links_each_have_a_line(bot: Bot, server: Server, client: FakeClient) -> None:
    """Every link ends with its own word, a failed one with what to do and the reference of the log."""
    client.sites = {"https://video.example/gone": ErrorCode.NOT_FOUND}
    links = f"{NEW} https://video.example/gone nonsense"
    asked = await server.command(ADA, "index", link=links)
    words = ("Added", "There is no video at that link", "Reference fa11ed00", "not a link")
    await server.until(lambda: any(all(word in texts(each) for word in words) for each in asked.shown))


async def test_a_private_channel_is_a_room(bot: Bot, server: Server, client: FakeClient) -> None:
    """What is submitted where not everybody may read is put in from that room, and found there only."""
    await server.answered(await server.command(ADA, "index", link=NEW, channel=SECRET), "Added")
    assert client.videos[0].private_channel == str(int(SPACE.split(":")[1]) + SECRET)
    await server.answered(await server.command(ADA, "find", words="something", channel=SECRET), "new")
    await server.answered(await server.command(BOB, "find", words="something"), "Nothing found")


async def test_the_menu_of_a_message(bot: Bot, server: Server, client: FakeClient) -> None:
    """Its entry submits every link of the message; a message without links is told so."""
    message = await server.write(BOB, f"look {NEW} and <https://video.example/other>", silent=True)
    await server.answered(await server.menu(ADA, "Index the links in this message", message), "other")
    submits = [each for each in client.asked if isinstance(each, Submit)]
    assert {each.link for each in submits} == {NEW, "https://video.example/other"}
    assert {each.message_id for each in submits} == {message["id"]}
    empty = await server.write(BOB, "no link here", silent=True)
    await server.answered(await server.menu(ADA, "Index the links in this message", empty), "Which video?")


async def test_the_library_is_listed(bot: Bot, server: Server) -> None:
    """The newest first, with state, length, who and when, and why one has only its words; or those that words name."""
    said = texts(await server.answered(await server.command(ADA, "library"), "3 videos"))
    for part in ("Dogs in snow", SNOW.link, "The goal", "0:12", "words only", "added by ada"):
        assert part in said
    said = texts(await server.answered(await server.command(ADA, "library", words="goal"), "1 video"))
    assert "Dogs in snow" not in said
    assert "The goal" in said
    await server.answered(await server.command(BOB, "library", mine=True), "library is empty")


@pytest.mark.parametrize(("link_chars", "whole"), [(290, False), (2000, True)])
async def test_a_long_library_fits(bot: Bot, server: Server, client: FakeClient, link_chars: int, whole: bool) -> None:
    """A page of long entries is cut where Discord's limit is, not refused; a very long link takes nobody's place."""
    link = "https://v.example/{}?".ljust(link_chars, "y")
    client.videos = [FakeVideo(link.format(n), "T" * 300, ("a",), SPACE) for n in range(10)]
    said = texts(await server.answered(await server.command(ADA, "library"), "10 videos"))
    assert said.endswith("…") is not whole
    assert (said.count("T" * 99) == 10) is whole


async def test_forget(bot: Bot, server: Server, client: FakeClient) -> None:
    """One link is taken back by who may; everything of one's own at once."""
    client.videos[1] = FakeVideo(GOAL.link, "The goal", ("a",), SPACE, submitter=str(ADA.id))
    await server.answered(await server.command(BOB, "forget", link=GOAL.link), "Someone else added")
    await server.answered(await server.command(ADA, "forget", mine=True), f"Removed: {GOAL.link}")
    assert GOAL.link not in [video.link for video in client.videos]
    await server.answered(await server.command(ADA, "forget"), "Which video?")


async def test_status_privacy_and_help(bot: Bot, server: Server) -> None:
    """Each is answered; what concerns one person is private whatever the server decided."""
    await server.answered(await server.command(ADA, "status"), "3 videos")
    told = await server.answered(await server.command(ADA, "privacy"), "Reelseek stores")
    assert ephemeral(told)
    said = texts(await server.answered(await server.command(ADA, "help"), "/find"))
    assert "/retrain" not in said
