"""The operator's model server, which describes pictures: one that speaks OpenAI's chat form."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import structlog

from worker.protocol.error_codes import ErrorCode
from worker.settings import Settings

if TYPE_CHECKING:
    from openai import AsyncOpenAI

TIMEOUT_S: Final = 20.0
"""Time limit of an answer. Frontends wait longer."""
MAX_ANSWER_CHARS: Final = 600
MAX_ANSWER_TOKENS: Final = 300
MAX_PICTURES: Final = 8
MAX_PICTURE_BYTES: Final = 1_000_000
MAX_CONCURRENT: Final = 2
"""Answers that a process waits for at once, so that searches keep most of its threads."""

log = structlog.get_logger()


class VisionModelError(Exception):
    """The model server did not answer, or not in a form that can be shown."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class VisionModel:
    """A client of the model server. Thread-safe."""

    def __init__(self, url: str, model: str, key: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._model = model
        self._key = key
        self._timeout_s = timeout_s
        self._slots = threading.BoundedSemaphore(MAX_CONCURRENT)

    @property
    def host(self) -> str:
        """The name of the server."""
        return urlsplit(self._url).hostname or self._url

    def answer(self, instructions: str, material: str, pictures: Sequence[bytes]) -> str:
        """Return the model's answer on one line, at most `MAX_ANSWER_CHARS` long.

        `instructions` are ours. `material` and the pictures (JPEG files) are data, which others wrote and filmed.
        Raises `VisionModelError`.
        """
        if not self._slots.acquire(blocking=False):
            raise VisionModelError(ErrorCode.BUSY, f"{MAX_CONCURRENT} answers are waited for")
        try:
            text = asyncio.run(self._ask(_build_messages(instructions, material, pictures)))
        finally:
            self._slots.release()
        answer = " ".join(text.split())
        if not answer:
            raise VisionModelError(ErrorCode.VISION_FAILED, "the answer is empty")
        return answer if len(answer) <= MAX_ANSWER_CHARS else f"{answer[: MAX_ANSWER_CHARS - 1]}…"

    async def _ask(self, messages: Sequence[dict[str, Any]]) -> str:
        import openai

        try:
            async with (
                asyncio.timeout(self._timeout_s),
                openai.AsyncOpenAI(
                    base_url=self._url, api_key=self._key or "none", timeout=self._timeout_s, max_retries=0
                ) as client,
            ):
                return await self._read(client, messages)
        except (TimeoutError, openai.APITimeoutError) as error:
            raise VisionModelError(ErrorCode.VISION_TIMED_OUT, f"no answer within {self._timeout_s:g} s") from error
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.RateLimitError) as error:
            raise VisionModelError(ErrorCode.VISION_REFUSED, str(error)) from error
        except (openai.OpenAIError, ValueError) as error:
            raise VisionModelError(ErrorCode.VISION_FAILED, str(error)) from error

    async def _read(self, client: AsyncOpenAI, messages: Sequence[Any]) -> str:
        """Read the answer as it comes, until it is complete or long enough."""
        stream = await client.chat.completions.create(
            model=self._model, messages=list(messages), max_tokens=MAX_ANSWER_TOKENS, temperature=0, stream=True
        )
        text = ""
        async with stream:
            async for chunk in stream:
                for choice in chunk.choices[:1]:
                    if choice.delta.refusal or choice.finish_reason == "content_filter":
                        raise VisionModelError(ErrorCode.VISION_REFUSED, "the model refuses to answer")
                    text += choice.delta.content or ""
                if len(text) > MAX_ANSWER_CHARS:
                    break
        return text


def open_vision_model(settings: Settings) -> VisionModel | None:
    """Return the client of the model server that the settings name, or None if they name none."""
    if settings.vlm_url is None or settings.vlm_model is None:
        return None
    key = settings.vlm_key.get_secret_value() if settings.vlm_key else None
    return VisionModel(settings.vlm_url, settings.vlm_model, key)


def _build_messages(instructions: str, material: str, pictures: Sequence[bytes]) -> list[dict[str, Any]]:
    small = [picture for picture in pictures if len(picture) <= MAX_PICTURE_BYTES][:MAX_PICTURES]
    urls = [f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}" for picture in small]
    content: list[dict[str, Any]] = [{"type": "text", "text": material}]
    content += [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"role": "system", "content": instructions}, {"role": "user", "content": content}]
