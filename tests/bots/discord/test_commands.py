"""The commands that Discord lists."""

from bots.commands.definition import Surface
from bots.commands.registry import COMMANDS, list_commands
from bots.commands.settings import OPTIONS
from bots.discord.bot import Bot
from tests.support.discord.server import FakeDiscord


async def test_exactly_the_chat_commands_are_slash_commands(bot: Bot, server: FakeDiscord) -> None:
    """`more` is the buttons Next and Back. `enrich` is for the command line."""
    registered = {each["name"] for each in server.commands if each["type"] == 1}
    assert registered == {command.name for command in list_commands(Surface.CHAT)}
    assert COMMANDS.keys() - registered == {"more", "press", "watch", "leave", "enrich"}
    assert [each["name"] for each in server.commands if each["type"] == 3] == [
        "Add the videos in this message",
        "Find similar moments",
    ]


async def test_commands_are_for_servers_and_not_for_direct_messages(bot: Bot, server: FakeDiscord) -> None:
    for command in server.commands:
        assert (command["contexts"], command["integration_types"]) == ([0], [0])


async def test_admin_commands_are_shown_only_to_members_who_can_manage_the_server(
    bot: Bot, server: FakeDiscord
) -> None:
    for command in server.commands:
        core = COMMANDS.get(command["name"])
        expected = 1 << 5 if core and core.is_admin else None
        assert command.get("default_member_permissions") == expected, command["name"]


async def test_descriptions_are_translated_into_korean_and_chinese(bot: Bot, server: FakeDiscord) -> None:
    find = next(each for each in server.commands if each["name"] == "find")
    assert {"ko", "zh-CN", "zh-TW"} <= find["description_localizations"].keys()
    assert find["description"] == str(COMMANDS["find"].help)
    assert any("가" <= letter <= "힣" for letter in find["description_localizations"]["ko"])


async def test_find_has_all_options_with_words_first(bot: Bot, server: FakeDiscord) -> None:
    """No words are needed where a picture or a clip is an alternative."""
    find = next(each for each in server.commands if each["name"] == "find")
    names = [option["name"] for option in find["options"]]
    assert names == ["words", "picture", "clip", "like", "unlike", "in", "only", "limit"]
    assert [option["required"] for option in find["options"]] == [False] * 8
    assert [each["value"] for each in find["options"][6]["choices"]] == ["looks", "said", "shown", "heard"]
    assert (find["options"][-1]["min_value"], find["options"][-1]["max_value"]) == (1, 3)


async def test_options_of_the_other_commands(bot: Bot, server: FakeDiscord) -> None:
    """A link is not required where `file` or `mine` is an alternative. Values of settings are suggested, not listed."""
    options = {each["name"]: each.get("options", []) for each in server.commands}
    assert [(each["name"], each["required"]) for each in options["index"]] == [("link", False), ("file", False)]
    assert [(each["name"], each["required"]) for each in options["forget"]] == [("link", False), ("mine", False)]
    assert [(each["name"], each["required"]) for each in options["crawl"]] == [("link", True), ("most", False)]
    assert (options["crawl"][1]["min_value"], options["crawl"][1]["max_value"]) == (1, 500)
    assert [(each["name"], each["required"]) for each in options["follow"]] == [("link", False)]
    assert [(each["name"], each["required"]) for each in options["unfollow"]] == [("link", True)]
    assert [each["name"] for each in options["library"]] == ["words", "mine"]
    assert [each["value"] for each in options["retrain"][0]["choices"]] == ["preview", "start", "cancel"]
    assert [each["value"] for each in options["model"][0]["choices"]] == [
        "status",
        "list",
        "use",
        "rollback",
        "cancel",
    ]
    name, value = options["settings"]
    assert [each["value"] for each in name["choices"]] == list(OPTIONS)
    assert value["autocomplete"]
