"""What Redis keeps of a space and its people between questions: named so that it goes with them.

Chat frontends write it (`bots.desk`); the worker that forgets a person or a space deletes it. Limits are not among it:
forgetting is no way around them, and they lapse by themselves.
"""

import hashlib
from base64 import urlsafe_b64encode
from typing import Final, Protocol

import redis

from indexer.errors import StoreUnavailable

AT_ONCE: Final = 1000
MARK_CHARS: Final = 6


def key(space: str, person: str, kind: str, name: str) -> str:
    """The Redis key of something that is kept; without a `person` it is the whole space's."""
    return key_by_mark(space, mark(person), kind, name)


def key_by_mark(space: str, mark: str, kind: str, name: str) -> str:
    return f"reelseek:of:{space}:{mark}:{kind}:{name}"


def mark(person: str) -> str:
    """Stands for a person in keys and tokens, in `MARK_CHARS` characters; empty for nobody."""
    return urlsafe_b64encode(hashlib.sha256(person.encode()).digest())[:MARK_CHARS].decode() if person else ""


class Traces(Protocol):
    """Where they are deleted."""

    def forget(self, space: str, person: str = "") -> None:
        """Deletes what is kept of a person in a space, or without a `person` of all the space."""
        ...


class NoTraces:
    """Embedded, nothing of the kind is kept."""

    def forget(self, space: str, person: str = "") -> None:
        pass


class RedisTraces:
    """Those in Redis. Raises `StoreUnavailable`."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=5)

    def forget(self, space: str, person: str = "") -> None:
        # Neither a space nor a mark has characters that mean something in a pattern.
        pattern = key_by_mark(space, mark(person), "*", "*") if person else f"reelseek:of:{space}:*"
        try:
            for key in self._redis.scan_iter(match=pattern, count=AT_ONCE):
                self._redis.unlink(key)
        except redis.RedisError as error:
            raise StoreUnavailable(str(error)) from error
