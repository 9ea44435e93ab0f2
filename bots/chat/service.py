"""Shared request handling of chat frontends: rate limits, dispatch, progress, errors, and recovery after a crash.

A platform's bot turns events into `ChatRequest`s and renders replies in its `Responder`.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import structlog

from bots.chat.background_tasks import AcknowledgementGate, run_periodically
from bots.chat.progress import is_interim, throttle_progress
from bots.chat.requests import ChatRequest, RequestTakenError
from bots.chat.single_flight import SingleFlight
from bots.chat.stores import ChatStores
from bots.chat.uploads import UNREADABLE
from bots.commands import library, search
from bots.commands.client import Client
from bots.commands.errors import error_reply
from bots.commands.registry import COMMANDS
from bots.commands.replies import Replies, Reply, Results, TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from worker.ops.logs import bind_correlation_id
from worker.ops.metrics import AnswerOutcome, Metrics
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.spaces import GetSettings, SpaceSettings

RECOVERY_INTERVAL_S: Final = 10.0
PICTURE_COST: Final = 5
"""A picture or a clip counts as this many requests: encoding it takes up to a thousand times as long as words."""
SETTINGS_TIMEOUT_S: Final = 1.0
"""Both platforms need to know within 3 s whether the answer will be private."""

log = structlog.get_logger()


class Responder(Protocol):
    """Delivers replies on a platform. A reply replaces the request's earlier reply of its kind."""

    async def show(self, request: ChatRequest, reply: Reply) -> None:
        """Show a reply at `request.place`, or as a normal message in the channel if the place has expired."""
        ...


@dataclass(frozen=True)
class ChatService:
    """Answers requests. One instance serves a whole bot process."""

    client: Client
    stores: ChatStores
    metrics: Metrics = field(default_factory=Metrics, repr=False)
    gate: AcknowledgementGate = field(default_factory=AcknowledgementGate, repr=False)
    recovery_interval_s: float = RECOVERY_INTERVAL_S
    _settings_flight: SingleFlight = field(default_factory=SingleFlight, repr=False)

    @contextmanager
    def acknowledging(self, platform: str) -> Iterator[None]:
        """Acknowledge an event in the block: answers wait meanwhile, and its duration is measured."""
        with self.gate.acknowledging(), self.metrics.time_acknowledgement(platform):
            yield

    async def serve(self, request: ChatRequest, responder: Responder) -> None:
        """Answer a request completely, once pending acknowledgements are done. Failures are shown and never raised.

        If this process stops meanwhile, another one answers (`recover_requests`).
        """
        await self.gate.wait_until_quiet()
        metrics = self.metrics.time_answer(request.platform, request.command)
        with use_locale(request.locale), bind_correlation_id(request.correlation_id), metrics as measured:
            try:
                # Acquired before the rate limit is checked: from here on a stopped process leaves it to the next one.
                async with self.stores.requests.acquire(request):
                    if refusal := await self._check_rate_limit(request):
                        measured.outcome = AnswerOutcome.REFUSED
                        await self._show(request, responder, refusal)
                    else:
                        await self._answer(request, responder)
            except CallFailedError as error:
                measured.outcome = AnswerOutcome.FAILED
                if not request.has_no_recipient:
                    await self._show(request, responder, error_reply(error))

    async def show_error(self, request: ChatRequest, responder: Responder, error: CallFailedError) -> None:
        """Log and show why a request failed before it could be served."""
        with use_locale(request.locale), bind_correlation_id(request.correlation_id):
            log.warning("request.failed", correlation_id=error.correlation_id, code=error.code, command=request.command)
            await self._show(request, responder, error_reply(error))

    @asynccontextmanager
    async def recover_requests(self, platform: str, responder: Responder) -> AsyncIterator[None]:
        """Answer the requests that other processes left unanswered, for as long as the block runs."""
        loop = asyncio.create_task(self._recover_periodically(platform, responder))
        try:
            yield
        finally:
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop

    async def settings(self, caller: Caller) -> SpaceSettings:
        """Return the settings of the caller's space, or the defaults if they cannot be read in time."""
        return await self._settings_flight.run(caller.space, lambda: self._read_settings(caller))

    async def _read_settings(self, caller: Caller) -> SpaceSettings:
        try:
            async with asyncio.timeout(SETTINGS_TIMEOUT_S):
                if cached := await self.stores.settings.get_settings(caller.space):
                    return cached
                settings = await self.client.call(GetSettings(caller=caller))
                await self.stores.settings.put_settings(caller.space, settings)
                return settings
        except (CallFailedError, TimeoutError):
            return SpaceSettings()

    # ---- links of suggested videos ----

    async def suggest(self, caller: Caller, typed: str, max_link_chars: int) -> list[tuple[str, str]]:
        """Return titles of videos that match what is typed, each with its link, or a token for a longer link."""
        with suppress(CallFailedError):
            found = await library.suggest_videos(self.client, caller, typed)
            return [(title, await self._shorten_link(caller.space, link, max_link_chars)) for title, link in found]
        return []

    async def _shorten_link(self, space: str, link: str, max_link_chars: int) -> str:
        if len(link) <= max_link_chars:
            return link
        token = f"#{hashlib.sha256(link.encode()).hexdigest()[:32]}"
        await self.stores.notes.set_note(space, f"link:{token}", link)
        return token

    async def resolve_link_token(self, space: str, value: str) -> str | None:
        """Return the link that a value of `suggest` means. Raises `CallFailedError`."""
        link = await self.stores.notes.get_note(space, f"link:{value}") if value.startswith("#") else None
        return link or value or None

    # ---- one request ----

    async def _answer(self, request: ChatRequest, responder: Responder) -> None:
        log.info("request.started", command=request.command, platform=request.platform)
        async with aclosing(throttle_progress(self._run_reporting_errors(request))) as replies:
            async for reply in replies:
                if request.has_no_recipient:
                    # No user can try again, so the request stays in the queue for recovery.
                    raise CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, request.correlation_id)
                await self._show(request, responder, reply)

    async def _show(self, request: ChatRequest, responder: Responder, reply: Reply) -> None:
        """Show a reply. If the platform refuses it, show an error; if it refuses that too, log it."""
        try:
            await responder.show(request, reply)
        except Exception as error:
            refusal = error_reply(error)
            log.warning(
                "reply.refused",
                correlation_id=refusal.correlation_id,
                command=request.command,
                platform=request.platform,
            )
            if is_interim(reply):
                return
            try:
                await responder.show(request, refusal)
            except Exception:
                log.exception("reply.refused_again", correlation_id=refusal.correlation_id)

    async def _run_reporting_errors(self, request: ChatRequest) -> Replies:
        try:
            async with aclosing(self._run(request)) as replies:
                async for reply in replies:
                    if isinstance(reply, Results) and reply.cards:
                        token = await self.stores.results.save_results(request.caller, reply)
                        reply = replace(reply, token=token)
                    yield reply
            if request.command == "settings":
                await self.stores.settings.invalidate_settings(request.caller.space)
        except Exception as error:
            # Answered here and not left for recovery: another process would fail in the same way.
            yield error_reply(error)

    async def _run(self, request: ChatRequest) -> Replies:
        command, args = COMMANDS[request.command], dict(request.args)
        if command.takes_results:
            args["results"] = await self._load_results(request.caller, args.pop("token"))
        if command.takes_timestamp:
            args["at"] = request.asked_at
        async with aclosing(command.run(self.client, request.caller, **args)) as replies:
            async for reply in replies:
                yield reply

    async def _check_rate_limit(self, request: ChatRequest) -> TextReply | None:
        """Return the reply to a caller who exceeds a rate limit, otherwise None."""
        if request.has_no_recipient:
            return None
        has_file = any(request.args.get(type) for type in UNREADABLE)
        cost = PICTURE_COST if has_file else max(_get_cost(request), len(request.args.get("links", ())))
        try:
            retry_after_s = await self.stores.limits.check_rate_limit(request.caller, cost)
        except CallFailedError as error:
            return error_reply(error)
        if retry_after_s is None:
            return None
        text = translate(Msg.WAIT, seconds=round(retry_after_s))
        return TextReply(text, ok=False, code=ErrorCode.TOO_MANY)

    # ---- buttons under results ----

    async def _load_results(self, caller: Caller, token: str) -> Results | None:
        """Return the results of a token, or None if they expired or the caller cannot have seen them."""
        stored = await self.stores.results.load_results(caller.space, token)
        return stored.results if stored and stored.is_visible_to(caller) else None

    async def record_opened(self, caller: Caller, token: str, number: int) -> None:
        """Record that the caller followed the link of a shown moment. Failures are ignored."""
        with suppress(CallFailedError):
            results = await self._load_results(caller, token)
            if results and number < len(results.cards):
                await search.record_opened(self.client, caller, results.search.queries, results.cards[number].moment_id)

    # ---- recovery ----

    async def _recover_periodically(self, platform: str, responder: Responder) -> None:
        async with asyncio.TaskGroup() as group:

            async def recover_stale() -> None:
                with suppress(CallFailedError):
                    for request in await self.stores.requests.claim_stale(platform):
                        log.info("request.recovered", request=request.id, command=request.command)
                        group.create_task(self._recover(request, responder))

            await run_periodically(recover_stale, self.recovery_interval_s)

    async def _recover(self, request: ChatRequest, responder: Responder) -> None:
        if request.command in COMMANDS and COMMANDS[request.command].not_repeatable:
            request = replace(request, args={**request.args, "is_retry": True})
        metrics = self.metrics.time_answer(request.platform, request.command)
        with (
            use_locale(request.locale),
            bind_correlation_id(request.correlation_id),
            suppress(CallFailedError, RequestTakenError),
            metrics,
        ):
            async with self.stores.requests.acquire(request):
                await self._answer(request, responder)


def _get_cost(request: ChatRequest) -> int:
    """Return the number of requests that a call counts as. A button counts as the command that it stands for."""
    command = COMMANDS.get(request.args.get("action", "")) or COMMANDS[request.command]
    return command.cost
