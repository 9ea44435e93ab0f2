"""Links to uploaded files, whose signature expires after a day."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from bots.discord.bot import Bot
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import FakeVideo
from tests.support.discord.bot import Clock
from tests.support.discord.records import Fault
from tests.support.discord.server import FakeDiscord
from tests.support.discord.world import ADA, ATTACHMENT, CLIPS, GUILD, SPACE, make_attachment, texts
from worker.protocol.library import Submit

CLIP = make_attachment()
ADDRESS = CLIP["url"].partition("?")[0]
VIDEO = FakeVideo(ADDRESS, "Uploaded", ("a dog", "a dog jumps high"), SPACE, message_id="123456789012345678")
MESSAGE_LINK = f"https://discord.com/channels/{GUILD}/{GUILD + CLIPS}"


@pytest.fixture
def client() -> FakeClient:
    return FakeClient(videos=[VIDEO])


def refreshes(server: FakeDiscord) -> list[list[str]]:
    return [body["attachment_urls"] for _, path, body in server.requests if path == "/attachments/refresh-urls"]


async def test_card_and_library_lead_to_a_freshly_signed_address(bot: Bot, server: FakeDiscord, clock: Clock) -> None:
    """It is asked for once, until it expires."""
    shown = texts(await server.wait_for_answer(await server.command(ADA, "find", words="jumps"), "Uploaded"))
    link = shown.partition("](<")[2].partition(">)")[0]
    assert link.startswith(f"{ADDRESS}?ex=")
    assert link.endswith("#t=6")
    assert int(parse_qs(urlsplit(link).query)["ex"][0], 16) > clock() + 3600
    listed = await server.wait_for_answer(await server.command(ADA, "library"), "Uploaded")
    assert f"<{link.removesuffix('#t=6')}>" in texts(listed)
    assert refreshes(server) == [[ADDRESS]]
    clock.now += 86400
    await server.wait_for_answer(await server.command(ADA, "library"), "Uploaded")
    assert len(refreshes(server)) == 2


@pytest.mark.parametrize("is_refused", [True, False])
async def test_card_leads_to_the_message_if_its_address_cannot_be_signed(
    bot: Bot, server: FakeDiscord, client: FakeClient, is_refused: bool
) -> None:
    """The id of the attachment leads there, too, if the message is not known."""
    if is_refused:
        server.faults.append(Fault("POST", "refresh-urls", 403, {"code": 50001, "message": "Missing Access"}, times=9))
    server.lost_attachments = {CLIP["id"]}
    shown = texts(await server.wait_for_answer(await server.command(ADA, "find", words="jumps"), "Uploaded"))
    assert f"(<{MESSAGE_LINK}/{VIDEO.message_id}>)" in shown
    client.videos = [replace(VIDEO, message_id=None)]
    listed = texts(await server.wait_for_answer(await server.command(ADA, "library"), "Uploaded"))
    assert f"(<{MESSAGE_LINK}/{ATTACHMENT + 1}>)" in listed


async def test_shared_card_has_a_signed_address(bot: Bot, server: FakeDiscord) -> None:
    shown = await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Uploaded")
    shared = await server.wait_for_answer(await server.press(ADA, shown, "Share"), "Uploaded")
    assert f"\n{ADDRESS}?ex=" in shared["content"]


@pytest.mark.parametrize(
    "link",
    [
        ADDRESS,
        f"{ADDRESS}?ex=1&is=1&hm=a",
        ADDRESS.replace("cdn.discordapp.com", "media.discordapp.net"),
    ],
)
async def test_pasted_address_without_a_valid_signature_is_signed_before_it_is_fetched(
    bot: Bot, server: FakeDiscord, client: FakeClient, link: str
) -> None:
    client.videos.clear()
    await server.wait_for_answer(await server.command(ADA, "index", link=f"{link} https://video.example/1"), "Added")
    fetched = [each.link for each in client.requests if isinstance(each, Submit)]
    assert fetched[0].startswith(f"{link.partition('?')[0]}?ex=")
    assert fetched[0].endswith("hm=fresh&")
    assert fetched[1] == "https://video.example/1"


async def test_uploaded_file_with_a_valid_signature_is_not_signed_again(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    client.videos.clear()
    await server.wait_for_answer(await server.command(ADA, "index", file=CLIP), "Added")
    assert refreshes(server) == []
