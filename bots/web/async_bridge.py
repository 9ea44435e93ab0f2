"""Calls from the page, which Streamlit runs in threads, to the client, which lives in one event loop."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeVar

from bots.commands.client import Client
from bots.commands.replies import CrawlProgress, LinkProgress, Replies, Reply, TrainingProgress
from worker.client.relay import RelayClient
from worker.ops.logs import bind_correlation_id

T = TypeVar("T")
CACHED_THUMBNAILS: Final = 1000


@dataclass
class ConversationTurn:
    """One question and its replies so far. The thread of the event loop writes, the threads of the page read."""

    question: str
    replies: list[Reply] = field(default_factory=list)
    in_progress: dict[str, LinkProgress] = field(default_factory=dict)
    """The latest progress of each link that has no outcome yet."""
    done: threading.Event = field(default_factory=threading.Event)

    def add(self, reply: Reply) -> None:
        """Append a reply, or update the progress of a link."""
        if isinstance(reply, TrainingProgress | CrawlProgress) and not reply.is_final:
            reply = reply.as_link_progress
        if isinstance(reply, LinkProgress):
            self.in_progress = self.in_progress | {reply.link: reply}
            return
        ended = reply.as_link_progress if isinstance(reply, TrainingProgress | CrawlProgress) else reply
        finished = getattr(ended, "link", None)
        self.in_progress = {link: progress for link, progress in self.in_progress.items() if link != finished}
        self.replies.append(reply)


class AsyncBridge:
    """An event loop in its own thread, with the client that all visitors share.

    asyncio copies the caller's context to the loop, so that replies are in the visitor's language.
    """

    def __init__(self, connecting: AbstractAsyncContextManager[Client]) -> None:
        """Open the client. Raises what `connecting` raises."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bridge", daemon=True)
        self._thread.start()
        self._connecting = connecting
        self._running: set[Future[None]] = set()
        self.thumbnail: Callable[[str], bytes] = lru_cache(CACHED_THUMBNAILS)(self._thumbnail)
        """Returns a JPEG by its key. Raises `KeyError`."""
        try:
            self.client = self._run(connecting.__aenter__())
        except BaseException:
            self._stop()
            raise

    @property
    def is_lost(self) -> bool:
        """Whether the process that owns the data has ended or was replaced."""
        return isinstance(self.client, RelayClient) and self.client.is_lost

    def start(self, turn: ConversationTurn, replies: Replies) -> ConversationTurn:
        """Fill a turn with replies in the background."""
        turn.done.clear()
        self.run_in_background(self._fill(turn, replies))
        return turn

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine without waiting for it."""
        with bind_correlation_id():
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._running.add(future)
        future.add_done_callback(self._running.discard)

    def collect(self, replies: Replies) -> list[Reply]:
        """Wait for all replies of a quick command and return them."""
        with bind_correlation_id():
            return self._run(self._collect(replies))

    def close(self) -> None:
        """Cancel background work and close the client. Idempotent."""
        if self._loop.is_closed():
            return
        for future in list(self._running):
            future.cancel()
        self._run(self._connecting.__aexit__(None, None, None))
        self._stop()

    def _thumbnail(self, key: str) -> bytes:
        return self._run(self.client.thumbnail(key))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _fill(self, turn: ConversationTurn, replies: Replies) -> None:
        try:
            async with aclosing(replies):
                async for reply in replies:
                    turn.add(reply)
        finally:
            turn.done.set()

    async def _collect(self, replies: Replies) -> list[Reply]:
        return [reply async for reply in replies]
