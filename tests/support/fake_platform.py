"""A platform that shows all it is given, and people of one space who ask there."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from bots.chat.service import ChatService
from bots.chat.store import ChatRequest
from bots.commands.replies import Reply, Results
from tests.support.fake_client import GOAL, SNOW
from worker.protocol.messages import Caller

ANN = Caller(space="discord:1", user_id="ann", name="Ann")
HERE = [replace(video, space="discord:1") for video in (SNOW, GOAL)]


@dataclass
class Screen:
    """A platform that shows all it is given."""

    seen: list[Reply] = field(default_factory=list)
    refuses: bool = False
    any: asyncio.Event = field(default_factory=asyncio.Event)

    async def show(self, errand: ChatRequest, reply: Reply) -> None:
        self.seen.append(reply)
        self.any.set()
        if self.refuses:
            raise RuntimeError("the platform says no")


async def ask(front: ChatService, screen: Screen, command: str, caller: Caller = ANN, /, **args: Any) -> list[Reply]:
    """What is shown to that question."""
    screen.seen.clear()
    await front.serve(ChatRequest("discord", command, args, caller, "en", {"channel": "5"}), screen)
    return list(screen.seen)


async def results(front: ChatService, screen: Screen, caller: Caller = ANN, **args: Any) -> Results:
    [reply] = await ask(front, screen, "find", caller, **args)
    assert isinstance(reply, Results)
    return reply
