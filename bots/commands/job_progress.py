"""One submitted link, followed from its submission to its outcome."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress

from bots.commands.client import Client
from bots.commands.replies import Outcome, Progress, Reply
from bots.i18n.messages import Text
from bots.i18n.translate import clean, say
from worker.protocol import messages
from worker.protocol.messages import Asker, CallFailed

SILENCE_S = 30.0
LONGEST_SILENCE_S = 600.0

_STAGES: Mapping[str, tuple[Text, float, float]] = {
    "waiting": (Text.QUEUED, 0.0, 0.0),
    "fetch": (Text.FETCHING, 0.0, 0.25),
    "decode": (Text.DECODING, 0.25, 0.25),
    "embed": (Text.EMBEDDING, 0.5, 0.45),
    "store": (Text.STORING, 0.95, 0.05),
}
"""Each stage's words, and where on the whole way it begins and how much of it it takes."""


async def follow(client: Client, submit: messages.Submit, tell: Callable[[Reply], None]) -> Outcome:
    """Submits a link and tells how far its job is, up to what came of it. Raises `CallFailed`."""
    submitted = await client.call(submit)
    if submitted.indexed:
        return _outcome(submitted.link, submitted.indexed)
    if submitted.job_id is None:
        raise ValueError("a submitted link has neither a job nor an outcome")
    last = None
    async for update in _updates(client, submit.asker, submitted.job_id, submitted.video_id):
        if isinstance(update, messages.Progress):
            text, begin, part = _STAGES[update.stage]
            tell(Progress(submitted.link, say(text), begin + part * update.done))
        elif isinstance(update, messages.Indexed | messages.Failed):
            last = update
    if last is None:
        raise ValueError("a job's updates ended without an outcome")
    return _outcome(submitted.link, last)


async def _updates(client: Client, asker: Asker, job_id: str, video_id: str) -> AsyncGenerator[messages.Update, None]:
    """The job's updates. After a long silence the record is asked: news die with a killed worker, or with Redis."""
    standing, silence_s = messages.Standing(asker=asker, video_id=video_id), SILENCE_S
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
            with suppress(CallFailed):
                if ended := (await client.call(standing)).update:
                    yield ended
                    return
    finally:
        heard.cancel()
        await asyncio.gather(heard, return_exceptions=True)


def _outcome(link: str, update: messages.Indexed | messages.Failed) -> Outcome:
    if isinstance(update, messages.Failed):
        return Outcome(link, "failed", say(update.code), code=update.code, incident=update.incident)
    title = clean(update.title) or update.link
    match update.status:
        case "indexed":
            text = say(Text.INDEXED, title=title)
        case "already":
            text = say(Text.ALREADY, title=title)
        case "words_only":
            text = say(Text.WORDS_ONLY, title=title, reason=say(update.code) if update.code else "").strip()
    return Outcome(update.link, update.status, text, update.moments, update.code)
