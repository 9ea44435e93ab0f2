"""Running the real bot against the local Discord."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bots.discord.bot import Bot
from tests.support.discord.gateway import TOKEN
from tests.support.discord.server import Server


@asynccontextmanager
async def run_bot(bot: Bot, server: Server) -> AsyncIterator[Bot]:
    """Log in and connect the bot; yield it once it is identified, and close it at the end of the block."""
    before = len(server.identified)
    async with bot:
        await bot.login(TOKEN)
        async with bot.chat.recover_requests("discord", bot.responder):
            connecting = asyncio.create_task(bot.connect())
            try:
                await server.until(lambda: len(server.identified) > before)
                yield bot
            finally:
                await bot.close()
                connecting.cancel()
                with suppress(asyncio.CancelledError):
                    await connecting
