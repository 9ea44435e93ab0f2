"""The command registry: what every frontend derives from one definition."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import discord
import pytest
import typer

from bots.chat.parsing import Conversation
from bots.chat.service import ChatService
from bots.chat.uploads import UNREADABLE
from bots.commands.client import Client
from bots.commands.definition import Command, Parameter, ParameterType, Surface
from bots.commands.registry import COMMANDS, list_commands, show_help
from bots.commands.replies import Help, HelpLine, Replies, TextReply
from bots.discord.commands import Args, build_tree
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from bots.main import build_app
from bots.slack.modal import render_form
from bots.slack.parse_command import parse_text
from tests.support.bots.command_line import run_here
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.replies import collect
from worker.protocol.base import Caller
from worker.settings import Settings


async def roll(client: Client, caller: Caller, sides: int = 6) -> Replies:
    yield TextReply(f"a die with {sides} sides")


ROLL = Command(
    "roll",
    Msg.STATUS_HELP,
    roll,
    (Parameter("sides", Msg.LIMIT_HELP, ParameterType.NUMBER, is_positional=True, minimum=2, maximum=100),),
)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Register a command: one function and one entry."""
    monkeypatch.setitem(COMMANDS, ROLL.name, ROLL)
    return ROLL


class RecordingHandler:
    """A Discord bot that records the commands that it is asked to run."""

    chat: ChatService

    def __init__(self) -> None:
        self.calls: list[tuple[str, Args]] = []

    async def run_command(
        self, interaction: discord.Interaction, command: str, args: Args | Callable[[], Awaitable[Args]]
    ) -> None:
        self.calls.append((command, await args() if callable(args) else args))


async def test_new_command_can_be_typed(toy: Command, client: FakeClient, caller: Caller) -> None:
    """A value that does not fit is answered with how the command is typed."""
    chat = Conversation(client, caller)
    assert await collect(chat.answer("/roll 8")) == [TextReply("a die with 8 sides")]
    assert await collect(chat.answer("/roll")) == [TextReply("a die with 6 sides")]
    usage = TextReply(translate(Msg.USAGE, name="roll", usage="[SIDES]"), ok=False)
    for line in ("/roll many", "/roll 1", "/roll 8 9"):
        assert await collect(chat.answer(line)) == [usage]


async def test_new_command_is_a_slash_command_with_its_option(toy: Command) -> None:
    handler = RecordingHandler()
    tree = build_tree(discord.Client(intents=discord.Intents.none()), handler)
    command = tree.get_command("roll")
    assert isinstance(command, discord.app_commands.Command)
    [option] = command.to_dict(tree)["options"]
    assert (option["name"], option["type"], option["required"]) == ("sides", 4, False)
    assert (option["min_value"], option["max_value"], option["description"]) == (2, 100, str(Msg.LIMIT_HELP))
    callback: Callable[..., Any] = command.callback
    await callback(None, sides=8)
    await callback(None, sides=None)
    assert handler.calls == [("roll", {"sides": 8}), ("roll", {})]


def test_new_command_is_parsed_in_slack(toy: Command) -> None:
    """A text that goes on like a sentence is still a search."""
    assert parse_text("roll 8") == ("roll", {"sides": 8})
    assert parse_text("roll") == ("roll", {})
    assert parse_text("roll the dice") == ("find", {"words": "roll the dice"})


async def test_new_command_is_in_the_help(toy: Command, client: FakeClient, caller: Caller) -> None:
    [reply] = await collect(show_help(client, caller))
    assert isinstance(reply, Help)
    assert HelpLine("roll", "[SIDES]", translate(Msg.STATUS_HELP)) in reply.lines


@pytest.mark.parametrize(
    ("arguments", "status", "answer"),
    [
        (["roll", "8"], 0, "a die with 8 sides\n"),
        (["roll"], 0, "a die with 6 sides\n"),
        (["roll", "8", "--json"], 0, '{"code": null, "sentence": "a die with 8 sides", "correlation_id": null}\n'),
        (["roll", "1"], 2, ""),
    ],
)
def test_new_command_is_a_subcommand(
    toy: Command,
    running: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    answer: str,
) -> None:
    finished = run_here(monkeypatch, capsys, *arguments)
    assert (finished.status, finished.answers) == (status, answer)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_parameters_are_keyword_arguments_of_the_function(command: Command) -> None:
    accepted = inspect.signature(command.run).parameters
    given = {each.name for each in command.parameters if each.type is not ParameterType.VIDEO_FILE}
    assert given <= accepted.keys(), "the address of an uploaded video becomes one of the links"
    assert command.command_line_args.keys() <= accepted.keys()
    flags = {"at": command.takes_timestamp, "is_retry": command.not_repeatable, "results": command.takes_results}
    assert {name for name, is_declared in flags.items() if is_declared} <= accepted.keys()


@pytest.mark.parametrize("command", list_commands(Surface.CHAT), ids=lambda command: command.name)
def test_names_of_chat_commands_and_options_are_translated(command: Command) -> None:
    shown = [parameter.shown_name for parameter in command.parameters_for(Surface.CHAT)]
    assert {command.name, *shown} <= {str(text) for text in Msg if text.name.startswith("NAME_")}
    assert command.help


def test_every_frontend_takes_a_picture_and_a_clip_to_search_with() -> None:
    """Discord and the command line have options, Slack and the web page one field for both."""
    names = {each.name for each in COMMANDS["find"].parameters if each.type in UNREADABLE}
    assert names == {"picture", "clip"}
    tree = build_tree(discord.Client(intents=discord.Intents.none()), RecordingHandler())
    slash = tree.get_command("find")
    assert isinstance(slash, discord.app_commands.Command)
    attachments = {each["name"] for each in slash.to_dict(tree)["options"] if each["type"] == 11}
    group: Any = typer.main.get_command(build_app())
    options = {each.name for each in group.commands["find"].params}
    form = [block["element"]["type"] for block in render_form("en")["blocks"]]
    assert (attachments, names & options) == (names, names)
    assert "file_input" in form
    assert names <= inspect.signature(Conversation.answer).parameters.keys()


async def test_help_lists_the_commands_that_the_caller_may_use(client: FakeClient, caller: Caller) -> None:
    [reply] = await collect(show_help(client, caller))
    assert isinstance(reply, Help)
    assert [line.name for line in reply.lines] == [
        each.name for each in list_commands(Surface.TYPED) if not each.is_admin
    ]
    assert [line.usage for line in reply.lines] == [
        "WORDS, MORE WORDS",
        "",
        "LINK …",
        "[WORDS | mine]",
        "LINK [AT]",
        "QUESTION",
        "[NUMBER]",
        "LINK | mine",
        "",
        "",
        "",
    ]


def test_replies_to_bot_removal_and_deleted_message_have_no_recipient() -> None:
    """Replies to the removal of the bot, or to a deleted message, reach no user."""
    assert COMMANDS["leave"].has_no_recipient({"is_back": True})
    assert COMMANDS["watch"].has_no_recipient({"message_id": "1", "links": []})
    assert not COMMANDS["watch"].has_no_recipient({"message_id": "1", "links": ["https://a.example"]})
    assert not COMMANDS["find"].has_no_recipient({"words": "dog"})
