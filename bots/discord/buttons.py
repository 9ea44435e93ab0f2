"""Buttons and menus that work for as long as their message stands, whichever process drew it."""

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol, cast

import discord
from discord import ui

from bots.chat.service import Action

UNSET = "unset"
"""Stands in a menu for an empty value, which Discord refuses."""


class ButtonHandler(Protocol):
    """What the bot does when somebody presses."""

    async def pressed(self, interaction: discord.Interaction, token: str, action: Action, number: int) -> None: ...

    async def chosen(self, interaction: discord.Interaction, command: str, args: Mapping[str, Any]) -> None: ...


def _bot(interaction: discord.Interaction) -> ButtonHandler:
    return cast(ButtonHandler, interaction.client)


class ResultButton(ui.DynamicItem[ui.Button[Any]], template=r"rs:[\w-]+:[a-z]+:\d+"):
    """A button under results."""

    @classmethod
    def of(cls, token: str, action: Action, number: int = 0, **looks: Any) -> "ResultButton":
        return cls(ui.Button(custom_id=f"rs:{token}:{action}:{number}", **looks))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> "ResultButton":
        return cls(cast(ui.Button[Any], item))

    async def callback(self, interaction: discord.Interaction) -> None:
        _, token, action, number = self.custom_id.split(":")
        await _bot(interaction).pressed(interaction, token, cast(Action, action), int(number))


class CommandButton(ui.DynamicItem[ui.Button[Any]], template=r"rs![a-z]+\{.*\}"):
    """A button that runs a command."""

    @classmethod
    def of(cls, command: str, args: Mapping[str, Any], label: str) -> "CommandButton":
        packed = json.dumps(dict(args), separators=(",", ":"))
        return cls(ui.Button(custom_id=f"rs!{command}{packed}", label=label, style=discord.ButtonStyle.primary))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> "CommandButton":
        return cls(cast(ui.Button[Any], item))

    async def callback(self, interaction: discord.Interaction) -> None:
        command, brace, packed = self.custom_id.removeprefix("rs!").partition("{")
        await _bot(interaction).chosen(interaction, command, json.loads(brace + packed))


class SettingSelect(ui.DynamicItem[ui.Select[Any]], template=r"rs=[a-z]+"):
    """A menu of what a setting can be."""

    @classmethod
    def of(cls, name: str, values: tuple[str, ...], value: str) -> "SettingSelect":
        options = [
            discord.SelectOption(label=each or "–", value=each or UNSET, default=each == value) for each in values
        ]
        return cls(ui.Select(custom_id=f"rs={name}", options=options))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> "SettingSelect":
        return cls(cast(ui.Select[Any], item))

    async def callback(self, interaction: discord.Interaction) -> None:
        name, value = self.custom_id.removeprefix("rs="), self.item.values[0]
        args = {"name": name, "value": "" if value == UNSET else value}
        await _bot(interaction).chosen(interaction, "settings", args)


class Channels(ui.DynamicItem[ui.ChannelSelect[Any]], template=r"rs#[a-z]+"):
    """A menu of the server's channels."""

    @classmethod
    def of(cls, name: str, ids: tuple[str, ...]) -> "Channels":
        chosen = [discord.SelectDefaultValue(id=int(id), type=discord.SelectDefaultValueType.channel) for id in ids]
        kinds = [discord.ChannelType.text, discord.ChannelType.news, discord.ChannelType.forum]
        menu: ui.ChannelSelect[Any] = ui.ChannelSelect(
            custom_id=f"rs#{name}", channel_types=kinds, min_values=0, max_values=25, default_values=chosen[:25]
        )
        return cls(menu)

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> "Channels":
        return cls(cast(ui.ChannelSelect[Any], item))

    async def callback(self, interaction: discord.Interaction) -> None:
        value = " ".join(str(channel.id) for channel in self.item.values)
        args = {"name": self.custom_id.removeprefix("rs#"), "value": value}
        await _bot(interaction).chosen(interaction, "settings", args)


ALL = (ResultButton, CommandButton, SettingSelect, Channels)
