"""Every command there is: what it is called, what it does, and what runs it. Each frontend offers all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bots.commands import admin, search
from bots.commands.client import Client
from bots.commands.replies import Guide, Replies
from bots.i18n.messages import Text
from bots.i18n.translate import say
from worker.protocol.messages import Asker


@dataclass(frozen=True)
class Command:
    name: str
    arguments: str
    help: Text
    run: Callable[..., Replies]
    """Called with a client, an asker, and the command's own arguments by keyword."""
    admin: bool = False
    dated: bool = False
    """Takes `at`: it counts by when it was asked, not by when a process came to do it."""
    once: bool = False
    """Takes `again`: asked a second time, because the process that was asked first ended, it begins nothing."""


PUBLIC: Final = frozenset({"find", "index", "library", "status"})
"""Commands whose answers everybody sees where the space has decided so; the others concern one person."""


async def guide(client: Client, asker: Asker) -> Replies:
    """The `help` command."""
    shown = [command for command in COMMANDS.values() if asker.admin or not command.admin]
    yield Guide(tuple((command.name, command.arguments, say(command.help)) for command in shown))


COMMANDS: Final[Mapping[str, Command]] = {
    command.name: command
    for command in (
        Command("find", "WORDS, MORE WORDS", Text.FIND_HELP, search.find),
        Command("more", "", Text.MORE_HELP, search.more),
        Command("index", "LINK …", Text.INDEX_HELP, search.index, dated=True),
        Command("library", "[WORDS]", Text.LIBRARY_HELP, search.library),
        Command("forget", "LINK | mine", Text.FORGET_HELP, search.forget, dated=True),
        Command("status", "", Text.STATUS_HELP, search.status),
        Command("privacy", "", Text.PRIVACY_HELP, admin.privacy),
        Command("settings", "[NAME VALUE]", Text.SETTINGS_HELP, admin.settings, admin=True),
        Command("retrain", "[start | cancel]", Text.RETRAIN_HELP, admin.retrain, admin=True, once=True),
        Command("model", "[status | rollback]", Text.MODEL_HELP, admin.model, admin=True, once=True),
        Command("help", "", Text.HELP_HELP, guide),
    )
}
