"""The real bot at a fake Discord."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from bots.discord.bot import Bot
from tests.support.discord.gateway import TOKEN
from tests.support.discord.server import FakeDiscord


@dataclass
class Clock:
    """A clock that tests move."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def run_bot(bot: Bot, server: FakeDiscord) -> AsyncIterator[Bot]:
    """Run a bot for the block, which begins once it is connected."""
    before = len(server.identified)
    async with bot:
        await bot.login(TOKEN)
        async with bot.chat.recover_requests("discord", bot.responder):
            connected = asyncio.create_task(bot.connect())
            try:
                await server.wait_for(lambda: len(server.identified) > before)
                yield bot
            finally:
                await bot.close()
                connected.cancel()
                with suppress(asyncio.CancelledError):
                    await connected
