"""Guilds that added or removed the bot, also while it was offline or Redis was away."""

import asyncio
from collections.abc import Awaitable, Callable, Set
from typing import Final, TypeAlias

from bots.chat.notes import NoteStore
from bots.chat.redis_calls import retry_until_available

GUILDS_NOTE: Final = "discord:guilds"
NOTE_TTL_S: Final = 10 * 365 * 86400
RecordMembership: TypeAlias = Callable[[int, bool], Awaitable[None]]
"""Records that the bot was added to a guild (True) or removed from it (False)."""


class GuildTracker:
    """Records each change of the bot's guilds once. One instance serves a whole bot process.

    The guilds that were recorded are noted in Redis, so that a starting process finds the changes it missed. Changes
    are recorded one after another, in the order in which they happened. If Redis cannot be reached, they wait for it;
    a process that stops meanwhile has not noted them, so that the next one finds them.
    """

    def __init__(self, notes: NoteStore, record: RecordMembership) -> None:
        self._notes = notes
        self._record = record
        self._lock = asyncio.Lock()

    async def record_changes(self, guild_ids: Set[int]) -> None:
        """Record each guild that added or removed the bot since the note was written. `guild_ids`: those it is in."""
        async with self._lock:
            noted = await retry_until_available(self._load)
            for guild_id in noted ^ guild_ids:
                await self._record_change(noted, guild_id, guild_id in guild_ids)

    async def record_change(self, guild_id: int, is_member: bool) -> None:
        """Record that the bot was added to a guild or removed from it just now."""
        async with self._lock:
            noted = await retry_until_available(self._load)
            await self._record_change(noted, guild_id, is_member)

    async def _record_change(self, noted: set[int], guild_id: int, is_member: bool) -> None:
        await self._record(guild_id, is_member)
        # Noted last: if the process stops in between, the next one records the change again.
        if is_member:
            noted.add(guild_id)
        else:
            noted.discard(guild_id)
        text = " ".join(map(str, sorted(noted)))
        await retry_until_available(lambda: self._notes.set_note(None, GUILDS_NOTE, text, NOTE_TTL_S))

    async def _load(self) -> set[int]:
        return set(map(int, (await self._notes.get_note(None, GUILDS_NOTE) or "").split()))
