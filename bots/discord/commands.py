"""The slash commands and the message menu, as Discord lists them."""

import base64
import re
import uuid
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.app_commands import Choice, Range, locale_str

from bots.chat.parsing import arguments, links_in
from bots.commands import admin
from bots.discord import identity
from bots.discord.render import MAX_CARDS
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import MAX_PICTURE_BYTES, CallFailedError

if TYPE_CHECKING:
    from bots.discord.bot import Bot

CARDS: Final = 3
"""Cards a page: so many fit a screen."""
MAX_VALUE_CHARS: Final = 100
Callback: TypeAlias = Callable[..., Coroutine[Any, Any, None]]
Command: TypeAlias = app_commands.Command[Any, ..., None]

log = structlog.get_logger()
_CHANNEL: Final = re.compile(r"<#(\d+)>")


class Translated(app_commands.Translator):
    """Names and descriptions from the one catalogue of sentences."""

    async def translate(
        self, string: locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        english = str(string)
        with use_locale(locale.value):
            said = translate(Msg(english)) if english in list(Msg) else english
        return None if said == english else said


def tree(bot: "Bot") -> app_commands.CommandTree["Bot"]:
    """All that Discord shows of the bot: in servers only, never in private conversations."""
    made: app_commands.CommandTree[Bot] = app_commands.CommandTree(
        bot,
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
    )
    listed: list[Command | app_commands.ContextMenu] = [*_asking(bot), *_keeping(bot), *_administering(bot), _menu(bot)]
    for command in listed:
        made.add_command(command)
    return made


def _asking(bot: "Bot") -> Sequence[Command]:
    @_command(Msg.NAME_FIND, Msg.FIND_HELP)
    @_options(
        words=(Msg.NAME_WORDS, Msg.WORDS_HELP),
        picture=(Msg.NAME_PICTURE, Msg.PICTURE_HELP),
        like=(Msg.NAME_LIKE, Msg.LIKE_HELP),
        unlike=(Msg.NAME_UNLIKE, Msg.UNLIKE_HELP),
        in_link=(Msg.NAME_IN, Msg.IN_HELP),
        limit=(Msg.NAME_LIMIT, Msg.LIMIT_HELP),
    )
    async def find(
        interaction: discord.Interaction,
        words: str,
        picture: discord.Attachment | None = None,
        like: str = "",
        unlike: str = "",
        in_link: str = "",
        limit: Range[int, 1, MAX_CARDS] = CARDS,
    ) -> None:
        async def args() -> dict[str, Any]:
            space = identity.of_interaction(interaction).space
            where, seen = await bot.front.meant(space, in_link), await _picture(picture)
            return {"words": words, "like": like, "unlike": unlike, "in_link": where, "picture": seen, "limit": limit}

        await bot.ask(interaction, "find", args)

    @find.autocomplete("in_link")
    async def videos(interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
        return await _suggested(bot, interaction, typed)

    @_command(Msg.NAME_INDEX, Msg.INDEX_HELP)
    @_options(link=(Msg.NAME_LINK, Msg.LINK_HELP))
    async def index(interaction: discord.Interaction, link: str) -> None:
        await bot.ask(interaction, "index", arguments("index", link))

    return find, index


def _keeping(bot: "Bot") -> Sequence[Command]:
    @_command(Msg.NAME_LIBRARY, Msg.LIBRARY_HELP)
    @_options(words=(Msg.NAME_WORDS, Msg.SHELF_WORDS_HELP), mine=(Msg.NAME_MINE, Msg.SHELF_MINE_HELP))
    async def library(interaction: discord.Interaction, words: str = "", mine: bool = False) -> None:
        await bot.ask(interaction, "library", {"search": words, "mine": mine})

    @_command(Msg.NAME_FORGET, Msg.FORGET_HELP)
    @_options(link=(Msg.NAME_LINK, Msg.FORGET_LINK_HELP), mine=(Msg.NAME_MINE, Msg.FORGET_MINE_HELP))
    async def forget(interaction: discord.Interaction, link: str = "", mine: bool = False) -> None:
        await bot.ask(interaction, "forget", {"link": link, "mine": mine})

    @_command(Msg.NAME_STATUS, Msg.STATUS_HELP)
    async def status(interaction: discord.Interaction) -> None:
        await bot.ask(interaction, "status", {})

    @_command(Msg.NAME_PRIVACY, Msg.PRIVACY_HELP)
    async def privacy(interaction: discord.Interaction) -> None:
        await bot.ask(interaction, "privacy", {})

    @_command(Msg.NAME_HELP, Msg.HELP_HELP)
    async def help_(interaction: discord.Interaction) -> None:
        await bot.ask(interaction, "help", {})

    return library, forget, status, privacy, help_


def _administering(bot: "Bot") -> Sequence[Command]:
    @_command(Msg.NAME_RETRAIN, Msg.RETRAIN_HELP, for_admins=True)
    @_options(action=(Msg.NAME_ACTION, Msg.RETRAIN_ACTION_HELP))
    async def retrain(
        interaction: discord.Interaction, action: Literal["preview", "start", "cancel"] = "preview"
    ) -> None:
        await bot.ask(interaction, "retrain", {"action": action})

    @_command(Msg.NAME_MODEL, Msg.MODEL_HELP, for_admins=True)
    @_options(action=(Msg.NAME_ACTION, Msg.MODEL_ACTION_HELP))
    async def model(interaction: discord.Interaction, action: Literal["status", "rollback"] = "status") -> None:
        await bot.ask(interaction, "model", {"action": action})

    @_command(Msg.NAME_SETTINGS, Msg.SETTINGS_HELP, for_admins=True)
    @_options(name=(Msg.NAME_NAME, Msg.SETTING_NAME_HELP), value=(Msg.NAME_VALUE, Msg.SETTING_VALUE_HELP))
    @app_commands.choices(
        name=[Choice(name=locale_str(meaning), value=name) for name, meaning in admin.OPTIONS.items()]
    )
    async def settings(interaction: discord.Interaction, name: str = "", value: str = "") -> None:
        if name == "watched":
            value = _CHANNEL.sub(r" \1 ", value)
        await bot.ask(interaction, "settings", {"name": name, "value": value})

    @settings.autocomplete("value")
    async def values(interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
        name = str(interaction.namespace.name or "")
        possible = admin.choices(name) if name in admin.OPTIONS else ()
        return [Choice(name=each, value=each) for each in possible if each.startswith(typed) and each]

    return retrain, model, settings


def _menu(bot: "Bot") -> app_commands.ContextMenu:
    async def index_message(interaction: discord.Interaction, message: discord.Message) -> None:
        await bot.ask(interaction, "index", {"links": links_in(message.content), "message": str(message.id)})

    return app_commands.ContextMenu(name=locale_str(Msg.INDEX_MESSAGE), callback=index_message)


# ---- how commands are made ----


def _command(name: Msg, help: Msg, for_admins: bool = False) -> Callable[[Callback], Command]:
    def made(callback: Callback) -> Command:
        command: Command = app_commands.command(name=locale_str(name), description=locale_str(help))(callback)
        if for_admins:
            command.default_permissions = discord.Permissions(manage_guild=True)
        return command

    return made


def _options(**options: tuple[Msg, Msg]) -> Callable[[Callback], Callback]:
    def made(callback: Callback) -> Callback:
        callback = app_commands.rename(**{key: locale_str(name) for key, (name, _) in options.items()})(callback)
        return app_commands.describe(**{key: locale_str(help) for key, (_, help) in options.items()})(callback)

    return made


# ---- videos by their titles ----


async def _suggested(bot: "Bot", interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
    """Titles while somebody types."""
    found = await bot.front.suggest(identity.of_interaction(interaction), typed, MAX_VALUE_CHARS)
    return [Choice(name=title[:MAX_VALUE_CHARS], value=value) for title, value in found]


async def _picture(attachment: discord.Attachment | None) -> str | None:
    """An attached picture in base64. Raises `CallFailedError`."""
    if attachment is None:
        return None
    if attachment.size > MAX_PICTURE_BYTES:
        raise CallFailedError(ErrorCode.NOT_A_PICTURE, uuid.uuid4().hex[:8])
    try:
        return base64.b64encode(await attachment.read()).decode()
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        correlation_id = uuid.uuid4().hex[:8]
        log.warning("picture.failed", correlation_id=correlation_id, error=error)
        raise CallFailedError(ErrorCode.UNREACHABLE, correlation_id) from error
