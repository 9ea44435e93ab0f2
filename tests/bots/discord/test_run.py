"""Start and end of the bot, guild changes, its invite link, and the doctor's checks."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bots.chat.service import ChatService
from bots.chat.stores import ChatStores, open_chat_stores
from bots.connect import CommandError
from bots.discord import run
from bots.discord.bot import Bot
from bots.discord.check import check_discord
from bots.discord.guilds import GUILDS_NOTE
from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import translate
from tests.support.bots.fake_client import FakeClient
from tests.support.discord.bot import run_bot
from tests.support.discord.gateway import TOKEN
from tests.support.discord.server import FakeDiscord, redirect_discord_py
from tests.support.discord.world import APPLICATION, CLIPS, EVE, GUILD, OTHER_GUILD, SPACE, make_guild
from tests.support.servers.proxy import run_fake_proxy
from tests.support.servers.redis import running_redis
from tests.support.waiting import wait_until
from worker.ops.health import FrontendHealth
from worker.protocol.spaces import RecordBotRemoval, SpaceSettings
from worker.settings import Settings

pytestmark = pytest.mark.usefixtures("no_dotenv")


def settings(**given: object) -> Settings:
    return Settings(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"redis_url": "redis://127.0.0.1:1/0"}, "REELSEEK_DISCORD_TOKEN"),
        ({"discord_token": " ", "redis_url": "redis://127.0.0.1:1/0"}, "REELSEEK_DISCORD_TOKEN"),
        ({"discord_token": TOKEN}, "REELSEEK_REDIS_URL"),
        ({"discord_token": "wrong", "redis_url": "redis://127.0.0.1:1/0"}, "rejected the token"),
    ],
)
async def test_start_with_missing_settings_fails_with_a_sentence(
    server: FakeDiscord, given: dict[str, str], text: str
) -> None:
    began = time.monotonic()
    with pytest.raises(CommandError, match=text) as ended:
        await run.run(settings(**given))
    assert ended.value.status == 2
    assert time.monotonic() - began < 5
    server.refused.clear()


async def test_start_without_discord_fails_with_a_sentence(server: FakeDiscord) -> None:
    with redirect_discord_py("http://127.0.0.1:1"), pytest.raises(CommandError, match="Can't reach"):
        await run.run(settings(discord_token=TOKEN, redis_url="redis://127.0.0.1:1/0"))


async def test_invite_link_asks_for_the_fewest_permissions(server: FakeDiscord) -> None:
    link = urlsplit(await run.fetch_invite_link(settings(discord_token=TOKEN)))
    asked = parse_qs(link.query)
    assert asked["client_id"] == [str(APPLICATION)]
    assert asked["scope"] == ["bot applications.commands"]
    view, send, embed, attach, history, react, threads = 10, 11, 14, 15, 16, 6, 38
    expected = sum(1 << bit for bit in (view, send, embed, attach, history, react, threads))
    assert int(asked["permissions"][0]) == expected


async def test_doctor_checks_token_commands_and_intent(server: FakeDiscord) -> None:
    """It checks nothing without a token."""
    assert await check_discord(settings()) == []
    wrong = await check_discord(settings(discord_token="wrong"))
    assert [(each.name, each.is_ok) for each in wrong] == [("Discord token", False)]
    server.refused.clear()
    before = {each.name: (each.is_ok, each.advice) for each in await check_discord(settings(discord_token=TOKEN))}
    assert before["Discord token"][0]
    assert before["Discord commands"] == (False, translate(CliMsg.FIX_DISCORD_COMMANDS))
    server.flags = 0
    details = {each.name: each.detail for each in await check_discord(settings(discord_token=TOKEN))}
    assert "is off" in details["Discord intent"]


@asynccontextmanager
async def connected(
    client: FakeClient, stores: ChatStores, health: FrontendHealth | None = None
) -> AsyncIterator[None]:
    """Run a bot for the block."""
    application = await run.fetch_application(TOKEN)
    serving = asyncio.create_task(run.run_connection(TOKEN, application, client, stores, health=health))
    yield
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_watched_channels_decide_the_intents_of_the_first_connection(
    server: FakeDiscord, client: FakeClient, clean_redis: str
) -> None:
    """If the intent is not granted, everything else works."""
    client.settings[SPACE] = SpaceSettings(watched=(str(GUILD + CLIPS),))
    for flags, reads in ((server.flags, True), (0, False)):
        server.flags = flags
        count = len(server.identified)
        async with open_chat_stores(clean_redis, "100/minute", "100/minute") as stores, connected(client, stores):
            await server.wait_for(lambda: len(server.identified) > count)  # noqa: B023
            assert bool(server.identified[-1]["intents"] & 1 << 15) is reads
            await server.wait_for_answer(await server.command(EVE, "find", words="dog"), "Dogs in snow")


async def test_first_watched_channel_reconnects_the_same_process(
    server: FakeDiscord, client: FakeClient, clean_redis: str
) -> None:
    async with open_chat_stores(clean_redis, "100/minute", "100/minute") as stores:
        serving = asyncio.create_task(run.run_connection(TOKEN, await run.fetch_application(TOKEN), client, stores))
        await server.wait_for(lambda: server.identified)
        shown = await server.wait_for_answer(await server.command(EVE, "settings"), "Who can add")
        await server.choose(EVE, shown, "watched", [str(GUILD + CLIPS)])
        assert await serving
        async with connected(client, stores):
            await server.wait_for(lambda: len(server.identified) == 2)
            await server.write(EVE, "https://video.example/new")
            await server.wait_for(lambda: server.reactions)


async def read_noted_guilds(stores: ChatStores) -> set[int]:
    """Return the guilds that the next start compares with."""
    return set(map(int, (await stores.notes.get_note(None, GUILDS_NOTE) or "").split()))


@asynccontextmanager
async def started(server: FakeDiscord, client: FakeClient, stores: ChatStores) -> AsyncIterator[None]:
    """Run a bot for the block, which begins once the guilds are compared."""
    health = FrontendHealth()

    async def ready() -> bool:
        return health.connected.is_recent() and await read_noted_guilds(stores) == set(server.guilds)

    async with connected(client, stores, health):
        await wait_until(ready)
        yield


async def test_guild_changes_while_offline_are_recorded_at_the_start(
    server: FakeDiscord, client: FakeClient, clean_redis: str
) -> None:
    left, other = client.removed_spaces, f"discord:{OTHER_GUILD}"
    async with open_chat_stores(clean_redis, "100/minute", "100/minute") as stores:
        for guilds, expected in (([GUILD, OTHER_GUILD], set()), ([GUILD], {other}), ([GUILD, OTHER_GUILD], set())):
            server.guilds = list(guilds)
            count = len(server.identified)
            async with connected(client, stores):
                await server.wait_for(lambda: len(server.identified) > count)  # noqa: B023
                while left != expected or await read_noted_guilds(stores) != set(guilds):
                    await server.wait_for_answer(await server.command(EVE, "status"), "videos")


async def test_removal_is_recorded_and_an_outage_is_not(
    server: FakeDiscord, client: FakeClient, clean_redis: str
) -> None:
    async with open_chat_stores(clean_redis, "100/minute", "100/minute") as stores, connected(client, stores):
        await server.wait_for(lambda: server.identified)
        await server.wait_for_answer(await server.command(EVE, "status"), "videos")
        await server.dispatch("GUILD_DELETE", {"id": str(GUILD), "unavailable": True})
        await server.wait_for_answer(await server.command(EVE, "status"), "videos")
        assert client.removed_spaces == set()
        await server.dispatch("GUILD_DELETE", {"id": str(GUILD)})
        while SPACE not in client.removed_spaces:
            await server.wait_for_answer(await server.command(EVE, "status", guild=OTHER_GUILD), "videos")


async def test_guild_that_returns_while_offline_is_kept(
    server: FakeDiscord, client: FakeClient, clean_redis: str
) -> None:

    async def gone() -> bool:
        return SPACE in client.removed_spaces and await read_noted_guilds(stores) == set()

    async with open_chat_stores(clean_redis, "100/minute", "100/minute") as stores:
        async with started(server, client, stores):
            await server.dispatch("GUILD_DELETE", {"id": str(GUILD)})
            await wait_until(gone)
        async with started(server, client, stores):
            assert client.removed_spaces == set()


async def test_guild_that_left_while_offline_is_recorded_once(
    server: FakeDiscord, client: FakeClient, clean_redis: str
) -> None:
    new = {OTHER_GUILD, 90_000_000}

    async def arrived() -> bool:
        return await read_noted_guilds(stores) == {GUILD, *new}

    async with open_chat_stores(clean_redis, "100/minute", "100/minute") as stores:
        async with started(server, client, stores):
            for each in new:
                joined = {name: value for name, value in make_guild(each).items() if name != "unavailable"}
                await server.dispatch("GUILD_CREATE", joined)
            await wait_until(arrived)
        client.requests.clear()
        async with started(server, client, stores):
            assert client.removed_spaces == {f"discord:{each}" for each in new}
        assert sum(isinstance(each, RecordBotRemoval) for each in client.requests) == len(new)


async def test_guild_changes_are_recorded_after_a_redis_outage(
    server: FakeDiscord, client: FakeClient, tmp_path: Path
) -> None:
    """A guild removes the bot while Redis is away, also before the comparison at the start is done."""
    other = f"discord:{OTHER_GUILD}"

    async def both_recorded() -> bool:
        return client.removed_spaces == {SPACE, other} and await read_noted_guilds(stores) == set()

    with running_redis(tmp_path) as redis:
        async with open_chat_stores(redis.url, "100/minute", "100/minute") as stores:
            server.guilds = [GUILD, OTHER_GUILD]
            async with started(server, client, stores):
                pass
            server.guilds = [GUILD]
            application = await run.fetch_application(TOKEN)
            redis.stop()
            running = asyncio.create_task(run.run_connection(TOKEN, application, client, stores))
            await server.wait_for(lambda: len(server.identified) == 2)
            await server.wait_for_answer(await server.command(EVE, "status"), "Can't reach")
            await server.dispatch("GUILD_DELETE", {"id": str(GUILD)})
            redis.start()
            await wait_until(both_recorded)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_bot_reaches_discord_through_the_proxy_of_the_environment(
    server: FakeDiscord, chat: ChatService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its API, its gateway and what is asked at the start."""
    async with run_fake_proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        assert (await run.fetch_application(TOKEN)).id == APPLICATION
        assert set(proxy.hosts) == {urlsplit(server.url).netloc}
        async with run_bot(Bot(chat), server):
            await server.wait_for_answer(await server.command(EVE, "status"), "videos")
    assert len(proxy.hosts) > len(server.requests) - 1
