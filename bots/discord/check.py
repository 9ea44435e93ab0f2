"""What the doctor looks at in Discord, and how each is mended."""

from bots.commands.registry import COMMANDS
from bots.connect import CommandError
from bots.discord.bot import may_read
from bots.discord.run import NO_GOOD, invite_link, logged_in, token_of
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from worker.ops.doctor import DoctorCheck
from worker.settings import Settings


async def check(settings: Settings) -> list[DoctorCheck]:
    """Token, commands and intent; nothing where no token is set."""
    if settings.discord_token is None:
        return []
    try:
        async with logged_in(token_of(settings)) as client:
            assert client.application_id is not None  # noqa: S101  # known from the log-in on
            name = str(client.user)
            listed = {command["name"] for command in await client.http.get_global_commands(client.application_id)}
            reads = may_read(await client.application_info())
    except CommandError as ended:
        mend = "Look at this machine's way to discord.com."
        if ended.status == NO_GOOD:
            mend = "Set REELSEEK_DISCORD_TOKEN; docs/discord.md shows where it is."
        return [DoctorCheck("Discord token", False, str(ended), mend)]
    missing = sorted(set(COMMANDS) - {"more"} - listed)
    intent = (
        "Message Content Intent is on" if reads else f"Message Content Intent is off. {translate(Msg.DISCORD_INTENT)}"
    )
    return [
        DoctorCheck("Discord token", True, f"{name}; invite link: {invite_link(client.application_id)}"),
        DoctorCheck(
            "Discord commands",
            not missing,
            f"missing: {', '.join(missing)}" if missing else f"{len(listed)} commands",
            "Start `reelseek discord` once: it tells Discord of its commands.",
        ),
        DoctorCheck("Discord intent", True, intent),
    ]
