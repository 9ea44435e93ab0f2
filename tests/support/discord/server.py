"""Discord on loopback: its gateway and its REST, strict where Discord is strict, and people who use the bot.

After Discord's published documentation and description. What it refuses is kept in `refused`.
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
from tests.support.discord.records import Asked
from tests.support.discord.rest import Rest, routes
from tests.support.discord.world import APPLICATION, CLIPS, GENERAL, GUILD, STAMP, VIEW, Person, partial, texts

T = TypeVar("T")
WAIT_S: Final = 10.0


class Server(Rest):
    """Discord, as far as a bot can tell."""

    def __init__(self, clock: Callable[[], float], described: bool, wait_s: float) -> None:
        super().__init__(clock, described)
        self.wait_s = wait_s

    # ---- what tests wait for ----

    async def until(self, what: Callable[[], T | None]) -> T:
        """The first true value of `what`; fails with all that was refused."""
        try:
            async with asyncio.timeout(self.wait_s), self._changed:
                while not (value := what()):
                    await self._changed.wait()
                return value
        except TimeoutError:
            raise AssertionError(f"it never came; refused: {self.refused}; last: {self.requests[-3:]}") from None

    async def answered(self, asked: Asked, words: str = "") -> dict[str, Any]:
        """The newest state of a message that answers an interaction, once it holds `words`."""
        return await self.until(lambda: next((each for each in reversed(asked.shown) if words in texts(each)), None))

    # ---- people ----

    async def command(
        self, person: Person, name: str, /, *, channel: int = GENERAL, guild: int = GUILD, **options: Any
    ) -> Asked:
        """Somebody uses a slash command. Options as people give them; a picture as its bytes."""
        listed = next(each for each in self.commands if each["name"] == name and each["type"] == 1)
        given, resolved = self._options(listed, options)
        data = {"id": listed["id"], "name": name, "type": 1, "options": given, "resolved": resolved}
        return await self._interact(person, 2, data, guild, channel)

    async def typing(self, person: Person, name: str, option: str, typed: str, /, **options: Any) -> Asked:
        """Somebody types into an option that is completed."""
        listed = next(each for each in self.commands if each["name"] == name)
        given, _ = self._options(listed, options)
        given.append({"name": option, "type": 3, "value": typed, "focused": True})
        data = {"id": listed["id"], "name": name, "type": 1, "options": given}
        return await self._interact(person, 4, data, GUILD, GENERAL)

    async def menu(self, person: Person, name: str, message: dict[str, Any]) -> Asked:
        """Somebody chooses an entry of a message's menu."""
        listed = next(each for each in self.commands if each["name"] == name and each["type"] == 3)
        data = {"id": listed["id"], "name": name, "type": 3, "target_id": message["id"],
                "resolved": {"messages": {message["id"]: message}}}  # fmt: skip
        return await self._interact(person, 2, data, GUILD, GENERAL)

    async def press(self, person: Person, message: dict[str, Any], label: str, number: int = 0) -> Asked:
        """Somebody presses the `number`th button that is labelled so."""
        buttons = [each for each in limits.walk(message["components"]) if each.get("label") == label]
        return await self._component(person, message, {"custom_id": buttons[number]["custom_id"], "component_type": 2})

    async def choose(self, person: Person, message: dict[str, Any], name: str, values: Sequence[str]) -> Asked:
        """Somebody chooses from the menu whose id ends so."""
        menu = next(each for each in limits.walk(message["components"]) if each.get("custom_id", "").endswith(name))
        data: dict[str, Any] = {"custom_id": menu["custom_id"], "component_type": menu["type"], "values": list(values)}
        if menu["type"] == limits.CHANNEL_SELECT:
            data["resolved"] = {
                "channels": {id: {"id": id, "type": 0, "name": "c", "permissions": "0"} for id in values}
            }
        return await self._component(person, message, data)

    async def _component(self, person: Person, message: dict[str, Any], data: dict[str, Any]) -> Asked:
        home = next((id for id in self.guilds if 0 < int(message["channel_id"]) - id < 1000), GUILD)
        return await self._interact(person, 3, data, home, int(message["channel_id"]) - home, message)

    async def write(
        self, person: Person, content: str, *, channel: int = CLIPS, guild: int = GUILD, silent: bool = False
    ) -> dict[str, Any]:
        """Somebody writes a message; Discord tells of its words only who may read them."""
        message = self._message(guild + channel, {"content": content}, author=person.user)
        self.messages[int(message["id"])] = message
        if not silent:
            await self.dispatch("MESSAGE_CREATE", message | {"guild_id": str(guild), "member": partial(person)})
        return message

    async def edit(self, person: Person, message: dict[str, Any], content: str, at: str | None = STAMP) -> None:
        message |= {"content": content, "edited_timestamp": at}
        await self.dispatch("MESSAGE_UPDATE", message | {"guild_id": str(GUILD), "member": partial(person)})

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
                attachments[id] = self._attachment(id, "picture.jpg", value)
                value = id
            given.append({"name": option["name"], "type": option["type"], "value": value})
        return given, {"attachments": attachments} if attachments else {}

    async def _interact(
        self, person: Person, kind: int, data: Any, guild: int, channel: int, source: dict[str, Any] | None = None
    ) -> Asked:
        id = next(self._ids)
        asked = Asked(id, f"token-{id}", person, self.clock(), kind, guild, guild + channel, source)
        self.asked[asked.token] = asked
        event = {
            "id": str(id),
            "application_id": str(APPLICATION),
            "type": kind,
            "token": asked.token,
            "version": 1,
            "guild_id": str(guild),
            "guild": {"id": str(guild), "locale": "en-US", "features": []},
            "channel_id": str(asked.channel),
            "channel": {"id": str(asked.channel), "type": 0, "name": "general", "permissions": str(VIEW),
                        "guild_id": str(guild), "position": 0},
            "member": person.member,
            "locale": person.locale,
            "guild_locale": "en-US",
            "app_permissions": str(VIEW),
            "entitlements": [],
            "authorizing_integration_owners": {"0": str(guild)},
            "context": 0,
            "attachment_size_limit": 10_000_000,
            "data": data,
        } | ({"message": source} if source else {})  # fmt: skip
        asked.sent_at = time.perf_counter()
        await self.dispatch("INTERACTION_CREATE", event)
        return asked


@asynccontextmanager
async def serving(
    clock: Callable[[], float] = time.time, described: bool = True, wait_s: float = WAIT_S
) -> AsyncIterator[Server]:
    """A server on a free port, to which discord.py goes meanwhile."""
    server = Server(clock, described, wait_s)
    app = web.Application(middlewares=[server.rest], client_max_size=64 * 2**20)
    app.add_routes(routes(server))
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        with pointed_at(server.url):
            yield server
    finally:
        await runner.cleanup()


@contextmanager
def pointed_at(url: str) -> Iterator[None]:
    """discord.py keeps Discord's addresses on these two classes."""
    route, socket = discord.http.Route, discord.gateway.DiscordWebSocket
    base, gateway = route.BASE, socket.DEFAULT_GATEWAY
    route.BASE, socket.DEFAULT_GATEWAY = f"{url}/api/v10", yarl.URL(f"{url}/gateway".replace("http", "ws"))
    try:
        yield
    finally:
        route.BASE, socket.DEFAULT_GATEWAY = base, gateway
