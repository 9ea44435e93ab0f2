"""Requests that a stopped bot left unfinished, recovered by the next one, on a real Redis."""

import asyncio
import threading

import pytest

from bots.chat.requests import ChatRequest
from bots.chat.service import ChatService
from bots.chat.stores import open_chat_stores
from bots.commands.replies import IndexingProgress, LinkOutcome, Reply, TextReply, TrainingProgress
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_platform import VIDEOS, RecordingResponder
from tests.support.bots.fake_videos import generation
from tests.support.waiting import wait_until
from tests.support.worker.callers import ADMIN, ANN
from worker.protocol.error_codes import ErrorCode


@pytest.fixture
def client() -> FakeClient:
    return FakeClient(videos=list(VIDEOS))


async def test_request_of_stopped_process_is_answered_by_the_next(
    chat: ChatService, responder: RecordingResponder, client: FakeClient, clean_redis: str
) -> None:
    """A bot was stopped while it followed a job, and the next one reports how the job ended."""
    client.gate = threading.Event()
    request = ChatRequest("discord", "index", {"links": ["http://a.example/1"]}, ANN, "en", {"channel": "5"})
    async with open_chat_stores(clean_redis, "20/minute", "100/minute") as other:
        stopped = asyncio.create_task(ChatService(client, other).serve(request, responder))
        await responder.was_shown.wait()
        stopped.cancel()
        await asyncio.gather(stopped, return_exceptions=True)
    client.gate.set()
    over = asyncio.Event()

    class Next(RecordingResponder):
        async def show(self, request: ChatRequest, reply: Reply) -> None:
            await super().show(request, reply)
            if isinstance(reply, IndexingProgress) and reply.is_final:
                over.set()

    after = Next()
    async with chat.recover_requests("discord", after), asyncio.timeout(20):
        await over.wait()
    [outcome] = after.shown[-1].lines  # type: ignore[union-attr]
    assert isinstance(outcome, LinkOutcome)
    assert outcome.ok


async def recover(
    chat: ChatService, responder: RecordingResponder, redis_url: str, request: ChatRequest
) -> list[Reply]:
    """Leave a request unanswered in another process. Returns what is shown when this one recovers it."""
    async with open_chat_stores(redis_url, "20/minute", "100/minute") as other:
        with pytest.raises(RuntimeError):
            async with other.requests.acquire(request):
                raise RuntimeError
    labels = {"platform": "discord", "command": request.command, "outcome": "answered"}

    async def is_answered() -> bool:
        return chat.metrics.registry.get_sample_value("reelseek_answers_total", labels) == 1

    async with chat.recover_requests("discord", responder):
        await wait_until(is_answered)
    assert await chat.stores.requests.claim_stale("discord") == []
    return list(responder.shown)


async def test_request_with_unknown_command_is_answered_with_an_error(
    chat: ChatService, responder: RecordingResponder, clean_redis: str
) -> None:
    """A request of another version is answered once, and does not come back."""
    [reply] = await recover(chat, responder, clean_redis, ChatRequest("discord", "fly", {}, ANN, "en", {}))
    assert isinstance(reply, TextReply)
    assert reply.code is ErrorCode.INTERNAL


@pytest.mark.parametrize("training", [True, False])
async def test_recovered_retrain_is_followed_and_not_started_again(
    chat: ChatService, responder: RecordingResponder, client: FakeClient, clean_redis: str, training: bool
) -> None:
    """A bot was stopped while it followed a retrain."""
    client.training = training
    replies = await recover(
        chat, responder, clean_redis, ChatRequest("discord", "retrain", {"action": "start"}, ADMIN, "en", {})
    )
    if training:
        assert isinstance(replies[-1], TrainingProgress)
        assert replies[-1].is_final
    else:
        assert replies == [TextReply(translate(Msg.RETRAIN_NONE))]
    assert client.training is training


async def test_recovered_rollback_is_not_repeated(
    chat: ChatService, responder: RecordingResponder, client: FakeClient, clean_redis: str
) -> None:
    """The list of models shows whether the stopped process had rolled back."""
    new, old = generation("starter-1", live=True), generation("starter-0", live=False)
    client.models = [new, old]
    [reply] = await recover(
        chat, responder, clean_redis, ChatRequest("discord", "model", {"action": "rollback"}, ADMIN, "en", {})
    )
    assert isinstance(reply, TextReply)
    assert len(reply.text.splitlines()) == 2
    assert client.models == [new, old]
