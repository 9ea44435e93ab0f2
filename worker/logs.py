"""Structured logs: to the terminal of a service, to a file beside the data for a command that a person looks at."""

import logging
import logging.handlers
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

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


def configure(settings: Settings, to_file: bool) -> None:
    """Sends structlog's and every library's records one way, as one JSON object a line."""
    handler = _file(settings.data_dir) if to_file else logging.StreamHandler(sys.stderr)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Without the values of variables: they hold links, words and keys of people.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    # Third parties are only heard when something is wrong: their info lines may hold links and words of people.
    for name in THIRD_PARTIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def incident() -> str:
    """The id of what is being done, which a person is told where it fails; a new one outside of `one_incident`."""
    bound: str | None = structlog.contextvars.get_contextvars().get("incident")
    return bound or uuid.uuid4().hex[:8]


@contextmanager
def one_incident(given: str | None = None) -> Iterator[str]:
    """While inside, all that is logged, sent to workers and told has one id: the given one, or the one there is."""
    found = given or incident()
    with structlog.contextvars.bound_contextvars(incident=found):
        yield found


def _file(data_dir: Path) -> logging.Handler:
    data_dir.mkdir(parents=True, exist_ok=True)
    return logging.handlers.RotatingFileHandler(
        data_dir / "reelseek.log", maxBytes=MAX_LOG_BYTES, backupCount=2, encoding="utf-8"
    )
