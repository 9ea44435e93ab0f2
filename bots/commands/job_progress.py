"""Progress of one submitted link, from its submission to its outcome."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from typing import Final

from bots.commands.client import Client
from bots.commands.replies import LinkOutcome, LinkProgress, LinkStatus, Reply
from bots.i18n.messages import Msg
from bots.i18n.translate import clean_text, translate
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.library import GetVideoStatus, Submit
from worker.protocol.updates import Indexed, IndexOutcome, IndexProgress, IndexStage, JobFailed, Joined, Update

SILENCE_S = 30.0
"""Seconds without an update after which the video's status is requested. Doubles while the job stays silent."""
MAX_SILENCE_S: Final = 600.0

_STAGES: Final[Mapping[IndexStage, tuple[Msg, float, float]]] = {
    IndexStage.WAITING: (Msg.QUEUED, 0.0, 0.0),
    IndexStage.FETCH: (Msg.FETCHING, 0.0, 0.25),
    IndexStage.DECODE: (Msg.DECODING, 0.25, 0.25),
    IndexStage.EMBED: (Msg.EMBEDDING, 0.5, 0.45),
    IndexStage.STORE: (Msg.STORING, 0.95, 0.05),
}
"""The name of each stage, the share of the job that is done when it begins, and its own share of the job."""


async def index_and_follow(client: Client, request: Submit, report: Callable[[Reply], None]) -> LinkOutcome:
    """Submit a link, report the progress of its job and return its outcome. Raises `CallFailedError`."""
    submitted = await client.call(request)
    if submitted.indexed:
        return _make_link_outcome(submitted.link, submitted.indexed)
    if submitted.job_id is None:
        raise ValueError("a submitted link has neither a job nor an outcome")
    outcome = None
    async for update in _follow_job(client, request.caller, submitted.job_id, submitted.video_id):
        if isinstance(update, IndexProgress):
            name, begin, share = _STAGES[update.stage]
            report(LinkProgress(submitted.link, translate(name), begin + share * update.done))
        elif isinstance(update, Indexed | Joined | JobFailed):
            outcome = update
    if isinstance(outcome, Joined):
        return await index_and_follow(client, request.model_copy(update={"link": outcome.link}), report)
    if outcome is None:
        raise ValueError("a job's updates ended without an outcome")
    return _make_link_outcome(submitted.link, outcome)


async def _follow_job(client: Client, caller: Caller, job_id: str, video_id: str) -> AsyncGenerator[Update, None]:
    """Yield the job's updates.

    If the job stays silent, its outcome is read from the record instead: an update is lost if the worker is killed or
    Redis restarts. A status request that fails is repeated after the next, twice as long, silence.
    """
    updates = client.follow(job_id)
    next_update = asyncio.ensure_future(anext(updates, None))
    silence_s = SILENCE_S
    try:
        while True:
            await asyncio.wait({next_update}, timeout=silence_s)
            if next_update.done():
                if (update := next_update.result()) is None:
                    return
                yield update
                next_update = asyncio.ensure_future(anext(updates, None))
                silence_s = SILENCE_S
                continue
            silence_s = min(2 * silence_s, MAX_SILENCE_S)
            with suppress(CallFailedError):
                status = await client.call(GetVideoStatus(caller=caller, video_id=video_id))
                if status.update:
                    yield status.update
                    return
    finally:
        next_update.cancel()
        await asyncio.gather(next_update, return_exceptions=True)


def _make_link_outcome(link: str, update: Indexed | JobFailed) -> LinkOutcome:
    if isinstance(update, JobFailed):
        return LinkOutcome(
            link,
            LinkStatus.FAILED,
            translate(update.code),
            code=update.code,
            correlation_id=update.correlation_id,
        )
    title = clean_text(update.title) or update.link
    match update.status:
        case IndexOutcome.INDEXED:
            text = translate(Msg.INDEXED, title=title)
        case IndexOutcome.ALREADY:
            text = translate(Msg.ALREADY, title=title)
        case IndexOutcome.WORDS_ONLY:
            reason = translate(update.code) if update.code else ""
            text = translate(Msg.WORDS_ONLY, title=title, reason=reason).strip()
    if update.is_first_of_several:
        text = f"{text} {translate(Msg.FIRST_OF_SEVERAL)}"
    return LinkOutcome(update.link, LinkStatus(update.status), text, update.moments, update.code)
