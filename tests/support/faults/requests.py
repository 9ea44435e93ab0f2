"""Requests to the frontend of a run of faults and their replies, although the frontend is killed again and again."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from redis import RedisError

from bots.chat.requests import CHAT_REQUEST, ChatRequest
from tests.support.faults.check import Ledger
from tests.support.faults.processes import PLATFORM
from tests.support.faults.world import World
from worker.protocol.base import Caller


@dataclass
class Requests:
    """All requests that were sent, and their last replies."""

    world: World
    ledger: Ledger
    links: Sequence[str]
    sent: dict[str, ChatRequest] = field(default_factory=dict)
    last_replies: dict[str, dict[str, Any]] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    """Ids of the requests that were in Redis when it was last read."""
    lost: set[str] = field(default_factory=set)
    """Ids that Redis lost with a power cut."""
    revived: set[str] = field(default_factory=set)
    """Ids that are in Redis again although they were answered: the power cut lost the acknowledgement."""
    _answered: dict[str, asyncio.Event] = field(default_factory=dict)
    _was_read: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, command: str, space: str, **args: Any) -> dict[str, Any]:
        """Return the last reply to a command."""
        request = ChatRequest(PLATFORM, command, args, Caller(space=space, user_id="ann"), "en", {})
        self.sent[request.id], self._answered[request.id] = request, asyncio.Event()
        self._write(request)
        await self._answered[request.id].wait()
        # A frontend that dies before it acknowledges its answer leaves the request to the next one, to be served again.
        self.stored.add(request.id)
        while request.id in self.stored:
            await self._was_read.wait()
        return self.last_replies[request.id]

    def _write(self, request: ChatRequest) -> None:
        self.world.processes["frontend"].write_line(CHAT_REQUEST.dump_json(request))

    @property
    def unanswered(self) -> list[ChatRequest]:
        return [request for id, request in self.sent.items() if id not in self.last_replies]

    async def restart_frontend(self, down_s: float) -> None:
        """Kill and restart the frontend; send unacknowledged requests again, as platforms and people do."""
        frontend = self.world.processes["frontend"]
        frontend.kill()
        await asyncio.sleep(down_s)
        await self.read_replies()
        stored = await asyncio.to_thread(self.world.list_stored_requests)
        frontend.start()
        for request in self.unanswered:
            if request.id in stored:
                continue
            if request.id in self.acknowledged - self.lost:
                self.ledger.wrong.append(f"an acknowledged request is gone: {request}")
            is_lost = request.id in self.lost
            self.ledger.counts["lost with Redis" if is_lost else "sent again, not acknowledged"] += 1
            self._write(request)

    async def watch(self) -> None:
        """Read replies and Redis until the task is cancelled."""
        while True:
            await self.read_replies()
            with suppress(RedisError):
                self.stored = await asyncio.to_thread(self.world.list_stored_requests)
                self.acknowledged |= self.stored & self.sent.keys()
            self._was_read.set()
            self._was_read.clear()
            await asyncio.sleep(0.3)

    async def read_replies(self) -> None:
        """Read the replies that were added to the frontend's file."""
        if not self.world.replies_file.exists():
            return
        lines = self.world.replies_file.read_bytes().split(b"\n")[:-1]
        for line in lines[self.ledger.counts["replies"] :]:
            self.ledger.counts["replies"] += 1
            reply = json.loads(line)
            if not reply["is_last"]:
                continue
            if reply["request"] in self.last_replies:
                self.ledger.counts["answers shown twice"] += 1
                self._allow_revived(reply)
            self.ledger.counts["answers"] += 1
            self.last_replies[reply["request"]] = reply
            self._answered[reply["request"]].set()

    def _allow_revived(self, reply: Mapping[str, Any]) -> None:
        """Allow a removed link to be back if a revived request has added it again."""
        request = self.sent[reply["request"]]
        if request.id not in self.revived or request.command != "index":
            return
        for line in reply.get("lines", ()):
            key = request.caller.space, self.links.index(line["link"])
            if key in self.ledger.removed:
                self.ledger.counts["removed, and perhaps back with Redis"] += 1
                self.ledger.uncertain.add(key)
                self.ledger.record_answer(*key, line)
