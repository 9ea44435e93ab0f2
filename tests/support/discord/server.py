"""A fake Discord on loopback: gateway and REST API, as strict as Discord, and users of the bot.

Written after Discord's published documentation and OpenAPI description. Refusals are kept in `refused`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeVar

import discord
import yarl
from aiohttp import web

from tests.support.discord import limits
from tests.support.discord.records import FakeInteraction
from tests.support.discord.rest import FakeRestApi, make_routes
from tests.support.discord.world import APPLICATION, CLIPS, GENERAL, GUILD, STAMP, VIEW, FakeUser, partial_member, texts
from tests.support.servers.app_server import serve_app

T = TypeVar("T")
TIMEOUT_S: Final = 10.0


class FakeDiscord(FakeRestApi):
    """Discord as a bot sees it, and what tests do as its users."""

    def __init__(self, clock: Callable[[], float], checks_spec: bool, timeout_s: float) -> None:
        super().__init__(clock, checks_spec)
        self.timeout_s = timeout_s

    # ---- what tests wait for ----

    async def wait_for(self, get: Callable[[], T | None]) -> T:
        """Return the first true value of `get`. A failure names everything that was refused."""
        try:
            async with asyncio.timeout(self.timeout_s), self._changed:
                while not (value := get()):
                    await self._changed.wait()
                return value
        except TimeoutError:
            raise AssertionError(f"timed out; refused: {self.refused}; last: {self.requests[-3:]}") from None

    async def wait_for_answer(self, interaction: FakeInteraction, words: str = "") -> dict[str, Any]:
        """Return the newest state of a message that answers an interaction, once it contains `words`."""
        return await self.wait_for(
            lambda: next((each for each in reversed(interaction.shown) if words in texts(each)), None)
        )

    # ---- users ----

    async def command(
        self, user: FakeUser, name: str, /, *, channel: int = GENERAL, guild: int = GUILD, **options: Any
    ) -> FakeInteraction:
        """Use a slash command, with options as a user gives them; a picture as its bytes."""
        listed = next(each for each in self.commands if each["name"] == name and each["type"] == 1)
        given, resolved = self._options(listed, options)
        data = {"id": listed["id"], "name": name, "type": 1, "options": given, "resolved": resolved}
        return await self._interact(user, 2, data, guild, channel)

    async def type_into(self, user: FakeUser, name: str, option: str, typed: str, /, **options: Any) -> FakeInteraction:
        """Type into an option that has autocompletion."""
        listed = next(each for each in self.commands if each["name"] == name)
        given, _ = self._options(listed, options)
        given.append({"name": option, "type": 3, "value": typed, "focused": True})
        data = {"id": listed["id"], "name": name, "type": 1, "options": given}
        return await self._interact(user, 4, data, GUILD, GENERAL)

    async def menu(self, user: FakeUser, name: str, message: dict[str, Any]) -> FakeInteraction:
        """Choose an entry of the menu of a message."""
        listed = next(each for each in self.commands if each["name"] == name and each["type"] == 3)
        data = {"id": listed["id"], "name": name, "type": 3, "target_id": message["id"],
                "resolved": {"messages": {message["id"]: message}}}  # fmt: skip
        return await self._interact(user, 2, data, GUILD, GENERAL)

    async def press(self, user: FakeUser, message: dict[str, Any], label: str, number: int = 0) -> FakeInteraction:
        """Press the button with this label, or the one with index `number` of several."""
        buttons = [each for each in limits.walk_components(message["components"]) if each.get("label") == label]
        return await self._component(user, message, {"custom_id": buttons[number]["custom_id"], "component_type": 2})

    async def choose(
        self, user: FakeUser, message: dict[str, Any], name: str, values: Sequence[str]
    ) -> FakeInteraction:
        """Choose from the menu whose id ends with `name`."""
        menu = next(
            each for each in limits.walk_components(message["components"]) if each.get("custom_id", "").endswith(name)
        )
        data: dict[str, Any] = {"custom_id": menu["custom_id"], "component_type": menu["type"], "values": list(values)}
        if menu["type"] == limits.CHANNEL_SELECT:
            data["resolved"] = {
                "channels": {id: {"id": id, "type": 0, "name": "c", "permissions": "0"} for id in values}
            }
        return await self._component(user, message, data)

    async def _component(self, user: FakeUser, message: dict[str, Any], data: dict[str, Any]) -> FakeInteraction:
        home = next((id for id in self.guilds if 0 < int(message["channel_id"]) - id < 1000), GUILD)
        return await self._interact(user, 3, data, home, int(message["channel_id"]) - home, message)

    async def write(
        self,
        user: FakeUser,
        content: str,
        *,
        channel: int = CLIPS,
        guild: int = GUILD,
        is_announced: bool = True,
        **fields: Any,
    ) -> dict[str, Any]:
        """Write a message. Discord sends it only to sessions that may read messages."""
        message = self.make_message(guild + channel, {"content": content}, author=user.user_json) | fields
        self.messages[int(message["id"])] = message
        if is_announced:
            await self.dispatch("MESSAGE_CREATE", message | {"guild_id": str(guild), "member": partial_member(user)})
        return message

    async def edit(self, user: FakeUser, message: dict[str, Any], content: str, at: str | None = STAMP) -> None:
        message |= {"content": content, "edited_timestamp": at}
        await self.dispatch("MESSAGE_UPDATE", message | {"guild_id": str(GUILD), "member": partial_member(user)})

    async def delete(self, message: dict[str, Any]) -> None:
        gone = {"id": message["id"], "channel_id": message["channel_id"], "guild_id": str(GUILD)}
        await self.dispatch("MESSAGE_DELETE", gone)

    def _options(self, listed: dict[str, Any], options: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        given: list[dict[str, Any]] = []
        attachments = {}
        for option in listed.get("options", []):
            if option["name"] not in options:
                assert not option.get("required"), f"{option['name']} must be given"
                continue
            value = options[option["name"]]
            if isinstance(value, bytes):
                id = str(next(self._ids))
                attachments[id] = self.store_attachment(id, "picture.jpg", value)
                value = id
            elif option["type"] == 11:
                attachments[value["id"]] = value
                value = value["id"]
            given.append({"name": option["name"], "type": option["type"], "value": value})
        return given, {"attachments": attachments} if attachments else {}

    async def _interact(
        self, user: FakeUser, kind: int, data: Any, guild: int, channel: int, source: dict[str, Any] | None = None
    ) -> FakeInteraction:
        id = next(self._ids)
        interaction = FakeInteraction(id, f"token-{id}", user, self.clock(), kind, guild, guild + channel, source)
        self.interactions[interaction.token] = interaction
        event = {
            "id": str(id),
            "application_id": str(APPLICATION),
            "type": kind,
            "token": interaction.token,
            "version": 1,
            "guild_id": str(guild),
            "guild": {"id": str(guild), "locale": "en-US", "features": []},
            "channel_id": str(interaction.channel),
            "channel": {"id": str(interaction.channel), "type": 0, "name": "general", "permissions": str(VIEW),
                        "guild_id": str(guild), "position": 0},
            "member": user.member_json,
            "locale": user.locale,
            "guild_locale": "en-US",
            "app_permissions": str(VIEW),
            "entitlements": [],
            "authorizing_integration_owners": {"0": str(guild)},
            "context": 0,
            "attachment_size_limit": 10_000_000,
            "data": data,
        } | ({"message": source} if source else {})  # fmt: skip
        interaction.sent_at = time.perf_counter()
        await self.dispatch("INTERACTION_CREATE", event)
        return interaction


@asynccontextmanager
async def run_fake_discord(
    clock: Callable[[], float] = time.time, checks_spec: bool = True, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[FakeDiscord]:
    """Run a fake Discord on a free port, to which discord.py connects for the block.

    With `checks_spec` requests are also checked against Discord's OpenAPI description, which takes time.
    """
    server = FakeDiscord(clock, checks_spec, timeout_s)
    app = web.Application(middlewares=[server.rest], client_max_size=64 * 2**20)
    app.add_routes(make_routes(server))
    async with serve_app(app) as port:
        server.url = f"http://127.0.0.1:{port}"
        with redirect_discord_py(server.url):
            yield server


@contextmanager
def redirect_discord_py(url: str) -> Iterator[None]:
    """Redirect discord.py for the block. It keeps Discord's addresses on two of its classes."""
    route, socket = discord.http.Route, discord.gateway.DiscordWebSocket
    base, gateway = route.BASE, socket.DEFAULT_GATEWAY
    route.BASE, socket.DEFAULT_GATEWAY = f"{url}/api/v10", yarl.URL(f"{url}/gateway".replace("http", "ws"))
    try:
        yield
    finally:
        route.BASE, socket.DEFAULT_GATEWAY = base, gateway
