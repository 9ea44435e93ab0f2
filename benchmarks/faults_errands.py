"""What `benchmarks.faults` asks of the frontend, and hears from it, however often that one is killed."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from redis import RedisError

from benchmarks.faults_processes import PLATFORM
from benchmarks.faults_sum import Ledger
from benchmarks.faults_world import World
from bots.chat.store import CHAT_REQUEST, ChatRequest
from worker.protocol.messages import Caller


@dataclass
class Errands:
    """What was asked of the front, and what it has shown."""

    world: World
    ledger: Ledger
    links: Sequence[str]
    asked: dict[str, ChatRequest] = field(default_factory=dict)
    last: dict[str, dict[str, Any]] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    owed: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    revived: set[str] = field(default_factory=set)
    """What Redis knows again though it was answered: its machine lost power just then."""
    _answered: dict[str, asyncio.Event] = field(default_factory=dict)
    _looked: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, command: str, space: str, **args: Any) -> dict[str, Any]:
        """The last reply to a command, however often the front is killed meanwhile."""
        errand = ChatRequest(PLATFORM, command, args, Caller(space=space, user_id="ann"), "en", {})
        self.asked[errand.id], self._answered[errand.id] = errand, asyncio.Event()
        self._send(errand)
        await self._answered[errand.id].wait()
        # A bot that dies before it noted its answer leaves the errand to the next, which does it again.
        self.owed.add(errand.id)
        while errand.id in self.owed:
            await self._looked.wait()
        return self.last[errand.id]

    def _send(self, errand: ChatRequest) -> None:
        self.world.services["front"].say(CHAT_REQUEST.dump_json(errand))

    @property
    def unanswered(self) -> list[ChatRequest]:
        return [errand for id, errand in self.asked.items() if id not in self.last]

    async def restart_front(self, away_s: float) -> None:
        """What was not acknowledged is said again, as platforms and people do."""
        front = self.world.services["front"]
        front.kill()
        await asyncio.sleep(away_s)
        await self.hear()
        owed = await asyncio.to_thread(self.world.owed)
        front.start()
        for errand in self.unanswered:
            if errand.id in owed:
                continue
            if errand.id in self.acknowledged - self.lost:
                self.ledger.wrong.append(f"an acknowledged errand is gone: {errand}")
            self.ledger.counts[
                "asked again, not acknowledged" if errand.id not in self.lost else "lost with Redis"
            ] += 1
            self._send(errand)

    async def watch(self) -> None:
        while True:
            await self.hear()
            with suppress(RedisError):
                self.owed = await asyncio.to_thread(self.world.owed)
                self.acknowledged |= self.owed & self.asked.keys()
            self._looked.set()
            self._looked.clear()
            await asyncio.sleep(0.3)

    async def hear(self) -> None:
        """Reads on in the file of what was shown."""
        if not self.world.shown.exists():
            return
        lines = self.world.shown.read_bytes().split(b"\n")[:-1]
        for line in lines[self.ledger.counts["replies"] :]:
            self.ledger.counts["replies"] += 1
            reply = json.loads(line)
            if not reply["last"]:
                continue
            if reply["errand"] in self.last:
                self.ledger.counts["answers shown twice"] += 1
                self._told_again(reply)
            self.ledger.counts["answers"] += 1
            self.last[reply["errand"]] = reply
            self._answered[reply["errand"]].set()

    def _told_again(self, reply: Mapping[str, Any]) -> None:
        """A space that was told anew that its link is there may have it, although it had forgotten it meanwhile."""
        errand = self.asked[reply["errand"]]
        if errand.id not in self.revived or errand.command != "index":
            return
        for line in reply.get("lines", ()):
            told = errand.caller.space, self.links.index(line["link"])
            if told in self.ledger.forgotten:
                self.ledger.counts["forgotten, and perhaps back with Redis"] += 1
                self.ledger.unsure.add(told)
                self.ledger.tell(*told, line)
