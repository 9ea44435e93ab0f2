"""Commands, buttons and menus: each interaction is acknowledged within Discord's 3 seconds, then answered."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import discord
import structlog

from bots.chat.background_tasks import BackgroundTasks
from bots.chat.requests import ChatRequest
from bots.chat.service import ChatService
from bots.commands.registry import COMMANDS
from bots.commands.search import ResultAction
from bots.discord import identity
from bots.discord.identity import PLATFORM
from bots.discord.responder import DiscordResponder, ReplyMode
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from worker.ops.logs import bind_correlation_id
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.error_codes import ErrorCode

log = structlog.get_logger()


class InteractionHandler:
    """Turns interactions into chat requests. One instance per bot.

    `reload_watched` reads a guild's watched channels again, and returns True if watching lacks an intent.
    """

    def __init__(
        self,
        chat: ChatService,
        responder: DiscordResponder,
        tasks: BackgroundTasks,
        clock: Callable[[], float],
        reload_watched: Callable[[int], Awaitable[bool]],
    ) -> None:
        self.chat = chat
        self._responder = responder
        self._tasks = tasks
        self._clock = clock
        self._reload_watched = reload_watched

    async def run_command(
        self,
        interaction: discord.Interaction,
        command: str,
        args: Mapping[str, Any] | Callable[[], Awaitable[Mapping[str, Any]]],
    ) -> None:
        """Acknowledge a command and answer it. `args` is a function if it takes time to get them."""
        caller = identity.caller_from_interaction(interaction)
        with bind_correlation_id():
            with self.chat.acknowledging(PLATFORM):
                settings = await self.chat.settings(caller)
                is_private = settings.answers == "private" or not COMMANDS[command].is_public
                if not await self._acknowledge(interaction, thinking=True, ephemeral=is_private):
                    return
            locale = settings.language or str(interaction.locale)
            request = self._make_request(interaction, command, {}, caller, locale, ReplyMode.ANSWER)
            with self._tasks.track_current():
                loaded = await self._load_args(request, args) if callable(args) else args
                if loaded and "links" in loaded:
                    loaded = {**loaded, "links": await self._responder.signer.sign_links(loaded["links"])}
                if loaded is not None:
                    await self.chat.serve(replace(request, args=loaded), self._responder)
            if command == "settings":
                await self._after_settings_change(interaction, locale)

    async def _load_args(
        self, request: ChatRequest, load: Callable[[], Awaitable[Mapping[str, Any]]]
    ) -> Mapping[str, Any] | None:
        """Return the arguments, or show why they cannot be loaded and return None."""
        try:
            return await load()
        except CallFailedError as error:
            await self.chat.show_error(request, self._responder, error)
        except asyncio.CancelledError:
            # The request is not in the queue yet, so no other process can answer it.
            stopped = CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, request.correlation_id)
            await self.chat.show_error(request, self._responder, stopped)
            raise
        return None

    async def press_button(
        self, interaction: discord.Interaction, token: str, action: ResultAction, number: int
    ) -> None:
        """Answer a button under results. Turning the pages of one's own results replaces them; the rest is private."""
        in_place = action == "share" or (action in ("next", "previous") and _is_own_answer(interaction))
        with self.chat.acknowledging(PLATFORM):
            if not await self._acknowledge(interaction, thinking=not in_place, ephemeral=True):
                return
        args = {"token": token, "action": action, "number": number}
        await self._answer(interaction, "press", args, ReplyMode.IN_PLACE if in_place else ReplyMode.ANSWER)

    async def run_component(self, interaction: discord.Interaction, command: str, args: Mapping[str, Any]) -> None:
        """Answer a button or menu that runs a command. The answer replaces its message."""
        with self.chat.acknowledging(PLATFORM):
            if not await self._acknowledge(interaction):
                return
        locale = await self._answer(interaction, command, args, ReplyMode.ANSWER)
        if command == "settings":
            await self._after_settings_change(interaction, locale)

    async def _acknowledge(self, interaction: discord.Interaction, **options: Any) -> bool:
        """Acknowledge an interaction. Returns False if Discord rejects it, because it is a duplicate or too late."""
        try:
            await interaction.response.defer(**options)
        except discord.HTTPException as error:
            log.warning("interaction.rejected", interaction=interaction.id, code=error.code, error=error.text)
            return False
        return True

    async def _answer(
        self, interaction: discord.Interaction, command: str, args: Mapping[str, Any], mode: ReplyMode
    ) -> str:
        """Answer an acknowledged interaction. Returns the locale of the answer."""
        caller = identity.caller_from_interaction(interaction)
        settings = await self.chat.settings(caller)
        locale = settings.language or str(interaction.locale)
        request = self._make_request(interaction, command, args, caller, locale, mode)
        with self._tasks.track_current():
            await self.chat.serve(request, self._responder)
        return locale

    def _make_request(
        self,
        interaction: discord.Interaction,
        command: str,
        args: Mapping[str, Any],
        caller: Caller,
        locale: str | None,
        mode: ReplyMode,
    ) -> ChatRequest:
        place = identity.place_of_answer(interaction, mode)
        return ChatRequest(PLATFORM, command, args, caller, locale, place, asked_at=self._clock())

    async def _after_settings_change(self, interaction: discord.Interaction, locale: str) -> None:
        """Apply changed settings. Tell the admin if watching lacks an intent that the bot's owner must enable."""
        if interaction.guild_id and await self._reload_watched(interaction.guild_id):
            with use_locale(locale):
                await interaction.followup.send(translate(Msg.DISCORD_INTENT), ephemeral=True)


def _is_own_answer(interaction: discord.Interaction) -> bool:
    """Return whether the message of a button answers the user who pressed it."""
    message = interaction.message
    if message is None or message.flags.ephemeral:
        return True
    original = message.interaction_metadata
    return original is not None and original.user.id == interaction.user.id
