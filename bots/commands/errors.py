"""Replies for failures: every exception becomes a sentence for the user, and the log keeps the cause."""

import functools
from collections.abc import Callable
from contextlib import aclosing
from typing import ParamSpec

import structlog

from bots.commands.replies import Replies, TextReply
from bots.i18n.translate import translate
from worker.ops.logs import current_correlation_id
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode, error_code_of

P = ParamSpec("P")
log = structlog.get_logger()


def reply_on_error(command: Callable[P, Replies]) -> Callable[P, Replies]:
    """Decorate a command so that an exception becomes its last reply instead of a traceback."""

    @functools.wraps(command)
    async def run(*args: P.args, **kwargs: P.kwargs) -> Replies:
        try:
            async with aclosing(command(*args, **kwargs)) as replies:
                async for reply in replies:
                    yield reply
        except Exception as error:
            yield error_reply(error)

    return run


def error_reply(error: Exception) -> TextReply:
    """Return the sentence for an exception, with the correlation id that leads to its cause in the log."""
    return code_reply(*describe_error(error))


def describe_error(error: Exception) -> tuple[ErrorCode, str | None]:
    """Return the code and the correlation id of a failure.

    A worker has logged its own failures (`CallFailedError`); an exception of this process is logged here.
    """
    if isinstance(error, CallFailedError):
        return error.code, error.correlation_id
    correlation_id = current_correlation_id()
    log.error("command_failed", correlation_id=correlation_id, exc_info=error)
    return error_code_of(error), correlation_id


def code_reply(code: ErrorCode, correlation_id: str | None = None) -> TextReply:
    """Return the sentence for an error code."""
    return TextReply(translate(code), ok=False, code=code, correlation_id=correlation_id)
