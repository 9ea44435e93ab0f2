"""Replies to failures."""

from structlog.testing import capture_logs

from bots.commands import library, search
from bots.commands.replies import LinkOutcome, Replies, Search, TextReply
from bots.i18n.translate import translate
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import GOAL
from tests.support.bots.replies import collect
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.error_codes import ErrorCode


def call_commands(client: FakeClient, caller: Caller) -> list[Replies]:
    return [
        search.find(client, caller, "dog"),
        search.continue_search(client, caller, Search(("dog",))),
        library.index(client, caller, ["https://video.example/x"]),
        library.list_library(client, caller),
        library.forget(client, caller, GOAL.link),
        library.show_status(client, caller),
    ]


async def test_failed_call_becomes_the_sentence_and_correlation_id_of_its_code(caller: Caller) -> None:
    for replies in call_commands(FakeClient(broken=CallFailedError(ErrorCode.BUSY, "abc123")), caller):
        [reply] = await collect(replies)
        assert isinstance(reply, TextReply | LinkOutcome)
        assert (reply.text, reply.code, reply.correlation_id) == (translate(ErrorCode.BUSY), ErrorCode.BUSY, "abc123")
        assert not reply.ok


async def test_unexpected_error_becomes_a_sentence_and_is_logged(caller: Caller) -> None:
    """The log line has the correlation id of the reply, and the cause, which the reply hides."""
    for replies in call_commands(FakeClient(broken=RuntimeError("secret")), caller):
        with capture_logs() as logs:
            [reply] = await collect(replies)
        assert isinstance(reply, TextReply | LinkOutcome)
        assert reply.code is ErrorCode.INTERNAL
        assert "secret" not in reply.text
        assert [(log["correlation_id"], str(log["exc_info"])) for log in logs] == [(reply.correlation_id, "secret")]
