"""A platform that shows all it is given, and people of one space who ask there."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from bots.chat.service import Front
from bots.chat.store import Errand
from bots.commands.replies import Reply, Results
from tests.support.fake_client import GOAL, SNOW
from worker.protocol.messages import Asker

ANN = Asker(space="discord:1", person="ann", name="Ann")
HERE = [replace(video, space="discord:1") for video in (SNOW, GOAL)]


@dataclass
class Screen:
    """A platform that shows all it is given."""

    seen: list[Reply] = field(default_factory=list)
    refuses: bool = False
    any: asyncio.Event = field(default_factory=asyncio.Event)

    async def show(self, errand: Errand, reply: Reply) -> None:
        self.seen.append(reply)
        self.any.set()
        if self.refuses:
            raise RuntimeError("the platform says no")


async def ask(front: Front, screen: Screen, command: str, asker: Asker = ANN, /, **args: Any) -> list[Reply]:
    """What is shown to that question."""
    screen.seen.clear()
    await front.serve(Errand("discord", command, args, asker, "en", {"channel": "5"}), screen)
    return list(screen.seen)


async def results(front: Front, screen: Screen, asker: Asker = ANN, **args: Any) -> Results:
    [reply] = await ask(front, screen, "find", asker, **args)
    assert isinstance(reply, Results)
    return reply
