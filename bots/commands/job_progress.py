"""One submitted link, followed from its submission to its outcome."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress

from bots.commands.client import Client
from bots.commands.replies import LinkOutcome, LinkProgress, Reply
from bots.i18n.messages import Msg
from bots.i18n.translate import clean, translate
from worker.protocol import messages
from worker.protocol.messages import Caller, CallFailedError

SILENCE_S = 30.0
LONGEST_SILENCE_S = 600.0

_STAGES: Mapping[str, tuple[Msg, float, float]] = {
    "waiting": (Msg.QUEUED, 0.0, 0.0),
    "fetch": (Msg.FETCHING, 0.0, 0.25),
    "decode": (Msg.DECODING, 0.25, 0.25),
    "embed": (Msg.EMBEDDING, 0.5, 0.45),
    "store": (Msg.STORING, 0.95, 0.05),
}
"""Each stage's words, and where on the whole way it begins and how much of it it takes."""


async def follow(client: Client, submit: messages.Submit, tell: Callable[[Reply], None]) -> LinkOutcome:
    """Submits a link and tells how far its job is, up to what came of it. Raises `CallFailedError`."""
    submitted = await client.call(submit)
    if submitted.indexed:
        return _outcome(submitted.link, submitted.indexed)
    if submitted.job_id is None:
        raise ValueError("a submitted link has neither a job nor an outcome")
    last = None
    async for update in _updates(client, submit.caller, submitted.job_id, submitted.video_id):
        if isinstance(update, messages.IndexProgress):
            text, begin, part = _STAGES[update.stage]
            tell(LinkProgress(submitted.link, translate(text), begin + part * update.done))
        elif isinstance(update, messages.Indexed | messages.JobFailed):
            last = update
    if last is None:
        raise ValueError("a job's updates ended without an outcome")
    return _outcome(submitted.link, last)


async def _updates(client: Client, caller: Caller, job_id: str, video_id: str) -> AsyncGenerator[messages.Update, None]:
    """The job's updates. After a long silence the record is asked: news die with a killed worker, or with Redis."""
    standing, silence_s = messages.GetVideoStatus(caller=caller, video_id=video_id), SILENCE_S
    following = client.follow(job_id)
    heard = asyncio.ensure_future(anext(following, None))
    try:
        while True:
            await asyncio.wait({heard}, timeout=silence_s)
            if heard.done():
                if (update := heard.result()) is None:
                    return
                yield update
                heard, silence_s = asyncio.ensure_future(anext(following, None)), SILENCE_S
                continue
            silence_s = min(2 * silence_s, LONGEST_SILENCE_S)
            with suppress(CallFailedError):
                if ended := (await client.call(standing)).update:
                    yield ended
                    return
    finally:
        heard.cancel()
        await asyncio.gather(heard, return_exceptions=True)


def _outcome(link: str, update: messages.Indexed | messages.JobFailed) -> LinkOutcome:
    if isinstance(update, messages.JobFailed):
        return LinkOutcome(
            link, "failed", translate(update.code), code=update.code, correlation_id=update.correlation_id
        )
    title = clean(update.title) or update.link
    match update.status:
        case "indexed":
            text = translate(Msg.INDEXED, title=title)
        case "already":
            text = translate(Msg.ALREADY, title=title)
        case "words_only":
            text = translate(Msg.WORDS_ONLY, title=title, reason=translate(update.code) if update.code else "").strip()
    return LinkOutcome(update.link, update.status, text, update.moments, update.code)
