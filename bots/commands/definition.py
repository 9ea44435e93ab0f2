"""How a command is declared: its name, its parameters and the surfaces that offer it.

Frontends derive their own form from this declaration: `bots.chat.parsing` for typed lines, `bots.discord.commands`
for slash commands, `bots.slack.parse_command` for Slack's one command, `bots.cli.core_commands` for the command line.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from bots.commands.replies import Replies
from bots.i18n.messages import Msg


class Surface(StrEnum):
    """A kind of frontend where commands are offered by name."""

    CHAT = "chat"
    """Discord and Slack."""
    TYPED = "typed"
    """Lines that start with `/` in the console and the web chat."""
    COMMAND_LINE = "command_line"
    """Subcommands of `reelseek`."""


EVERYWHERE: Final = frozenset(Surface)
IN_CHATS: Final = frozenset({Surface.CHAT, Surface.TYPED})
INTERNAL: Final[frozenset[Surface]] = frozenset()
"""For commands that users do not call by name: buttons and events."""


class ParameterType(StrEnum):
    TEXT = "text"
    LINK = "link"
    LIST = "list"
    """A link to a list of videos, `stop`, or a search on YouTube, which takes the rest of the line."""
    FLAG = "flag"
    """Off if it is not given."""
    NUMBER = "number"
    PAGE_SIZE = "page_size"
    """A number whose default and maximum depend on what fits in a frontend."""
    PICTURE = "picture"
    """An image file, passed on in base64."""
    CLIP = "clip"
    """A short video file, passed on in base64."""
    VIDEO_FILE = "video_file"
    """An uploaded video, whose address becomes one of the command's `links`."""


class Completion(StrEnum):
    """Suggestions while a user types a value."""

    VIDEO = "video"
    """Videos by title; the value is a link."""
    SETTING_VALUE = "setting_value"
    """The values that the setting in the parameter `name` accepts."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a command."""

    name: str
    """The keyword argument of `Command.run`."""
    help: Msg
    type: ParameterType = ParameterType.TEXT
    label: str | None = None
    """The name that users see, if not `name`. Chats translate it if it is a `Msg`."""
    is_required: bool = False
    is_positional: bool = False
    """Filled in order from what is typed after the command's name, and an argument on the command line.

    Each takes one word, the last one takes the rest of the line.
    """
    is_list: bool = False
    """Takes several values, separated by spaces."""
    choices: Mapping[str, Msg | None] = field(default_factory=dict)
    """The accepted values, each with its description if it has one; empty if any value is accepted."""
    default: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    completion: Completion | None = None
    metavar: str | None = None
    """The placeholder in help texts, if not the label in capitals."""
    surfaces: frozenset[Surface] = EVERYWHERE
    command_line_help: Msg | None = None
    """Replaces `help` on the command line."""
    is_command_line_option: bool = False
    """An option on the command line, although it is positional elsewhere."""
    command_line_metavar: str | None = None
    """Replaces `usage` on the command line."""

    @property
    def shown_name(self) -> str:
        return self.label or self.name

    @property
    def usage(self) -> str:
        """The placeholder in help texts, such as `LINK …` or `start | cancel`."""
        if self.metavar:
            return self.metavar
        if self.choices and all(description is None for description in self.choices.values()):
            return " | ".join(self.choices)
        return f"{self.shown_name.upper()} …" if self.is_list else self.shown_name.upper()


@dataclass(frozen=True)
class Command:
    """One command, and what a frontend must know to run it."""

    name: str
    help: Msg | None
    """None for internal commands."""
    run: Callable[..., Replies]
    """Called with the client, the caller, and the parameters by keyword."""
    parameters: tuple[Parameter, ...] = ()
    surfaces: frozenset[Surface] = EVERYWHERE
    is_admin: bool = False
    """Only admins may call it."""
    admins_may_do_more: bool = False
    is_public: bool = False
    """The whole channel may see its replies, if the space has decided so. Other replies concern one person."""
    takes_timestamp: bool = False
    """`run` takes `at`, the Unix time of the request, which may be earlier than the time when a process runs it."""
    not_repeatable: bool = False
    """`run` takes `is_retry`: when a second process takes the request over, it must not start anything again."""
    takes_search: bool = False
    """`run` takes `search`: the next page of the conversation's last search, or None."""
    takes_results: bool = False
    """`run` takes `results` instead of `token`: the stored results that a button belongs to, or None."""
    cost: int = 1
    """The number of requests that a call counts as for the rate limits."""
    has_no_recipient: Callable[[Mapping[str, Any]], bool] = lambda args: False
    """Returns True if no user waits for a reply to a call with these arguments."""
    command_line_args: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that the command line always passes."""

    @property
    def needs_current_rights(self) -> bool:
        """Whether it matters if the caller is an admin, so that a cached answer is not good enough."""
        return self.is_admin or self.admins_may_do_more

    @property
    def usage(self) -> str:
        """The placeholders of what can be typed after the name, such as `[NAME VALUE]`."""
        positional = [each for each in self.parameters_for(Surface.CHAT) if each.is_positional]
        flags = [each for each in self.parameters_for(Surface.CHAT) if each.type is ParameterType.FLAG]
        words = " ".join(each.usage for each in positional)
        usage = " | ".join(filter(None, [words, *(flag.shown_name for flag in flags)]))
        is_optional = usage and not any(each.is_required for each in positional)
        return f"[{usage}]" if is_optional else usage

    def parameters_for(self, surface: Surface) -> tuple[Parameter, ...]:
        return tuple(each for each in self.parameters if surface in each.surfaces)
