"""Starting and ending the bot, its invite link, and the doctor's look at it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest

from bots.chat.stores import ChatStores, open_chat_stores
from bots.connect import CommandError
from bots.discord import run
from bots.discord.check import check_discord
from bots.discord.guilds import GUILDS_NOTE
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.bots.discord.conftest import SPACE
from tests.support.discord.gateway import TOKEN
from tests.support.discord.server import Server, pointed_at
from tests.support.discord.world import APPLICATION, CLIPS, EVE, GUILD, OTHER_GUILD, guild
from tests.support.fake_client import FakeClient
from tests.support.waiting import wait_until
from worker.ops.health import FrontendHealth
from worker.protocol.spaces import RecordBotRemoval, SpaceSettings
from worker.settings import Settings

pytestmark = pytest.mark.usefixtures("no_dotenv")


def settings(**given: object) -> Settings:
    return Settings(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"redis_url": "redis://127.0.0.1:1/0"}, "REELSEEK_DISCORD_TOKEN"),
        ({"discord_token": " ", "redis_url": "redis://127.0.0.1:1/0"}, "REELSEEK_DISCORD_TOKEN"),
        ({"discord_token": TOKEN}, "REELSEEK_REDIS_URL"),
        ({"discord_token": "wrong", "redis_url": "redis://127.0.0.1:1/0"}, "does not accept the token"),
    ],
)
async def test_what_is_missing_is_one_sentence(server: Server, given: dict[str, str], said: str) -> None:
    """A missing or wrong token, and no Redis, each end with one sentence and status 2, within 5 seconds."""
    began = time.monotonic()
    with pytest.raises(CommandError, match=said) as ended:
        await run.run(settings(**given))
    assert ended.value.status == 2
    assert time.monotonic() - began < 5
    server.refused.clear()


async def test_discord_out_of_reach(server: Server) -> None:
    """That is one sentence too."""
    with pointed_at("http://127.0.0.1:1"), pytest.raises(CommandError, match="cannot be reached"):
        await run.run(settings(discord_token=TOKEN, redis_url="redis://127.0.0.1:1/0"))


async def test_the_invite_link_asks_for_the_least(server: Server) -> None:
    """It names the application, both scopes, and no permission over members, messages or channels of others."""
    link = urlsplit(await run.fetch_invite_link(settings(discord_token=TOKEN)))
    asked = parse_qs(link.query)
    assert asked["client_id"] == [str(APPLICATION)]
    assert asked["scope"] == ["bot applications.commands"]
    view, send, embed, attach, history, react, threads = 10, 11, 14, 15, 16, 6, 38
    expected = sum(1 << bit for bit in (view, send, embed, attach, history, react, threads))
    assert int(asked["permissions"][0]) == expected


async def test_the_doctor_looks_at_token_commands_and_intent(server: Server) -> None:
    """Each is well, or says how to mend it; without a token there is nothing to look at."""
    assert await check_discord(settings()) == []
    wrong = await check_discord(settings(discord_token="wrong"))
    assert [(each.name, each.is_ok) for each in wrong] == [("Discord token", False)]
    server.refused.clear()
    before = {each.name: (each.is_ok, each.advice) for each in await check_discord(settings(discord_token=TOKEN))}
    assert before["Discord token"][0]
    assert before["Discord commands"] == (False, translate(Msg.FIX_DISCORD_COMMANDS))
    server.flags = 0
    details = {each.name: each.detail for each in await check_discord(settings(discord_token=TOKEN))}
    assert "is off" in details["Discord intent"]


async def test_a_server_that_watches_is_read_from_the_start(
    server: Server, client: FakeClient, clean_redis: str
) -> None:
    """Settings decide the intents of the first connection; where the intent is not allowed, all else works."""
    client.settings[SPACE] = SpaceSettings(watched=(str(GUILD + CLIPS),))
    for flags, reads in ((server.flags, True), (0, False)):
        server.flags = flags
        async with open_chat_stores(clean_redis, "100/minute", "100/minute") as kept:
            serving = asyncio.create_task(run.run_connection(TOKEN, await run.fetch_application(TOKEN), client, kept))
            count = len(server.identified)
            await server.until(lambda: len(server.identified) > count)  # noqa: B023
            assert bool(server.identified[-1]["intents"] & 1 << 15) is reads
            await server.answered(await server.command(EVE, "find", words="dog"), "Dogs in snow")
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


async def test_choosing_channels_connects_anew(server: Server, client: FakeClient, clean_redis: str) -> None:
    """After an admin has chosen the first watched channel, the same process hears it within seconds."""
    async with open_chat_stores(clean_redis, "100/minute", "100/minute") as kept:
        serving = asyncio.create_task(run.run_connection(TOKEN, await run.fetch_application(TOKEN), client, kept))
        await server.until(lambda: server.identified)
        shown = await server.answered(await server.command(EVE, "settings"), "Who can add")
        await server.choose(EVE, shown, "watched", [str(GUILD + CLIPS)])
        assert await serving
        serving = asyncio.create_task(run.run_connection(TOKEN, await run.fetch_application(TOKEN), client, kept))
        await server.until(lambda: len(server.identified) == 2)
        await server.write(EVE, "https://video.example/new")
        await server.until(lambda: server.reactions)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def noted(kept: ChatStores) -> set[int]:
    """The servers that the next start will compare with."""
    return set(map(int, (await kept.notes.get_note(None, GUILDS_NOTE) or "").split()))


@asynccontextmanager
async def started(server: Server, client: FakeClient, kept: ChatStores) -> AsyncIterator[None]:
    """A bot in the servers that Discord has now; ready, and done with comparing them."""
    health = FrontendHealth()
    serving = asyncio.create_task(
        run.run_connection(TOKEN, await run.fetch_application(TOKEN), client, kept, health=health)
    )

    async def ready() -> bool:
        return health.connected.is_recent() and await noted(kept) == set(server.guilds)

    await wait_until(ready)
    yield
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_servers_come_and_go(server: Server, client: FakeClient, clean_redis: str) -> None:
    """Who removed the bot while it was away, and who added it again, is told to the workers at its next start."""
    left, other = client.removed_spaces, f"discord:{OTHER_GUILD}"
    async with open_chat_stores(clean_redis, "100/minute", "100/minute") as kept:
        for guilds, expected in (([GUILD, OTHER_GUILD], set()), ([GUILD], {other}), ([GUILD, OTHER_GUILD], set())):
            server.guilds = list(guilds)
            count = len(server.identified)
            serving = asyncio.create_task(run.run_connection(TOKEN, await run.fetch_application(TOKEN), client, kept))
            await server.until(lambda: len(server.identified) > count)  # noqa: B023
            while left != expected or await noted(kept) != set(guilds):
                await server.answered(await server.command(EVE, "status"), "videos")
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


async def test_removed_while_it_looks_on(server: Server, client: FakeClient, clean_redis: str) -> None:
    """GUILD_DELETE of a removal sends the space away; an outage does not."""
    async with open_chat_stores(clean_redis, "100/minute", "100/minute") as kept:
        serving = asyncio.create_task(run.run_connection(TOKEN, await run.fetch_application(TOKEN), client, kept))
        await server.until(lambda: server.identified)
        await server.answered(await server.command(EVE, "status"), "videos")
        await server.dispatch("GUILD_DELETE", {"id": str(GUILD), "unavailable": True})
        await server.answered(await server.command(EVE, "status"), "videos")
        assert client.removed_spaces == set()
        await server.dispatch("GUILD_DELETE", {"id": str(GUILD)})
        while SPACE not in client.removed_spaces:
            await server.answered(await server.command(EVE, "status", guild=OTHER_GUILD), "videos")
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_back_after_a_removal_that_was_seen(server: Server, client: FakeClient, clean_redis: str) -> None:
    """A server that removed the bot while it ran, and added it again while it was away, is not deleted."""

    async def gone() -> bool:
        return SPACE in client.removed_spaces and await noted(kept) == set()

    async with open_chat_stores(clean_redis, "100/minute", "100/minute") as kept:
        async with started(server, client, kept):
            await server.dispatch("GUILD_DELETE", {"id": str(GUILD)})
            await wait_until(gone)
        async with started(server, client, kept):
            assert client.removed_spaces == set()


async def test_removed_after_an_arrival_that_was_seen(server: Server, client: FakeClient, clean_redis: str) -> None:
    """Of servers that added the bot while it ran, those gone at its next start are told of, and no other is again."""
    new = {OTHER_GUILD, 90_000_000}

    async def arrived() -> bool:
        return await noted(kept) == {GUILD, *new}

    async with open_chat_stores(clean_redis, "100/minute", "100/minute") as kept:
        async with started(server, client, kept):
            for each in new:
                joined = {name: value for name, value in guild(each).items() if name != "unavailable"}
                await server.dispatch("GUILD_CREATE", joined)
            await wait_until(arrived)
        client.asked.clear()
        async with started(server, client, kept):
            assert client.removed_spaces == {f"discord:{each}" for each in new}
        assert sum(isinstance(each, RecordBotRemoval) for each in client.asked) == len(new)
