"""Pictures of moments as files of Slack: our own addresses it can't reach, and another site's may vanish."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bots.chat.background_tasks import BackgroundTasks
from bots.chat.store import ChatStore
from bots.commands.client import Client
from worker.protocol.messages import CallFailedError

WITHIN_S: Final = 4.0
"""Slack looks a new file over for a second or two before a message may show it. An answer waits no longer than this."""
LOOKS_EVERY_S: Final = 0.5
LOOKS: Final = 40
AT_ONCE: Final = 10
KEEP_S: Final = 30 * 86400

log = structlog.get_logger()


class Pictures:
    """One serves a whole bot process; each picture is sent to each workspace once."""

    def __init__(self, client: Client, chat_store: ChatStore, tasks: BackgroundTasks) -> None:
        self._client = client
        self._desk = chat_store
        self._tasks = tasks
        self._sending: dict[tuple[str, str], asyncio.Task[str | None]] = {}
        self._few = asyncio.Semaphore(AT_ONCE)

    async def of(self, web: AsyncWebClient, team: str, wanted: Mapping[str, str]) -> dict[str, str]:
        """Ids of Slack's files by our keys; `wanted` has the alt texts. What isn't ready in time is not there."""
        sending = {key: self._sent(web, team, key, alt) for key, alt in wanted.items()}
        if sending:
            await asyncio.wait(sending.values(), timeout=WITHIN_S)
        return {key: id for key, task in sending.items() if task.done() and (id := task.result())}

    async def forget(self, team: str, wanted: Mapping[str, str]) -> None:
        """Slack no longer takes the files it had of these: they are sent anew next time."""
        with suppress(CallFailedError):
            for key in wanted:
                await self._desk.note(f"slack:{team}", _note(key), "", seconds=1)

    def _sent(self, web: AsyncWebClient, team: str, key: str, alt: str) -> asyncio.Task[str | None]:
        wanted = (team, key)
        if wanted not in self._sending:
            task = self._tasks.start(self._send(web, team, key, alt))
            self._sending[wanted] = task
            task.add_done_callback(lambda _: self._sending.pop(wanted, None))
        return self._sending[wanted]

    async def _send(self, web: AsyncWebClient, team: str, key: str, alt: str) -> str | None:
        try:
            if known := await self._desk.noted(f"slack:{team}", _note(key)):
                return known
            async with self._few:
                id = await self._upload(web, key, alt)
            if id:
                await self._desk.note(f"slack:{team}", _note(key), id, seconds=KEEP_S)
        except Exception as error:
            # Whatever is wrong with a picture, the card is worth more.
            log.warning("picture.failed", key=key, error=error)
            return None
        return id

    async def _upload(self, web: AsyncWebClient, key: str, alt: str) -> str | None:
        content = await self._client.thumbnail(key)
        name = "picture.png" if content.startswith(b"\x89PNG") else "picture.jpg"
        sent = await web.files_upload_v2(content=content, filename=name, title=alt[:100], alt_txt=alt[:1000])
        id: str = sent["files"][0]["id"]
        for _ in range(LOOKS):
            # Until Slack has read the file, blocks with it are refused; that it knows the type says that it has.
            if (await web.files_info(file=id))["file"].get("mimetype"):
                return id
            await asyncio.sleep(LOOKS_EVERY_S)
        log.warning("picture.not_ready", key=key, file=id)
        return None


def _note(key: str) -> str:
    return f"file:{key}"
