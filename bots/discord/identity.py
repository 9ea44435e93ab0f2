"""Who asks, from which room, and where the answer goes, as Discord tells it."""

from typing import TypeAlias

import discord

from worker.protocol.messages import Caller

Guest: TypeAlias = discord.User | discord.Member
PLATFORM = "discord"


def space(guild_id: int) -> str:
    return f"{PLATFORM}:{guild_id}"


def of_interaction(interaction: discord.Interaction) -> Caller:
    """Who used a command or a button. Discord itself worked out the permissions."""
    assert interaction.guild_id is not None  # noqa: S101  # the commands exist in servers only
    return Caller(
        space=space(interaction.guild_id),
        user_id=str(interaction.user.id),
        name=interaction.user.display_name,
        private_channel=private_channel(interaction.client, interaction.guild_id, interaction.channel_id),
        is_admin=interaction.permissions.manage_guild,
    )


def of_message(message: discord.Message) -> Caller:
    """Who wrote a message in a server."""
    assert message.guild is not None  # noqa: S101  # only messages of watched channels are asked about
    author = message.author
    return Caller(
        space=space(message.guild.id),
        user_id=str(author.id),
        name=author.display_name,
        private_channel=room_of(message.channel),
        is_admin=isinstance(author, discord.Member) and author.guild_permissions.manage_guild,
    )


def of_server(guild_id: int) -> Caller:
    """The server itself, where nobody asks."""
    return Caller(space=space(guild_id), user_id="discord", is_admin=True)


def private_channel(client: discord.Client, guild_id: int, channel_id: int | None) -> str:
    """The private channel that this is, or empty where everybody of the server may read."""
    guild = client.get_guild(guild_id)
    found = guild.get_channel_or_thread(channel_id) if guild and channel_id else None
    # A channel that is not known (yet) may be private.
    return room_of(found) if found else str(channel_id or "")


def room_of(channel: object) -> str:
    if isinstance(channel, discord.Thread):
        if channel.is_private() or channel.parent is None:
            return str(channel.id)
        # Whoever reads a channel reads its open threads.
        channel = channel.parent
    if not isinstance(channel, discord.abc.GuildChannel):
        return str(getattr(channel, "id", ""))
    everybody = channel.permissions_for(channel.guild.default_role)
    return "" if everybody.view_channel else str(channel.id)


def place(interaction: discord.Interaction, way: str) -> dict[str, str]:
    """Where an interaction is answered; `bots.discord.responder` says what each `way` means."""
    return {
        "way": way,
        "application": str(interaction.application_id),
        "token": interaction.token,
        "channel": str(interaction.channel_id),
    }
