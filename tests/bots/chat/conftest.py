"""Two bot processes of one installation, on a real Redis."""

from collections.abc import AsyncIterator

import pytest

from bots.chat.stores import ChatStores, open_chat_stores


@pytest.fixture
async def first(clean_redis: str) -> AsyncIterator[ChatStores]:
    """Open the stores of a bot process."""
    async with open_chat_stores(clean_redis, "3/minute", "5/minute") as stores:
        yield stores


@pytest.fixture
async def second(clean_redis: str) -> AsyncIterator[ChatStores]:
    """Open the stores of another bot process."""
    async with open_chat_stores(clean_redis, "3/minute", "5/minute") as stores:
        yield stores
