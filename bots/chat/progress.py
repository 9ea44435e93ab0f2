"""Progress replies, throttled to what platforms allow for edits of a message."""

import asyncio
import time
from contextlib import aclosing
from typing import Final

from bots.commands.replies import (
    CrawlProgress,
    IndexingProgress,
    LinkOutcome,
    LinkProgress,
    Replies,
    Reply,
    TrainingProgress,
)

EDIT_INTERVAL_S: Final = 1.0
"""Both platforms rate-limit edits of a message to about one per second."""


def is_interim(reply: Reply) -> bool:
    """Return whether a later reply will replace this one."""
    return isinstance(reply, IndexingProgress | TrainingProgress | CrawlProgress) and not reply.is_final


async def throttle_progress(replies: Replies) -> Replies:
    """Yield progress at most once per `EDIT_INTERVAL_S`, and every other reply at once.

    The progress of all links is merged into one reply. Of interim replies within an interval only the newest is
    yielded, when the interval ends. The final state of the links is always yielded, as the last reply.
    """
    lines: dict[str, LinkProgress | LinkOutcome] = {}
    waiting: Reply | None = None
    next_edit_s = 0.0
    queue: asyncio.Queue[Reply | None] = asyncio.Queue()
    reader = asyncio.create_task(_enqueue_all(replies, queue))
    try:
        while True:
            try:
                timeout_s = None if waiting is None else max(0.0, next_edit_s - time.monotonic())
                reply = await asyncio.wait_for(queue.get(), timeout_s)
            except TimeoutError:
                assert waiting  # noqa: S101  # otherwise there is no timeout
                next_edit_s = time.monotonic() + EDIT_INTERVAL_S
                yield waiting
                waiting = None
                continue
            if reply is None:
                break
            if isinstance(reply, LinkProgress | LinkOutcome):
                lines[reply.link] = reply
                waiting = None
                if all(isinstance(line, LinkOutcome) for line in lines.values()):
                    continue  # This may be the final state, unless a link follows that has not reported yet.
                reply = IndexingProgress(tuple(lines.values()))
            waiting = reply if is_interim(reply) else None
            if waiting is None:
                yield reply
        await reader
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    if lines:
        yield IndexingProgress(tuple(lines.values()), is_final=True)


async def _enqueue_all(replies: Replies, queue: asyncio.Queue[Reply | None]) -> None:
    """Put all replies into `queue`, and None at their end."""
    try:
        async with aclosing(replies):
            async for reply in replies:
                queue.put_nowait(reply)
    finally:
        queue.put_nowait(None)
