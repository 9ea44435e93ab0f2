"""Every command there is: what it is called, what it does, and what runs it. Each frontend offers all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bots.commands import admin, search
from bots.commands.client import Client
from bots.commands.replies import Help, Replies
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from worker.protocol.messages import Caller


@dataclass(frozen=True)
class Command:
    name: str
    arguments: str
    help: Msg
    run: Callable[..., Replies]
    """Called with a client, an asker, and the command's own arguments by keyword."""
    is_admin: bool = False
    dated: bool = False
    """Takes `at`: it counts by when it was asked, not by when a process came to do it."""
    once: bool = False
    """Takes `again`: asked a second time, because the process that was asked first ended, it begins nothing."""


PUBLIC: Final = frozenset({"find", "index", "library", "status"})
"""Commands whose answers everybody sees where the space has decided so; the others concern one person."""


async def guide(client: Client, caller: Caller) -> Replies:
    """The `help` command."""
    shown = [command for command in COMMANDS.values() if caller.is_admin or not command.is_admin]
    yield Help(tuple((command.name, command.arguments, translate(command.help)) for command in shown))


COMMANDS: Final[Mapping[str, Command]] = {
    command.name: command
    for command in (
        Command("find", "WORDS, MORE WORDS", Msg.FIND_HELP, search.find),
        Command("more", "", Msg.MORE_HELP, search.more),
        Command("index", "LINK …", Msg.INDEX_HELP, search.index, dated=True),
        Command("library", "[WORDS]", Msg.LIBRARY_HELP, search.library),
        Command("forget", "LINK | mine", Msg.FORGET_HELP, search.forget, dated=True),
        Command("status", "", Msg.STATUS_HELP, search.status),
        Command("privacy", "", Msg.PRIVACY_HELP, admin.privacy),
        Command("settings", "[NAME VALUE]", Msg.SETTINGS_HELP, admin.settings, is_admin=True),
        Command("retrain", "[start | cancel]", Msg.RETRAIN_HELP, admin.retrain, is_admin=True, once=True),
        Command("model", "[status | rollback]", Msg.MODEL_HELP, admin.model, is_admin=True, once=True),
        Command("help", "", Msg.HELP_HELP, guide),
    )
}
