"""Which servers the bot is in: noted in Redis, so that a start sees who added or removed it while it was away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Set
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import structlog

from bots.chat.store import ChatStore
from worker.protocol.messages import CallFailedError

NOTE: Final = "discord:servers"
KEEP_S: Final = 10 * 365 * 86400
Tell: TypeAlias = Callable[[int, bool], Awaitable[None]]
"""Tells the workers that a server has the bot, or has it no more."""

log = structlog.get_logger()


class GuildTracker:
    """One serves a whole bot process. Changes are told one after another: the last word on a server is the true one."""

    def __init__(self, chat_store: ChatStore, tell: Tell) -> None:
        self._desk = chat_store
        self._tell = tell
        self._turn = asyncio.Lock()

    async def compare(self, here: Set[int]) -> None:
        """Tells of each server that came or went since the note was written."""
        async with self._noted() as known:
            for server in known ^ here:
                await self._change(known, server, server in here)

    async def changed(self, server: int, here: bool) -> None:
        """Tells of a server that came or went just now."""
        async with self._noted() as known:
            await self._change(known, server, here)

    async def _change(self, known: set[int], server: int, here: bool) -> None:
        await self._tell(server, here)
        # Afterwards: what a process that ends in between has not noted, the next one tells again.
        (known.add if here else known.discard)(server)
        await self._desk.note("", NOTE, " ".join(map(str, sorted(known))), KEEP_S)

    @asynccontextmanager
    async def _noted(self) -> AsyncIterator[set[int]]:
        async with self._turn:
            try:
                yield set(map(int, (await self._desk.noted("", NOTE) or "").split()))
            except CallFailedError as error:
                log.warning("servers.not_noted", correlation_id=error.correlation_id)
