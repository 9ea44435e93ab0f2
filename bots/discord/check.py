"""Checks of the Discord set-up for `reelseek doctor`."""

from bots.commands.definition import Surface
from bots.commands.doctor import CheckLine
from bots.commands.registry import list_commands
from bots.connect import CONFIGURATION_ERROR, CommandError
from bots.discord.run import log_in, make_invite_link, require_token
from bots.discord.watched_channels import may_read_messages
from bots.i18n.cli_messages import CliMsg
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from worker.settings import Settings


async def check_discord(settings: Settings) -> list[CheckLine]:
    """Check the token, the registered commands and the intent. Returns nothing if no token is set."""
    if settings.discord_token is None:
        return []
    try:
        async with log_in(require_token(settings)) as client:
            assert client.application_id is not None  # noqa: S101  # known after the login
            name = str(client.user)
            registered = {command["name"] for command in await client.http.get_global_commands(client.application_id)}
            has_intent = may_read_messages(await client.application_info())
    except CommandError as error:
        is_wrong = error.status == CONFIGURATION_ERROR
        advice = CliMsg.FIX_DISCORD_TOKEN if is_wrong else CliMsg.FIX_DISCORD_CONNECTION
        return [CheckLine(translate(CliMsg.DISCORD_TOKEN), False, str(error), translate(advice))]
    link = make_invite_link(client.application_id)
    return [
        CheckLine(translate(CliMsg.DISCORD_TOKEN), True, translate(CliMsg.DISCORD_ACCOUNT, name=name, link=link)),
        _check_commands(registered),
        CheckLine(translate(CliMsg.DISCORD_INTENT_NAME), True, _describe_intent(has_intent)),
    ]


def _check_commands(registered: set[str]) -> CheckLine:
    missing = sorted({command.name for command in list_commands(Surface.CHAT)} - registered)
    if not missing:
        return CheckLine(
            translate(CliMsg.DISCORD_COMMANDS), True, translate(CliMsg.COMMANDS_LISTED, count=len(registered))
        )
    detail = translate(CliMsg.MISSING, names=", ".join(missing))
    return CheckLine(translate(CliMsg.DISCORD_COMMANDS), False, detail, translate(CliMsg.FIX_DISCORD_COMMANDS))


def _describe_intent(is_on: bool) -> str:
    """Return the state of the intent. It is needed only for watched channels, so that its absence is not a fault."""
    return translate(CliMsg.INTENT_ON) if is_on else f"{translate(CliMsg.INTENT_OFF)}. {translate(Msg.DISCORD_INTENT)}"
