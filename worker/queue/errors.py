"""The error of a queue that cannot be reached, in place of those of the libraries."""

from collections.abc import Iterator
from contextlib import contextmanager

from celery.exceptions import BackendError
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError


class QueueUnavailableError(Exception):
    """Redis cannot be reached, or the connection broke."""

    code = "queue_unavailable"
    transient = True


@contextmanager
def translate_queue_errors() -> Iterator[None]:
    """Raise `QueueUnavailableError` in place of what the libraries raise without Redis."""
    try:
        yield
    except (OperationalError, RedisError, BackendError) as error:
        raise QueueUnavailableError(str(error)) from error
