"""What Discord is told of the bot's commands."""

from bots.commands.registry import COMMANDS
from bots.discord.bot import Bot
from tests.support.discord.server import Server

BY_BUTTON = {"more"}
"""The button Next, and Back."""


async def test_every_command_of_the_core_is_there(bot: Bot, server: Server) -> None:
    """Each command of the core is a slash command here, or stands in `BY_BUTTON`; nothing else is."""
    listed = {each["name"] for each in server.commands if each["type"] == 1}
    assert listed == COMMANDS.keys() - BY_BUTTON
    assert [each["name"] for each in server.commands if each["type"] == 3] == ["Index the links in this message"]


async def test_commands_are_for_servers(bot: Bot, server: Server) -> None:
    """They are installed into servers and used there, not in private conversations."""
    for command in server.commands:
        assert (command["contexts"], command["integration_types"]) == ([0], [0])


async def test_admins_commands_are_hidden_from_others(bot: Bot, server: Server) -> None:
    """Discord shows a command of admins to those alone who may manage the server."""
    for command in server.commands:
        core = COMMANDS.get(command["name"])
        expected = 1 << 5 if core and core.is_admin else None
        assert command.get("default_member_permissions") == expected, command["name"]


async def test_commands_are_localised(bot: Bot, server: Server) -> None:
    """Korean and both Chinese locales have descriptions of their own, and the help of the core is the English one."""
    find = next(each for each in server.commands if each["name"] == "find")
    assert {"ko", "zh-CN", "zh-TW"} <= find["description_localizations"].keys()
    assert find["description"] == str(COMMANDS["find"].help)
    assert any("가" <= letter <= "힣" for letter in find["description_localizations"]["ko"])


async def test_the_options_of_find(bot: Bot, server: Server) -> None:
    """The options of `/find` are those that people are told of, words first and required."""
    find = next(each for each in server.commands if each["name"] == "find")
    names = [option["name"] for option in find["options"]]
    assert names == ["words", "picture", "like", "unlike", "in", "limit"]
    assert [option["required"] for option in find["options"]] == [True] + [False] * 5
    assert (find["options"][-1]["min_value"], find["options"][-1]["max_value"]) == (1, 4)
