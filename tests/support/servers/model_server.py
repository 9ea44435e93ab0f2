"""A model server in OpenAI's chat form, whose behaviour a test chooses."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import web

from tests.support.loop_thread import enter_in_thread
from tests.support.servers.app_server import serve_app


class Behaviour(StrEnum):
    """How the server answers."""

    ANSWER = "answer"
    HANG = "hang"
    """Accept the request, and never answer."""
    DRIP = "drip"
    """Send one piece after the other without an end."""
    BREAK_OFF = "break off"
    """Close the connection in the middle of the answer."""
    NO_JSON = "no json"
    PLAIN_JSON = "plain json"
    """Answer as if no stream was asked for."""
    FAIL = "fail"
    """Answer with status 500."""
    FORBID = "forbid"
    """Answer with status 401."""
    REFUSE = "refuse"
    FILTER = "filter"


@dataclass
class ModelServer:
    """A running server and the requests that it got."""

    url: str = ""
    text: str = "A dog runs in snow. It is happy."
    behaviour: Behaviour = Behaviour.ANSWER
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer one request for a completion."""
        self.requests.append(await request.json())
        self.keys.append(request.headers.get("Authorization", ""))
        match self.behaviour:
            case Behaviour.FAIL:
                return web.json_response({"error": {"message": "out of memory"}}, status=500)
            case Behaviour.FORBID:
                return web.json_response({"error": {"message": "wrong key"}}, status=401)
            case Behaviour.NO_JSON:
                return web.Response(text="data: <html>oops</html>\n\n", content_type="text/event-stream")
            case Behaviour.PLAIN_JSON:
                return web.json_response({"choices": [{"index": 0, "message": {"content": self.text}}]})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await self._send_answer(response)
        return response

    async def _send_answer(self, response: web.StreamResponse) -> None:
        match self.behaviour:
            case Behaviour.HANG:
                await asyncio.Event().wait()
            case Behaviour.DRIP:
                while True:
                    await _send(response, {"content": "on and on "})
                    await asyncio.sleep(0)
            case Behaviour.BREAK_OFF:
                await response.write(b'data: {"choices": [{"delta": {"conte')
                return
            case Behaviour.REFUSE:
                await _send(response, {"refusal": "no"})
            case Behaviour.FILTER:
                await _send(response, {}, "content_filter")
            case _:
                for start in range(0, len(self.text), 7):
                    await _send(response, {"content": self.text[start : start + 7]})
        await response.write(b"data: [DONE]\n\n")


async def _send(response: web.StreamResponse, delta: dict[str, str], finish_reason: str | None = None) -> None:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())


@contextmanager
def run_model_server() -> Iterator[ModelServer]:
    """Run a server on a free port, in a thread."""
    server, app = ModelServer(), web.Application()
    app.router.add_post("/v1/chat/completions", server.complete)
    with enter_in_thread(serve_app(app)) as port:
        server.url = f"http://127.0.0.1:{port}/v1"
        yield server
