"""Structured logs: to the terminal of a service, or to a file in the data folder if a user looks at the terminal."""

import logging
import logging.handlers
import re
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import stamina.instrumentation
import structlog
from stamina.instrumentation import RetryDetails
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from worker.settings import Settings

MAX_LOG_BYTES: Final = 5_000_000
THIRD_PARTIES: Final = (
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

log = structlog.get_logger()

_ADDRESS: Final = re.compile(r"\b\w+://\S+")
_render_exception: Final = ExceptionDictTransformer(show_locals=False)


def configure_logging(settings: Settings, to_file: bool) -> None:
    """Send the records of structlog and of every library to one place, as one JSON object per line."""
    handler = _file_handler(settings.data_dir) if to_file else logging.StreamHandler(sys.stderr)
    is_debug = settings.log_level == "debug"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_render_exception if is_debug else _render_without_messages),
        _render_error_fields if is_debug else _reduce_error_fields,
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            foreign_pre_chain=[*shared, _redact_third_party],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    logging.captureWarnings(True)
    # Info records of third parties may contain links and what users wrote.
    for name in THIRD_PARTIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Celery repeats what `worker.runtime.tasks` logs, with the exception's message and the task's body.
    logging.getLogger("celery.app.trace").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    stamina.instrumentation.set_on_retry_hooks([_log_retry])


# ---- redaction: messages of exceptions may contain links, queries and tokens; only level `debug` logs them ----


def _render_without_messages(exc_info: ExcInfo) -> list[dict[str, Any]]:
    return _remove_messages(_render_exception(exc_info))


def _remove_messages(stacks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = ("exc_type", "is_cause", "frames")
    return [
        {name: stack[name] for name in kept} | {"exceptions": [_remove_messages(each) for each in stack["exceptions"]]}
        for stack in stacks
    ]


def _reduce_error_fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace exceptions in fields by their types."""
    return {name: type(value).__name__ if isinstance(value, Exception) else value for name, value in event.items()}


def _render_error_fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {name: repr(value) if isinstance(value, Exception) else value for name, value in event.items()}


def _log_retry(details: RetryDetails) -> None:
    """Log a retry. stamina's own hook also logs the arguments and the exception's message."""
    log.warning(
        "retry.scheduled",
        operation=details.name,
        retry=details.retry_num,
        wait_s=round(details.wait_for, 2),
        error=details.caused_by,
    )


def _redact_third_party(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep the first line without addresses: further lines may be whole messages, and addresses contain tokens."""
    event["event"] = _ADDRESS.sub("(address)", event["event"].strip().partition("\n")[0])
    return event


# ---- correlation id ----


def current_correlation_id() -> str:
    """Return the id of the current operation, which a user sees if it fails; a new id if none is bound."""
    bound: str | None = structlog.contextvars.get_contextvars().get("correlation_id")
    return bound or uuid.uuid4().hex[:8]


@contextmanager
def bind_correlation_id(correlation_id: str | None = None) -> Iterator[str]:
    """Give all logs, tasks and errors of the block one id: this one, else the current one. Yields it."""
    bound = correlation_id or current_correlation_id()
    with structlog.contextvars.bound_contextvars(correlation_id=bound):
        yield bound


def _file_handler(data_dir: Path) -> logging.Handler:
    data_dir.mkdir(parents=True, exist_ok=True)
    return logging.handlers.RotatingFileHandler(
        data_dir / "reelseek.log", maxBytes=MAX_LOG_BYTES, backupCount=2, encoding="utf-8"
    )
