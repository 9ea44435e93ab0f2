"""A platform without a network: it records what a request is shown."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from bots.chat.requests import ChatRequest
from bots.chat.service import ChatService
from bots.commands.replies import Reply, Results
from tests.support.bots.fake_videos import GOAL, SNOW
from tests.support.worker.callers import ANN
from worker.protocol.base import Caller

VIDEOS = [replace(video, space=ANN.space) for video in (SNOW, GOAL)]
"""The library of the space in which `ANN` asks."""


@dataclass
class RecordingResponder:
    """Records replies. With `refuses` it also raises, like a platform that accepts none."""

    shown: list[Reply] = field(default_factory=list)
    refuses: bool = False
    was_shown: asyncio.Event = field(default_factory=asyncio.Event)

    async def show(self, request: ChatRequest, reply: Reply) -> None:
        """Record a reply."""
        self.shown.append(reply)
        self.was_shown.set()
        if self.refuses:
            raise RuntimeError("the platform refuses every message")


async def ask(
    chat: ChatService, responder: RecordingResponder, command: str, caller: Caller = ANN, /, **args: Any
) -> list[Reply]:
    """Run a command. Returns everything that is shown for it."""
    responder.shown.clear()
    await chat.serve(ChatRequest("discord", command, args, caller, "en", {"channel": "5"}), responder)
    return list(responder.shown)


async def search(chat: ChatService, responder: RecordingResponder, caller: Caller = ANN, **args: Any) -> Results:
    """Run `find`. Returns its results."""
    [reply] = await ask(chat, responder, "find", caller, **args)
    assert isinstance(reply, Results)
    return reply
