"""Pictures uploaded to Slack: it cannot reach our own addresses, and pictures of other sites can disappear."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bots.chat.background_tasks import BackgroundTasks
from bots.chat.notes import NoteStore
from bots.chat.single_flight import SingleFlight
from bots.commands.client import Client
from worker.protocol.base import CallFailedError

UPLOAD_TIMEOUT_S: Final = 4.0
"""How long an answer waits for its pictures. Slack processes a new file for a second or two before it can be shown."""
POLL_INTERVAL_S: Final = 0.5
MAX_POLLS: Final = 40
CONCURRENT_UPLOADS: Final = 10
FILE_ID_TTL_S: Final = 30 * 86400

log = structlog.get_logger()


class ThumbnailUploader:
    """Uploads each picture to each workspace once. One instance serves a whole bot process."""

    def __init__(self, client: Client, notes: NoteStore, tasks: BackgroundTasks) -> None:
        self._client = client
        self._notes = notes
        self._flight = SingleFlight(tasks.start)
        self._semaphore = asyncio.Semaphore(CONCURRENT_UPLOADS)

    async def upload(self, web: AsyncWebClient, team: str, alt_texts: Mapping[str, str]) -> dict[str, str]:
        """Upload pictures, given by key with their alt texts. Returns Slack's file ids by key.

        A picture that is not ready within `UPLOAD_TIMEOUT_S` is left out; its upload goes on for the next answer.
        """
        uploads = {key: self._start_upload(web, team, key, alt) for key, alt in alt_texts.items()}
        if uploads:
            await asyncio.wait(uploads.values(), timeout=UPLOAD_TIMEOUT_S)
        return {key: file_id for key, task in uploads.items() if task.done() and (file_id := task.result())}

    async def forget(self, team: str, keys: Mapping[str, str]) -> None:
        """Drop the file ids of pictures that Slack refuses, so that they are uploaded again."""
        with suppress(CallFailedError):
            for key in keys:
                await self._notes.delete_note(f"slack:{team}", _note_key(key))

    def _start_upload(self, web: AsyncWebClient, team: str, key: str, alt: str) -> asyncio.Task[str | None]:
        return self._flight.start((team, key), lambda: self._upload_once(web, team, key, alt))

    async def _upload_once(self, web: AsyncWebClient, team: str, key: str, alt: str) -> str | None:
        try:
            if file_id := await self._notes.get_note(f"slack:{team}", _note_key(key)):
                return file_id
            async with self._semaphore:
                file_id = await self._upload(web, key, alt)
            if file_id:
                await self._notes.set_note(f"slack:{team}", _note_key(key), file_id, FILE_ID_TTL_S)
        except Exception as error:
            # A card without its picture is better than no answer.
            log.warning("thumbnail.upload_failed", key=key, error=error)
            return None
        return file_id

    async def _upload(self, web: AsyncWebClient, key: str, alt: str) -> str | None:
        content = await self._client.thumbnail(key)
        name = "picture.png" if content.startswith(b"\x89PNG") else "picture.jpg"
        response = await web.files_upload_v2(content=content, filename=name, title=alt[:100], alt_txt=alt[:1000])
        file_id: str = response["files"][0]["id"]
        for _ in range(MAX_POLLS):
            # Slack refuses blocks with a file that it has not processed. A processed file has a type.
            if (await web.files_info(file=file_id))["file"].get("mimetype"):
                return file_id
            await asyncio.sleep(POLL_INTERVAL_S)
        log.warning("thumbnail.not_processed", key=key, file=file_id)
        return None


def _note_key(key: str) -> str:
    return f"file:{key}"
