"""What Redis keeps of a space and its people between questions: named so that it goes with them.

Chat frontends write it (`bots.chat.store`); the worker that forgets a person or a space deletes it. Limits are not among it:
forgetting is no way around them, and they lapse by themselves.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import redis

from indexer.errors import StoreUnavailableError

AT_ONCE: Final = 1000
KEEP_ERRAND_S: Final = 7 * 86400
"""How long a frontend's unanswered errand may be picked up by the next."""
MARK_CHARS: Final = 6


def key(space: str, user_id: str, kind: str, name: str) -> str:
    """The Redis key of something that is kept; without a `user_id` it is the whole space's."""
    return key_by_mark(space, mark(user_id), kind, name)


def key_by_mark(space: str, mark: str, kind: str, name: str) -> str:
    return f"reelseek:of:{space}:{mark}:{kind}:{name}"


def mark(user_id: str) -> str:
    """Stands for a person in keys and tokens, in `MARK_CHARS` characters; empty for nobody."""
    return urlsafe_b64encode(hashlib.sha256(user_id.encode()).digest())[:MARK_CHARS].decode() if user_id else ""


class UserDataKeys(Protocol):
    """Where they are deleted."""

    def forget(self, space: str, user_id: str = "") -> None:
        """Deletes what is kept of a person in a space, or without a `user_id` of all the space."""
        ...

    def forget_links(self, space: str | None, links: Sequence[str]) -> None:
        """Deletes what is kept in a space, or in all, and names one of these links: results that somebody was shown."""
        ...

    def took_back(self, space: str, video_ids: Sequence[str], at: float) -> None:
        """Notes when a space took videos back, in seconds since 1970, for as long as an errand may lie unanswered."""
        ...

    def taken_back_at(self, space: str, video_id: str) -> float:
        """When a space last took a video back; 0 where that is long ago."""
        ...


class NoUserDataKeys:
    """Embedded, nothing of the kind is kept, and no errand outlives its process."""

    def forget(self, space: str, user_id: str = "") -> None:
        pass

    def forget_links(self, space: str | None, links: Sequence[str]) -> None:
        pass

    def took_back(self, space: str, video_ids: Sequence[str], at: float) -> None:
        pass

    def taken_back_at(self, space: str, video_id: str) -> float:
        return 0.0


class RedisUserDataKeys:
    """Those in Redis. Raises `StoreUnavailableError`."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=5)

    def forget(self, space: str, user_id: str = "") -> None:
        with _translated():
            for key in self._keys(space, mark(user_id) or "*"):
                self._redis.unlink(key)

    def forget_links(self, space: str | None, links: Sequence[str]) -> None:
        texts = [link.encode() for link in links]
        with _translated():
            for key in self._keys(space or "*", "*") if texts else ():
                value = self._redis.get(key) or b""
                if any(text in value for text in texts):
                    self._redis.unlink(key)

    def took_back(self, space: str, video_ids: Sequence[str], at: float) -> None:
        with _translated():
            for video_id in video_ids:
                self._redis.set(_taken_back(space, video_id), at, ex=KEEP_ERRAND_S)

    def taken_back_at(self, space: str, video_id: str) -> float:
        with _translated():
            return float(self._redis.get(_taken_back(space, video_id)) or 0.0)

    def _keys(self, space: str, mark: str) -> Iterator[bytes]:
        # Neither a space nor a mark has characters that mean something in a pattern.
        return self._redis.scan_iter(match=key_by_mark(space, mark, "*", "*"), count=AT_ONCE)


def _taken_back(space: str, video_id: str) -> str:
    """Tells whoever reads it nothing of the video."""
    return key(space, "", "taken_back", hashlib.sha256(f"{space}/{video_id}".encode()).hexdigest()[:32])


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise StoreUnavailableError(str(error)) from error
