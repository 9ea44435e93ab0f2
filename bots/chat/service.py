"""What every chat platform's frontend does alike, once it knows who asks for what, and where the answer goes."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Protocol, TypeAlias

import structlog

from bots.chat.store import Desk, Errand, Shown
from bots.commands import search as core
from bots.commands.client import Client
from bots.commands.registry import COMMANDS
from bots.commands.replies import (
    Card,
    Lesson,
    Outcome,
    Progress,
    Replies,
    Reply,
    Results,
    Search,
    Sentence,
    Shared,
    Work,
)
from bots.i18n.messages import Text
from bots.i18n.translate import say, speaking
from worker.ops.logs import one_incident
from worker.ops.metrics import Metrics
from worker.protocol import messages
from worker.protocol.error_codes import Code
from worker.protocol.messages import Asker, CallFailed, SpaceSettings

Action: TypeAlias = Literal["next", "previous", "like", "inside", "up", "down", "share"]
"""What the buttons under results do; all but the first two to one card."""

EDIT_EVERY_S: Final = 1.0
"""Both platforms stand about one edit of a message a second."""
PICK_UP_EVERY_S: Final = 10.0
PICTURE_COSTS: Final = 5
"""Looking for a picture counts as so many questions: it may be a thousand times as long."""
SETTINGS_WITHIN_S: Final = 1.0
"""A platform wants to hear within three seconds whether the answer will be private."""

log = structlog.get_logger()


class Outlet(Protocol):
    """Where a platform's replies go. Each reply takes the place of the errand's earlier ones of its kind."""

    async def show(self, errand: Errand, reply: Reply) -> None:
        """Draws a reply at `errand.place`; where that is too old to be answered, as a normal message beside it."""
        ...


@dataclass(frozen=True)
class Front:
    """One serves a whole bot process."""

    client: Client
    desk: Desk
    metrics: Metrics = field(default_factory=Metrics, repr=False)
    pick_up_every_s: float = PICK_UP_EVERY_S
    _reading: dict[str, asyncio.Task[SpaceSettings]] = field(default_factory=dict, repr=False)

    async def serve(self, errand: Errand, outlet: Outlet) -> None:
        """Answers an errand to its end. Whatever happens, something is shown; nothing is shown twice.

        If this process dies meanwhile, the next one answers (`picking_up`).
        """
        answers = self.metrics.answering(errand.platform, errand.command)
        with speaking(errand.locale), one_incident(errand.incident), answers as answering:
            try:
                # Held first: a process that is told to end from here on leaves it to the next one.
                async with self.desk.held(errand):
                    if refused := await self._refused(errand):
                        answering.outcome = "refused"
                        await self._show(errand, outlet, refused)
                    else:
                        await self._answer(errand, outlet)
            except CallFailed as error:
                answering.outcome = "failed"
                if not errand.unseen:
                    await self._show(errand, outlet, core.surprised(error))

    @asynccontextmanager
    async def picking_up(self, platform: str, outlet: Outlet) -> AsyncIterator[None]:
        """While inside, errands that other processes left unanswered are answered here."""
        loop = asyncio.create_task(self._pick_up(platform, outlet))
        try:
            yield
        finally:
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop

    async def settings(self, asker: Asker) -> SpaceSettings:
        """What the space has decided; its defaults where that can't be told in time."""
        space = asker.space
        if space not in self._reading:
            # Hundreds who ask at once are all told by one reading.
            self._reading[space] = asyncio.create_task(self._settings(asker))
            self._reading[space].add_done_callback(lambda _: self._reading.pop(space, None))
        return await asyncio.shield(self._reading[space])

    async def _settings(self, asker: Asker) -> SpaceSettings:
        try:
            async with asyncio.timeout(SETTINGS_WITHIN_S):
                if known := await self.desk.settings(asker.space):
                    return known
                found = await self.client.call(messages.ReadSettings(asker=asker))
                await self.desk.keep_settings(asker.space, found)
                return found
        except (CallFailed, TimeoutError):
            return SpaceSettings()

    async def suggest(self, asker: Asker, typed: str, longest: int) -> list[tuple[str, str]]:
        """Titles of videos that may be meant, each with its link, or a word for a link of more than `longest` signs."""
        with suppress(CallFailed):
            found = await core.suggest(self.client, asker, typed)
            return [(title, await self._short(asker.space, link, longest)) for title, link in found]
        return []

    async def _short(self, space: str, link: str, longest: int) -> str:
        if len(link) <= longest:
            return link
        word = f"#{hashlib.sha256(link.encode()).hexdigest()[:32]}"
        await self.desk.note(space, f"link:{word}", link)
        return word

    async def meant(self, space: str, value: str) -> str | None:
        """The link that a value of `suggest` stands for, if any. Raises `CallFailed`."""
        known = await self.desk.noted(space, f"link:{value}") if value.startswith("#") else None
        return known or value or None

    async def opened(self, asker: Asker, token: str, number: int) -> None:
        """Somebody followed the link of a shown moment."""
        with suppress(CallFailed):
            shown = await self.desk.shown(asker.space, token)
            if shown and _seen_by(asker, shown) and number < len(shown.results.cards):
                card = shown.results.cards[number]
                await core.opened(self.client, asker, shown.results.search.queries, card.moment_id)

    # ---- one errand ----

    async def _answer(self, errand: Errand, outlet: Outlet) -> None:
        log.info("errand.begun", command=errand.command, platform=errand.platform)
        async with aclosing(_paced(self._replies(errand))) as replies:
            async for reply in replies:
                if errand.unseen:
                    # It must be done some day, and nobody is there to try again: it is left for the next to pick up.
                    raise CallFailed(Code.QUEUE_UNAVAILABLE, "")
                await self._show(errand, outlet, reply)

    async def _show(self, errand: Errand, outlet: Outlet, reply: Reply) -> None:
        """Where a platform refuses a reply, that is said instead; where it refuses that too, there is the log."""
        try:
            await outlet.show(errand, reply)
        except Exception as error:
            told = core.surprised(error)
            log.warning("show.failed", incident=told.incident, command=errand.command, platform=errand.platform)
            if _passing(reply):
                return
            try:
                await outlet.show(errand, told)
            except Exception:
                log.exception("show.failed_again", incident=told.incident)

    async def _replies(self, errand: Errand) -> Replies:
        try:
            async with aclosing(self._run(errand)) as replies:
                async for reply in replies:
                    if isinstance(reply, Results) and reply.cards:
                        reply = replace(reply, token=await self.desk.keep(errand.asker, reply))
                    yield reply
            if errand.command == "settings":
                await self.desk.forget_settings(errand.asker.space)
        except Exception as error:
            # What one process could not answer, the next could not either.
            yield core.surprised(error)

    def _run(self, errand: Errand) -> Replies:
        match errand.command:
            case "press":
                return self._press(errand.asker, **errand.args)
            case "watch":
                return core.watch(self.client, errand.asker, at=errand.at, **errand.args)
            case "leave":
                return core.leave(self.client, errand.asker, at=errand.at, **errand.args)
        command = COMMANDS[errand.command]
        dated = {"at": errand.at} if command.dated else {}
        return command.run(self.client, errand.asker, **dated, **errand.args)

    async def _refused(self, errand: Errand) -> Sentence | None:
        """What to say to somebody, or a space, that asks too much."""
        if errand.unseen:
            return None
        cost = PICTURE_COSTS if errand.args.get("picture") else max(1, len(errand.args.get("links", ())))
        try:
            seconds = await self.desk.wait_s(errand.asker, cost)
        except CallFailed as error:
            return core.surprised(error)
        return Sentence(say(Text.WAIT, seconds=round(seconds)), ok=False, code=Code.TOO_MANY) if seconds else None

    # ---- buttons ----

    async def _press(self, asker: Asker, token: str, action: Action, number: int = 0) -> Replies:
        shown = await self.desk.shown(asker.space, token)
        if shown is None or not _seen_by(asker, shown):
            yield Sentence(say(Text.TOO_OLD), ok=False)
            return
        async with aclosing(self._pressed(asker, shown, action, number)) as replies:
            async for reply in replies:
                yield reply

    def _pressed(self, asker: Asker, shown: Shown, action: Action, number: int) -> Replies:
        results = shown.results
        if action in ("next", "previous"):
            return core.more(self.client, asker, results.next if action == "next" else results.search.before)
        if number >= len(results.cards):
            return _say(Text.TOO_OLD)
        card, queries = results.cards[number], results.search.queries
        match action:
            case "like":
                return core.more(
                    self.client, asker, Search(like=(f"moment:{card.moment_id}",), limit=results.search.limit)
                )
            case "inside":
                return core.more(self.client, asker, results.search.inside(card.link))
            case "share":
                return self._share(asker, card, queries)
            case _:
                return core.vote(self.client, asker, queries, card.moment_id, "up" if action == "up" else "down")

    async def _share(self, asker: Asker, card: Card, queries: Sequence[str]) -> Replies:
        """The card, and that somebody found it worth sharing."""
        async with aclosing(core.vote(self.client, asker, queries, card.moment_id, "shared")) as noted:
            async for reply in noted:
                if isinstance(reply, Sentence) and not reply.ok:
                    yield reply
                    return
        yield Shared(card, asker.person, ", ".join(queries))

    # ---- what others left ----

    async def _pick_up(self, platform: str, outlet: Outlet) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                with suppress(CallFailed):
                    for errand in await self.desk.abandoned(platform):
                        log.info("errand.picked_up", errand=errand.id, command=errand.command)
                        group.create_task(self._resume(errand, outlet))
                await asyncio.sleep(self.pick_up_every_s)

    async def _resume(self, errand: Errand, outlet: Outlet) -> None:
        if errand.command in COMMANDS and COMMANDS[errand.command].once:
            errand = replace(errand, args={**errand.args, "again": True})
        answers = self.metrics.answering(errand.platform, errand.command)
        with speaking(errand.locale), one_incident(errand.incident), suppress(CallFailed), answers:
            async with self.desk.held(errand):
                await self._answer(errand, outlet)


def _seen_by(asker: Asker, shown: Shown) -> bool:
    """Whoever can press has seen the results; a token from elsewhere is somebody's guess."""
    return shown.room in ("", asker.room)


async def _say(text: Text) -> Replies:
    yield Sentence(say(text), ok=False)


async def _paced(replies: Replies) -> Replies:
    """Progress of all links in one reply, not more often than a message may be edited. The last word is always said."""
    lines: dict[str, Progress | Outcome] = {}
    held: Reply | None = None
    next_s = 0.0
    arrived: asyncio.Queue[Reply | None] = asyncio.Queue()
    reading = asyncio.create_task(_read(replies, arrived))
    try:
        while True:
            try:
                left_s = None if held is None else max(0.0, next_s - time.monotonic())
                reply = await asyncio.wait_for(arrived.get(), left_s)
            except TimeoutError:
                assert held  # noqa: S101  # else there is no time to be up
                next_s = time.monotonic() + EDIT_EVERY_S
                yield held
                held = None
                continue
            if reply is None:
                break
            if isinstance(reply, Progress | Outcome):
                lines[reply.link] = reply
                held = None
                if all(isinstance(line, Outcome) for line in lines.values()):
                    continue  # perhaps the last word; other links may not have been heard of yet
                reply = Work(tuple(lines.values()))
            held = reply if _passing(reply) else None
            if held is None:
                yield reply
        await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    if lines:
        yield Work(tuple(lines.values()), over=True)


async def _read(replies: Replies, arrived: asyncio.Queue[Reply | None]) -> None:
    """None ends what `arrived`."""
    try:
        async with aclosing(replies):
            async for reply in replies:
                arrived.put_nowait(reply)
    finally:
        arrived.put_nowait(None)


def _passing(reply: Reply) -> bool:
    """Whether another reply will take its place."""
    return isinstance(reply, Work | Lesson) and not reply.over
