"""Progress of one submitted link, from its submission to its outcome."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from functools import partial
from typing import Final

from bots.commands.client import Client
from bots.commands.replies import LinkOutcome, LinkProgress, LinkStatus, Reply
from bots.i18n.messages import Msg
from bots.i18n.translate import clean_text, translate
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Enrich, GetVideoStatus, Submit, Submitted
from worker.protocol.updates import (
    Indexed,
    IndexOutcome,
    IndexProgress,
    IndexStage,
    JobFailed,
    Joined,
    Sense,
    Update,
)

SILENCE_S: Final = 30.0
"""Seconds without an update after which the video's status is requested. Doubles while the job stays silent."""
MAX_SILENCE_S: Final = 600.0

_STAGES: Final[Mapping[IndexStage, tuple[Msg, float, float]]] = {
    IndexStage.WAITING: (Msg.QUEUED, 0.0, 0.0),
    IndexStage.FETCH: (Msg.FETCHING, 0.0, 0.25),
    IndexStage.DECODE: (Msg.DECODING, 0.25, 0.25),
    IndexStage.EMBED: (Msg.EMBEDDING, 0.5, 0.45),
    IndexStage.STORE: (Msg.STORING, 0.95, 0.05),
    IndexStage.LISTEN: (Msg.LISTENING_TO_SPEECH, 0.0, 0.6),
    IndexStage.READ: (Msg.READING_TEXT, 0.6, 0.3),
    IndexStage.TAG: (Msg.RECOGNIZING_SOUNDS, 0.9, 0.1),
}
"""The name of each stage, the share of its job that is done when it begins, and its own share of the job.

The last three are those of the enrich job, which follows the index job.
"""
_FAILED_SENSES: Final[Mapping[Sense, Msg]] = {
    Sense.SAID: Msg.SPEECH_FAILED,
    Sense.SHOWN: Msg.TEXT_FAILED,
    Sense.HEARD: Msg.SOUNDS_FAILED,
}


async def index_and_follow(
    client: Client, request: Submit | Enrich, report: Callable[[Reply], None], *, silence_s: float = SILENCE_S
) -> LinkOutcome:
    """Submit a link, report the progress of its jobs and return its outcome. Raises `CallFailedError`.

    The index job makes the video searchable, and the enrich job after it recognizes speech, text and sounds.
    """
    follow = partial(_follow_to_end, client, request.caller, silence_s)
    submitted = await client.call(request)
    outcome: Indexed | Joined | JobFailed | None = submitted.indexed
    if outcome is None:
        if submitted.job_id is None:
            raise ValueError("a submitted link has neither a job nor an outcome")
        outcome = await follow(submitted, submitted.job_id, report)
    if isinstance(outcome, Joined):
        other = request.model_copy(update={"link": outcome.link})
        return await index_and_follow(client, other, report, silence_s=silence_s)
    if isinstance(outcome, Indexed) and outcome.enrich_job:
        report(LinkProgress(submitted.link, translate(Msg.STILL_LISTENING), 0.0, is_added=True))
        status = outcome.status
        outcome = await follow(submitted, outcome.enrich_job, report)
        if isinstance(outcome, Indexed):
            outcome = outcome.model_copy(update={"status": status})
    if isinstance(outcome, Joined):
        raise TypeError("an enrich job does not join videos")
    return _make_link_outcome(submitted.link, outcome)


async def _follow_to_end(
    client: Client,
    caller: Caller,
    silence_s: float,
    submitted: Submitted,
    job_id: str,
    report: Callable[[Reply], None],
) -> Indexed | Joined | JobFailed:
    """Report the progress of a job and return how it ended.

    The result of an earlier attempt may be stored late. So the record is read after a failure: if it says that the
    video still waits, the job is followed once more.
    """
    outcome = await _report_to_end(client, caller, silence_s, submitted, job_id, report)
    if not isinstance(outcome, JobFailed):
        return outcome
    try:
        recorded = await _read_outcome(client, caller, job_id, submitted.video_id)
    except CallFailedError:
        return outcome
    if recorded is None:
        return await _report_to_end(client, caller, silence_s, submitted, job_id, report)
    is_same = isinstance(recorded, JobFailed) and recorded.code == outcome.code
    return outcome if is_same else recorded  # Only the job's own outcome has the correlation id of its log lines.


async def _report_to_end(
    client: Client,
    caller: Caller,
    silence_s: float,
    submitted: Submitted,
    job_id: str,
    report: Callable[[Reply], None],
) -> Indexed | Joined | JobFailed:
    """Report the updates of a job and return the last one."""
    is_added = submitted.job_id != job_id
    async with aclosing(_follow_job(client, caller, job_id, submitted.video_id, silence_s)) as updates:
        async for update in updates:
            if isinstance(update, IndexProgress):
                report(_make_progress(submitted.link, update, is_added))
            elif isinstance(update, Indexed | Joined | JobFailed):
                return update
    raise ValueError("a job's updates ended without an outcome")


def _make_progress(link: str, update: IndexProgress, is_added: bool) -> LinkProgress:
    name, begin, share = _STAGES[update.stage]
    if is_added and update.stage is IndexStage.WAITING:
        name = Msg.STILL_LISTENING
    return LinkProgress(link, translate(name), begin + share * update.done, is_added)


async def _follow_job(
    client: Client, caller: Caller, job_id: str, video_id: str, first_silence_s: float
) -> AsyncGenerator[Update, None]:
    """Yield the job's updates.

    If the job stays silent, its outcome is read from the record instead: an update is lost if the worker is killed or
    Redis restarts. A status request that fails is repeated after the next, twice as long, silence.
    """
    updates = client.follow(job_id)
    next_update = asyncio.ensure_future(anext(updates, None))
    silence_s = first_silence_s
    try:
        while True:
            await asyncio.wait({next_update}, timeout=silence_s)
            if next_update.done():
                if (update := next_update.result()) is None:
                    return
                yield update
                next_update = asyncio.ensure_future(anext(updates, None))
                silence_s = first_silence_s
                continue
            silence_s = min(2 * silence_s, MAX_SILENCE_S)
            with suppress(CallFailedError):
                recorded = await _read_outcome(client, caller, job_id, video_id)
                if recorded is not None:
                    yield recorded
                    return
    finally:
        next_update.cancel()
        await asyncio.gather(next_update, return_exceptions=True)


async def _read_outcome(
    client: Client, caller: Caller, job_id: str, video_id: str
) -> Indexed | Joined | JobFailed | None:
    """Return how a job ended according to the record, or None if it has not. Raises `CallFailedError`."""
    update = (await client.call(GetVideoStatus(caller=caller, video_id=video_id))).update
    is_listening = isinstance(update, Indexed) and update.enrich_job == job_id
    return None if is_listening else update


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
    text = " ".join([text, *describe_failed_senses(update.failed_senses)])
    return LinkOutcome(
        update.link,
        LinkStatus(update.status),
        text,
        update.moments,
        update.code,
        is_first_of_several=update.is_first_of_several,
    )


def describe_failed_senses(failed: Mapping[Sense, ErrorCode]) -> list[str]:
    """Return a sentence for each sense that could not be recognized in a video, with the reason."""
    return [translate(_FAILED_SENSES[sense], reason=translate(code)) for sense, code in failed.items()]
