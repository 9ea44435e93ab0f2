"""Between the page, which Streamlit runs in threads, and the client, which lives in one event loop."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeVar

from bots.commands.client import Client
from bots.commands.replies import LinkOutcome, LinkProgress, Replies, Reply, TrainingProgress
from worker.client.relay import RelayClient
from worker.ops.logs import bind_correlation_id

T = TypeVar("T")
KEPT_THUMBNAILS: Final = 1000


@dataclass
class ConversationTurn:
    """One question and what has been answered so far. The loop's thread writes, the page's threads read."""

    question: str
    replies: list[Reply] = field(default_factory=list)
    working: dict[str, LinkProgress] = field(default_factory=dict)
    """The newest progress of each link that has no outcome yet."""
    done: threading.Event = field(default_factory=threading.Event)

    def add(self, reply: Reply) -> None:
        if isinstance(reply, TrainingProgress) and not reply.over:
            reply = reply.progress
        if isinstance(reply, LinkProgress):
            self.working = self.working | {reply.link: reply}
            return
        over = reply.link if isinstance(reply, LinkOutcome) else "retrain"
        self.working = {link: progress for link, progress in self.working.items() if link != over}
        self.replies.append(reply)


class AsyncBridge:
    """One event loop in a thread, and the client that all visitors share.

    asyncio takes the caller's context along to the loop, so that answers are in the language that is spoken here.
    """

    def __init__(self, connecting: AbstractAsyncContextManager[Client]) -> None:
        """Raises what connecting raises."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bridge", daemon=True)
        self._thread.start()
        self._connecting = connecting
        self._going: set[Future[None]] = set()
        self.thumbnail: Callable[[str], bytes] = lru_cache(KEPT_THUMBNAILS)(self._thumbnail)
        """A JPEG by its key. Raises `KeyError`."""
        try:
            self.client = self._run(connecting.__aenter__())
        except BaseException:
            self._stop()
            raise

    @property
    def lost(self) -> bool:
        """Whether the process that owns the data has ended, or is another one now."""
        return isinstance(self.client, RelayClient) and self.client.lost

    def start(self, turn: ConversationTurn, replies: Replies) -> ConversationTurn:
        """Begins to answer; the turn fills up while the page goes on."""
        turn.done.clear()
        self.note(self._fill(turn, replies))
        return turn

    def note(self, work: Coroutine[Any, Any, None]) -> None:
        """Does it while the page goes on; nobody waits for it."""
        with bind_correlation_id():
            going = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._going.add(going)
        going.add_done_callback(self._going.discard)

    def all(self, replies: Replies) -> list[Reply]:
        """Waits for all replies of a quick command."""
        with bind_correlation_id():
            return self._run(self._collect(replies))

    def close(self) -> None:
        """Ends what is under way and the connection. Doing it twice changes nothing."""
        if self._loop.is_closed():
            return
        for going in list(self._going):
            going.cancel()
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
