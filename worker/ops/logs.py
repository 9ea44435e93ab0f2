"""Structured logs: to the terminal of a service, to a file beside the data for a command that a person looks at."""

import logging
import logging.handlers
import re
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from worker.settings import Settings

MAX_LOG_BYTES = 5_000_000
THIRD_PARTIES = (
    "aiohttp",
    "celery",
    "discord",
    "httpx",
    "kombu",
    "slack_bolt",
    "slack_sdk",
    "transformers",
    "urllib3",
)

_ADDRESS: Final = re.compile(r"\b\w+://\S+")
_said: Final = ExceptionDictTransformer(show_locals=False)


def configure(settings: Settings, to_file: bool) -> None:
    """Sends structlog's and every library's records one way, as one JSON object a line."""
    handler = _file(settings.data_dir) if to_file else logging.StreamHandler(sys.stderr)
    aloud = settings.log_level == "debug"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_said if aloud else _types_and_places),
        _errors_aloud if aloud else _errors,
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            foreign_pre_chain=[*shared, _first_line],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    logging.captureWarnings(True)
    # Third parties are only heard when something is wrong: their info lines may hold links and words of people.
    for name in THIRD_PARTIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    # It tells again, in an exception's own words and with the message's body, what `worker.runtime.tasks` has told.
    logging.getLogger("celery.app.trace").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


# ---- exceptions: what they say may hold links, questions and tokens, and is told for debugging only ----


def _types_and_places(exc_info: ExcInfo) -> list[dict[str, Any]]:
    return _hushed(_said(exc_info))


def _hushed(stacks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    told = ("exc_type", "is_cause", "frames")
    return [
        {name: stack[name] for name in told} | {"exceptions": [_hushed(each) for each in stack["exceptions"]]}
        for stack in stacks
    ]


def _errors(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A field may hold an exception."""
    return {name: type(value).__name__ if isinstance(value, Exception) else value for name, value in event.items()}


def _errors_aloud(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {name: repr(value) if isinstance(value, Exception) else value for name, value in event.items()}


def _first_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Of a third party's record: further lines may be whole messages, and addresses hold tokens."""
    event["event"] = _ADDRESS.sub("(address)", event["event"].strip().partition("\n")[0])
    return event


# ---- one id ----


def current_correlation_id() -> str:
    """The id of what is being done, which a person is told where it fails; a new one outside of `bind_correlation_id`."""
    bound: str | None = structlog.contextvars.get_contextvars().get("correlation_id")
    return bound or uuid.uuid4().hex[:8]


@contextmanager
def bind_correlation_id(given: str | None = None) -> Iterator[str]:
    """While inside, all that is logged, sent to workers and told has one id: the given one, or the one there is."""
    found = given or current_correlation_id()
    with structlog.contextvars.bound_contextvars(correlation_id=found):
        yield found


def _file(data_dir: Path) -> logging.Handler:
    data_dir.mkdir(parents=True, exist_ok=True)
    return logging.handlers.RotatingFileHandler(
        data_dir / "reelseek.log", maxBytes=MAX_LOG_BYTES, backupCount=2, encoding="utf-8"
    )
