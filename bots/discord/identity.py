"""Callers, private channels and places of answers, read from Discord's objects."""

from typing import Final

import discord

from worker.protocol.base import Caller

PLATFORM: Final = "discord"


def space_of_guild(guild_id: int) -> str:
    """Return the space of a guild."""
    return f"{PLATFORM}:{guild_id}"


def caller_from_interaction(interaction: discord.Interaction) -> Caller:
    """Return who used a command, button or menu. Discord has computed the permissions itself."""
    assert interaction.guild_id is not None  # noqa: S101  # the commands exist in guilds only
    return Caller(
        space=space_of_guild(interaction.guild_id),
        user_id=str(interaction.user.id),
        display_name=interaction.user.display_name,
        private_channel=find_private_channel(interaction.client, interaction.guild_id, interaction.channel_id),
        is_admin=interaction.permissions.manage_guild,
    )


def caller_from_message(message: discord.Message) -> Caller:
    """Return who wrote a message in a guild."""
    assert message.guild is not None  # noqa: S101  # only messages of watched channels come here
    author = message.author
    return Caller(
        space=space_of_guild(message.guild.id),
        user_id=str(author.id),
        display_name=author.display_name,
        private_channel=private_channel_id(message.channel),
        is_admin=isinstance(author, discord.Member) and author.guild_permissions.manage_guild,
    )


def guild_as_caller(guild_id: int) -> Caller:
    """Return the caller of requests that no user makes."""
    return Caller(space=space_of_guild(guild_id), user_id="discord", is_admin=True)


def find_private_channel(client: discord.Client, guild_id: int, channel_id: int | None) -> str | None:
    """Return the id of a channel if it is private, and None if everyone in the guild may read it."""
    guild = client.get_guild(guild_id)
    channel = guild.get_channel_or_thread(channel_id) if guild and channel_id else None
    if channel is None:
        # A channel that is not known (yet) may be private.
        return str(channel_id) if channel_id else None
    return private_channel_id(channel)


def private_channel_id(channel: object) -> str | None:
    """Return the id of `channel` if it is private, and None if everyone in the guild may read it."""
    if isinstance(channel, discord.Thread):
        if channel.is_private() or channel.parent is None:
            return str(channel.id)
        # A public thread can be read by everyone who can read its channel.
        channel = channel.parent
    if not isinstance(channel, discord.abc.GuildChannel):
        return str(getattr(channel, "id", "")) or None
    is_public = channel.permissions_for(channel.guild.default_role).view_channel
    return None if is_public else str(channel.id)


def place_of_answer(interaction: discord.Interaction, mode: str) -> dict[str, str]:
    """Return where an interaction is answered. `bots.discord.responder.ReplyMode` lists the modes."""
    return {
        "mode": mode,
        "application": str(interaction.application_id),
        "token": interaction.token,
        "channel": str(interaction.channel_id),
    }
