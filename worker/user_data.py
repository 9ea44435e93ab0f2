"""Redis keys that hold data of a space or a user, named so that they can be deleted per user or per space.

Chat frontends write them (`bots.chat`); the worker that forgets a user or a space deletes them. Rate limits are
not among them: forgetting must not lift a limit, and limits expire by themselves.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import redis

from indexer.errors import StoreUnavailableError

CHAT_REQUEST_TTL_S: Final = 7 * 86400
"""How long another process may still answer a chat request that a frontend left unanswered."""
USER_HASH_CHARS: Final = 6

_SCAN_COUNT: Final = 1000


def make_key(space: str, user_id: str | None, kind: str, name: str) -> str:
    """Return the Redis key of a user's data, or of the whole space's without a `user_id`."""
    return make_key_by_hash(space, hash_user(user_id) if user_id else "", kind, name)


def make_key_by_hash(space: str, user_hash: str, kind: str, name: str) -> str:
    """Return the Redis key of the data of the user with this hash, or of the whole space's if it is empty."""
    return f"reelseek:of:{space}:{user_hash}:{kind}:{name}"


def hash_user(user_id: str) -> str:
    """Return the `USER_HASH_CHARS` characters that represent a user in keys and tokens."""
    return urlsafe_b64encode(hashlib.sha256(user_id.encode()).digest())[:USER_HASH_CHARS].decode()


class UserDataKeys(Protocol):
    """The data that a worker deletes or reads."""

    def delete(self, space: str, user_id: str | None = None) -> None:
        """Delete the data of a user in a space, or of the whole space without a `user_id`."""
        ...

    def delete_with_links(self, space: str | None, links: Sequence[str]) -> None:
        """Delete the data of a space, or of all spaces, that name one of these links: results shown in a chat."""
        ...

    def record_removal(self, space: str, video_ids: Sequence[str], at: float) -> None:
        """Record when a space removed videos (Unix time), for as long as a chat request can stay unanswered."""
        ...

    def get_removal_time(self, space: str, video_id: str) -> float | None:
        """Return when a space last removed a video (Unix time); None if it did not, or long ago."""
        ...


class NoUserDataKeys:
    """Used by the embedded form, which keeps no such data: no chat request outlives its process."""

    def delete(self, space: str, user_id: str | None = None) -> None:
        pass

    def delete_with_links(self, space: str | None, links: Sequence[str]) -> None:
        pass

    def record_removal(self, space: str, video_ids: Sequence[str], at: float) -> None:
        pass

    def get_removal_time(self, space: str, video_id: str) -> float | None:
        return None


class RedisUserDataKeys:
    """User data in Redis. Every method may raise `StoreUnavailableError`."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def delete(self, space: str, user_id: str | None = None) -> None:
        with _unavailable_on_redis_error():
            for key in self._scan(space, hash_user(user_id) if user_id else "*"):
                self._redis.unlink(key)

    def delete_with_links(self, space: str | None, links: Sequence[str]) -> None:
        texts = [link.encode() for link in links]
        with _unavailable_on_redis_error():
            for key in self._scan(space or "*", "*") if texts else ():
                value = self._redis.get(key) or b""
                if any(text in value for text in texts):
                    self._redis.unlink(key)

    def record_removal(self, space: str, video_ids: Sequence[str], at: float) -> None:
        with _unavailable_on_redis_error():
            for video_id in video_ids:
                self._redis.set(_removal_key(space, video_id), at, ex=CHAT_REQUEST_TTL_S)

    def get_removal_time(self, space: str, video_id: str) -> float | None:
        with _unavailable_on_redis_error():
            at = self._redis.get(_removal_key(space, video_id))
        return None if at is None else float(at)

    def _scan(self, space: str, user_hash: str) -> Iterator[bytes]:
        # Neither a space nor a hash contains characters that have a meaning in a pattern.
        return self._redis.scan_iter(match=make_key_by_hash(space, user_hash, "*", "*"), count=_SCAN_COUNT)


def _removal_key(space: str, video_id: str) -> str:
    """Return a key that reveals nothing about the video."""
    return make_key(space, None, "removed", hashlib.sha256(f"{space}/{video_id}".encode()).hexdigest()[:32])


@contextmanager
def _unavailable_on_redis_error() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise StoreUnavailableError(str(error)) from error
