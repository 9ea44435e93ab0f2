"""What every chat platform's frontend does alike, once it knows who asks for what, and where the answer goes."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Protocol, TypeAlias

import structlog

from bots.chat.store import ChatRequest, ChatStore, StoredResults
from bots.commands import search as core
from bots.commands.client import Client
from bots.commands.registry import COMMANDS
from bots.commands.replies import (
    Card,
    IndexingProgress,
    LinkOutcome,
    LinkProgress,
    Replies,
    Reply,
    Results,
    Search,
    Shared,
    TextReply,
    TrainingProgress,
)
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from worker.ops.logs import bind_correlation_id
from worker.ops.metrics import Metrics
from worker.protocol import messages
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller, CallFailedError, SpaceSettings

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


class Responder(Protocol):
    """Where a platform's replies go. Each reply takes the place of the errand's earlier ones of its kind."""

    async def show(self, request: ChatRequest, reply: Reply) -> None:
        """Draws a reply at `request.place`; where that is too old to be answered, as a normal message beside it."""
        ...


@dataclass(frozen=True)
class ChatService:
    """One serves a whole bot process."""

    client: Client
    chat_store: ChatStore
    metrics: Metrics = field(default_factory=Metrics, repr=False)
    pick_up_every_s: float = PICK_UP_EVERY_S
    _reading: dict[str, asyncio.Task[SpaceSettings]] = field(default_factory=dict, repr=False)

    async def serve(self, request: ChatRequest, responder: Responder) -> None:
        """Answers an errand to its end. Whatever happens, something is shown; nothing is shown twice.

        If this process dies meanwhile, the next one answers (`picking_up`).
        """
        answers = self.metrics.answering(request.platform, request.command)
        with use_locale(request.locale), bind_correlation_id(request.correlation_id), answers as answering:
            try:
                # Held first: a process that is told to end from here on leaves it to the next one.
                async with self.chat_store.held(request):
                    if refused := await self._refused(request):
                        answering.outcome = "refused"
                        await self._show(request, responder, refused)
                    else:
                        await self._answer(request, responder)
            except CallFailedError as error:
                answering.outcome = "failed"
                if not request.unseen:
                    await self._show(request, responder, core.surprised(error))

    @asynccontextmanager
    async def picking_up(self, platform: str, responder: Responder) -> AsyncIterator[None]:
        """While inside, errands that other processes left unanswered are answered here."""
        loop = asyncio.create_task(self._pick_up(platform, responder))
        try:
            yield
        finally:
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop

    async def settings(self, caller: Caller) -> SpaceSettings:
        """What the space has decided; its defaults where that can't be told in time."""
        space = caller.space
        if space not in self._reading:
            # Hundreds who ask at once are all told by one reading.
            self._reading[space] = asyncio.create_task(self._settings(caller))
            self._reading[space].add_done_callback(lambda _: self._reading.pop(space, None))
        return await asyncio.shield(self._reading[space])

    async def _settings(self, caller: Caller) -> SpaceSettings:
        try:
            async with asyncio.timeout(SETTINGS_WITHIN_S):
                if known := await self.chat_store.settings(caller.space):
                    return known
                found = await self.client.call(messages.GetSettings(caller=caller))
                await self.chat_store.keep_settings(caller.space, found)
                return found
        except (CallFailedError, TimeoutError):
            return SpaceSettings()

    async def suggest(self, caller: Caller, typed: str, longest: int) -> list[tuple[str, str]]:
        """Titles of videos that may be meant, each with its link, or a word for a link of more than `longest` signs."""
        with suppress(CallFailedError):
            found = await core.suggest(self.client, caller, typed)
            return [(title, await self._short(caller.space, link, longest)) for title, link in found]
        return []

    async def _short(self, space: str, link: str, longest: int) -> str:
        if len(link) <= longest:
            return link
        word = f"#{hashlib.sha256(link.encode()).hexdigest()[:32]}"
        await self.chat_store.note(space, f"link:{word}", link)
        return word

    async def meant(self, space: str, value: str) -> str | None:
        """The link that a value of `suggest` stands for, if any. Raises `CallFailedError`."""
        known = await self.chat_store.noted(space, f"link:{value}") if value.startswith("#") else None
        return known or value or None

    async def opened(self, caller: Caller, token: str, number: int) -> None:
        """Somebody followed the link of a shown moment."""
        with suppress(CallFailedError):
            shown = await self.chat_store.shown(caller.space, token)
            if shown and _seen_by(caller, shown) and number < len(shown.results.cards):
                card = shown.results.cards[number]
                await core.opened(self.client, caller, shown.results.search.queries, card.moment_id)

    # ---- one errand ----

    async def _answer(self, request: ChatRequest, responder: Responder) -> None:
        log.info("errand.begun", command=request.command, platform=request.platform)
        async with aclosing(_paced(self._replies(request))) as replies:
            async for reply in replies:
                if request.unseen:
                    # It must be done some day, and nobody is there to try again: it is left for the next to pick up.
                    raise CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, "")
                await self._show(request, responder, reply)

    async def _show(self, request: ChatRequest, responder: Responder, reply: Reply) -> None:
        """Where a platform refuses a reply, that is said instead; where it refuses that too, there is the log."""
        try:
            await responder.show(request, reply)
        except Exception as error:
            told = core.surprised(error)
            log.warning(
                "show.failed", correlation_id=told.correlation_id, command=request.command, platform=request.platform
            )
            if _passing(reply):
                return
            try:
                await responder.show(request, told)
            except Exception:
                log.exception("show.failed_again", correlation_id=told.correlation_id)

    async def _replies(self, request: ChatRequest) -> Replies:
        try:
            async with aclosing(self._run(request)) as replies:
                async for reply in replies:
                    if isinstance(reply, Results) and reply.cards:
                        reply = replace(reply, token=await self.chat_store.keep(request.caller, reply))
                    yield reply
            if request.command == "settings":
                await self.chat_store.forget_settings(request.caller.space)
        except Exception as error:
            # What one process could not answer, the next could not either.
            yield core.surprised(error)

    def _run(self, request: ChatRequest) -> Replies:
        match request.command:
            case "press":
                return self._press(request.caller, **request.args)
            case "watch":
                return core.watch(self.client, request.caller, at=request.at, **request.args)
            case "leave":
                return core.leave(self.client, request.caller, at=request.at, **request.args)
        command = COMMANDS[request.command]
        dated = {"at": request.at} if command.dated else {}
        return command.run(self.client, request.caller, **dated, **request.args)

    async def _refused(self, request: ChatRequest) -> TextReply | None:
        """What to say to somebody, or a space, that asks too much."""
        if request.unseen:
            return None
        cost = PICTURE_COSTS if request.args.get("picture") else max(1, len(request.args.get("links", ())))
        try:
            seconds = await self.chat_store.wait_s(request.caller, cost)
        except CallFailedError as error:
            return core.surprised(error)
        return (
            TextReply(translate(Msg.WAIT, seconds=round(seconds)), ok=False, code=ErrorCode.TOO_MANY)
            if seconds
            else None
        )

    # ---- buttons ----

    async def _press(self, caller: Caller, token: str, action: Action, number: int = 0) -> Replies:
        shown = await self.chat_store.shown(caller.space, token)
        if shown is None or not _seen_by(caller, shown):
            yield TextReply(translate(Msg.TOO_OLD), ok=False)
            return
        async with aclosing(self._pressed(caller, shown, action, number)) as replies:
            async for reply in replies:
                yield reply

    def _pressed(self, caller: Caller, shown: StoredResults, action: Action, number: int) -> Replies:
        results = shown.results
        if action in ("next", "previous"):
            return core.more(self.client, caller, results.next if action == "next" else results.search.before)
        if number >= len(results.cards):
            return _say(Msg.TOO_OLD)
        card, queries = results.cards[number], results.search.queries
        match action:
            case "like":
                return core.more(
                    self.client, caller, Search(like=(f"moment:{card.moment_id}",), limit=results.search.limit)
                )
            case "inside":
                return core.more(self.client, caller, results.search.inside(card.link))
            case "share":
                return self._share(caller, card, queries)
            case _:
                return core.vote(self.client, caller, queries, card.moment_id, "up" if action == "up" else "down")

    async def _share(self, caller: Caller, card: Card, queries: Sequence[str]) -> Replies:
        """The card, and that somebody found it worth sharing."""
        async with aclosing(core.vote(self.client, caller, queries, card.moment_id, "shared")) as noted:
            async for reply in noted:
                if isinstance(reply, TextReply) and not reply.ok:
                    yield reply
                    return
        yield Shared(card, caller.user_id, ", ".join(queries))

    # ---- what others left ----

    async def _pick_up(self, platform: str, responder: Responder) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                with suppress(CallFailedError):
                    for request in await self.chat_store.abandoned(platform):
                        log.info("errand.picked_up", request=request.id, command=request.command)
                        group.create_task(self._resume(request, responder))
                await asyncio.sleep(self.pick_up_every_s)

    async def _resume(self, request: ChatRequest, responder: Responder) -> None:
        if request.command in COMMANDS and COMMANDS[request.command].once:
            request = replace(request, args={**request.args, "again": True})
        answers = self.metrics.answering(request.platform, request.command)
        with (
            use_locale(request.locale),
            bind_correlation_id(request.correlation_id),
            suppress(CallFailedError),
            answers,
        ):
            async with self.chat_store.held(request):
                await self._answer(request, responder)


def _seen_by(caller: Caller, shown: StoredResults) -> bool:
    """Whoever can press has seen the results; a token from elsewhere is somebody's guess."""
    return shown.private_channel in ("", caller.private_channel)


async def _say(text: Msg) -> Replies:
    yield TextReply(translate(text), ok=False)


async def _paced(replies: Replies) -> Replies:
    """Progress of all links in one reply, not more often than a message may be edited. The last word is always said."""
    lines: dict[str, LinkProgress | LinkOutcome] = {}
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
            if isinstance(reply, LinkProgress | LinkOutcome):
                lines[reply.link] = reply
                held = None
                if all(isinstance(line, LinkOutcome) for line in lines.values()):
                    continue  # perhaps the last word; other links may not have been heard of yet
                reply = IndexingProgress(tuple(lines.values()))
            held = reply if _passing(reply) else None
            if held is None:
                yield reply
        await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    if lines:
        yield IndexingProgress(tuple(lines.values()), over=True)


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
    return isinstance(reply, IndexingProgress | TrainingProgress) and not reply.over
