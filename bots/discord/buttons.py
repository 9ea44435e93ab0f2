"""Buttons and menus that keep working after a restart, because their ids hold all that they need."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol, cast

import discord
from discord import ui

from bots.commands.search import ResultAction

EMPTY_VALUE: Final = "unset"
"""The value of the menu entry for an empty value, which Discord refuses."""


WATCHABLE_CHANNELS: Final = (
    discord.ChannelType.text,
    discord.ChannelType.news,
    discord.ChannelType.forum,
    discord.ChannelType.media,
    discord.ChannelType.voice,
    discord.ChannelType.stage_voice,
    discord.ChannelType.public_thread,
    discord.ChannelType.private_thread,
    discord.ChannelType.news_thread,
)
"""All channels in which people write. Threads and posts count as their channel, too."""


class ButtonHandler(Protocol):
    """Answers the users of buttons and menus."""

    async def press_button(
        self, interaction: discord.Interaction, token: str, action: ResultAction, number: int
    ) -> None: ...

    async def run_component(self, interaction: discord.Interaction, command: str, args: Mapping[str, Any]) -> None: ...


class _InteractionClient(Protocol):
    interactions: ButtonHandler


def _handler(interaction: discord.Interaction) -> ButtonHandler:
    return cast(_InteractionClient, interaction.client).interactions


class ResultButton(ui.DynamicItem[ui.Button[Any]], template=r"rs:[\w-]+:[a-z]+:\d+"):
    """A button under search results."""

    @classmethod
    def make(cls, token: str | None, action: ResultAction, number: int = 0, **style: Any) -> "ResultButton":
        """Make the button for an action on the card with this number, in the results stored under `token`."""
        return cls(ui.Button(custom_id=f"rs:{token}:{action}:{number}", **style))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> "ResultButton":
        return cls(cast(ui.Button[Any], item))

    async def callback(self, interaction: discord.Interaction) -> None:
        _, token, action, number = self.custom_id.split(":")
        await _handler(interaction).press_button(interaction, token, cast(ResultAction, action), int(number))


class CommandButton(ui.DynamicItem[ui.Button[Any]], template=r"rs![a-z]+\{.*\}"):
    """A button that runs a command."""

    @classmethod
    def make(cls, command: str, args: Mapping[str, Any], label: str) -> "CommandButton":
        """Make the button for a command with these arguments."""
        packed = json.dumps(dict(args), separators=(",", ":"))
        return cls(ui.Button(custom_id=f"rs!{command}{packed}", label=label, style=discord.ButtonStyle.primary))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> "CommandButton":
        return cls(cast(ui.Button[Any], item))

    async def callback(self, interaction: discord.Interaction) -> None:
        command, brace, packed = self.custom_id.removeprefix("rs!").partition("{")
        await _handler(interaction).run_component(interaction, command, json.loads(brace + packed))


class SettingSelect(ui.DynamicItem[ui.Select[Any]], template=r"rs=[a-z]+"):
    """A menu with the accepted values of a setting."""

    @classmethod
    def make(cls, name: str, values: tuple[str, ...], value: str) -> "SettingSelect":
        """Make the menu of a setting that has `value` now."""
        options = [
            discord.SelectOption(label=each or "–", value=each or EMPTY_VALUE, default=each == value) for each in values
        ]
        return cls(ui.Select(custom_id=f"rs={name}", options=options))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> "SettingSelect":
        return cls(cast(ui.Select[Any], item))

    async def callback(self, interaction: discord.Interaction) -> None:
        name, value = self.custom_id.removeprefix("rs="), self.item.values[0]
        args = {"name": name, "value": "" if value == EMPTY_VALUE else value}
        await _handler(interaction).run_component(interaction, "settings", args)


class ChannelSelect(ui.DynamicItem[ui.ChannelSelect[Any]], template=r"rs#[a-z]+"):
    """A menu of the guild's channels, for a setting."""

    @classmethod
    def make(cls, name: str, ids: tuple[str, ...]) -> "ChannelSelect":
        """Make the menu of a setting that names the channels with these ids now."""
        chosen = [discord.SelectDefaultValue(id=int(id), type=discord.SelectDefaultValueType.channel) for id in ids]
        menu: ui.ChannelSelect[Any] = ui.ChannelSelect(
            custom_id=f"rs#{name}",
            channel_types=list(WATCHABLE_CHANNELS),
            min_values=0,
            max_values=25,
            default_values=chosen[:25],
        )
        return cls(menu)

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> "ChannelSelect":
        return cls(cast(ui.ChannelSelect[Any], item))

    async def callback(self, interaction: discord.Interaction) -> None:
        value = " ".join(str(channel.id) for channel in self.item.values)
        args = {"name": self.custom_id.removeprefix("rs#"), "value": value}
        await _handler(interaction).run_component(interaction, "settings", args)


COMPONENTS: Final = (ResultButton, CommandButton, SettingSelect, ChannelSelect)
